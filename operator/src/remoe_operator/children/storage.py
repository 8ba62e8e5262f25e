"""The claims of one service inside its own pods: which volumes, mounted where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from remoe_operator.children.manifest import Manifest
from remoe_operator.children.service import Service
from remoe_operator.children.source import (
    data_volume,
    has_data_claim,
    history_mount,
    is_own_claim,
    model_mount,
    user_volume,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Volumes and mounts of a pod; their names carry the service's where pods serve several.

    Attributes:
        service: whose claims.
        suffix: after the volumes' names.
        root: folder of `model` and `history` in the container; empty for the root folder.
        history_read_only: whether history is only read.
        history: whether it is mounted at all, where it is recorded.
    """

    service: Service
    suffix: str = ""
    root: str = ""
    history_read_only: bool = False
    history: bool = True

    @property
    def volumes(self) -> Iterator[Manifest]:
        """Each claim once."""
        spec = self.service.spec
        if is_own_claim(spec):
            yield user_volume(spec, self._user)
        if not is_own_claim(spec) or (self._has_history and has_data_claim(spec)):
            yield data_volume(self.service.name, self._data)

    @property
    def mounts(self) -> Iterator[Manifest]:
        """The model, and the history where it is recorded."""
        spec = self.service.spec
        volume = self._user if is_own_claim(spec) else self._data
        yield model_mount(spec, volume, f"{self.root}/model")
        if self._has_history:
            read_only = self.history_read_only
            yield history_mount(self._data, f"{self.root}/history", read_only=read_only)

    @property
    def _has_history(self) -> bool:
        return self.history and self.service.spec.history.enabled

    @property
    def _user(self) -> str:
        return f"model{self.suffix}"

    @property
    def _data(self) -> str:
        return f"data{self.suffix}"
