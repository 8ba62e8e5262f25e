"""What a process runtime must know to run one part. Nothing here changes while it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.state import PartKind

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSpec:
    """One part: its command and the bounds it lives within.

    Attributes:
        name: a DNS label, unique in the runtime; names logs and replicas.
        kind: gateway, main or function.
        argv: the fixed argument list each replica is started with.
        env: the whole environment of the replicas, secrets included; never logged.
        inherited_fds: open descriptors that every replica inherits under the same numbers; they
            stay the caller's to close, once no replica can be started any more.
        min_replicas: replicas kept when idle, >= 0.
        max_replicas: replicas at most, >= max(1, min_replicas).
        keep_alive_seconds: how long an idle replica stays, >= 0; None keeps it for ever.
        private_memory_limit_bytes: bound of a replica's private writable memory (what is mapped
            read-only from the checkpoint does not count), > 0; None sets no bound.
        startup_seconds: how long a replica may take to become ready, > 0.
        drain_seconds: how long a replica may take to end after SIGTERM, >= 0.
        silence_seconds: a replica that sent heartbeats and then none for so long is hung and
            is killed, > 0.
        backoff: delays between restarts of a failing part.
        healthy_seconds: a replica ready for so long ends a row of failures, >= 0.
        log_bytes: a replica's log is cut back when it outgrows this, >= 4096.
    """

    name: str
    kind: PartKind
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    inherited_fds: tuple[int, ...] = ()
    min_replicas: int = 0
    max_replicas: int = 1
    keep_alive_seconds: float | None = 60.0
    private_memory_limit_bytes: int | None = None
    startup_seconds: float = 120.0
    drain_seconds: float = 30.0
    silence_seconds: float = 120.0
    backoff: Backoff = field(default_factory=Backoff)
    healthy_seconds: float = 30.0
    log_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        self._check_identity()
        self._check_replicas()
        for name in ("startup_seconds", "silence_seconds"):
            self._require(name, getattr(self, name) > 0, "> 0")
        for name in ("drain_seconds", "healthy_seconds"):
            self._require(name, getattr(self, name) >= 0, ">= 0")
        keep, limit = self.keep_alive_seconds, self.private_memory_limit_bytes
        self._require("keep_alive_seconds", keep is None or keep >= 0, ">= 0 or None")
        self._require("private_memory_limit_bytes", limit is None or limit > 0, "> 0 or None")
        self._require("log_bytes", self.log_bytes >= 4096, ">= 4096")
        self._require("inherited_fds", all(fd >= 0 for fd in self.inherited_fds), "all >= 0")

    def allows(self, replicas: int) -> bool:
        """Whether somebody may ask for so many replicas; asking for none lets a part sleep."""
        return self.min_replicas <= replicas <= self.max_replicas

    def _check_identity(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name must be a lower-case DNS label, got {self.name!r}")
        self._require("argv", bool(self.argv), "not empty")

    def _check_replicas(self) -> None:
        self._require("min_replicas", self.min_replicas >= 0, ">= 0")
        self._require("max_replicas", self.max_replicas >= max(1, self.min_replicas), ">= min, 1")

    def _require(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ValueError(
                f"part {self.name}: {name} must be {allowed}, got {getattr(self, name)}"
            )
