"""The cluster as its users reach it: by kubectl. What is asked of it is not known here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = 60.0


class KubectlError(Exception):
    """kubectl refused; its own words."""


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl in one namespace."""

    namespace: str

    def __call__(self, *arguments, stdin=None, seconds=SECONDS):
        """What kubectl prints."""
        command = ["kubectl", "--namespace", self.namespace, *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            raise KubectlError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, kind, name):
        """The object, or None."""
        found = self("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(found) if found else None

    def list(self, kinds, *, service=None, labels: Mapping[str, str] | None = None):
        """Objects of these kinds with these labels."""
        asked = dict(labels or {}) | ({"remoe.dev/service": service} if service else {})
        selector = ",".join(f"{name}={value}" for name, value in asked.items())
        found = self("get", kinds, "--selector", selector, "--output=json")
        return json.loads(found)["items"]

    def apply(self, *manifests, dry_run=False):
        """Server-side apply, as a user's own manager."""
        extra = ["--dry-run=server"] if dry_run else []
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        return self("apply", "--server-side", *extra, "--filename=-", stdin=text)

    def patch(self, kind, name, change):
        return self("patch", kind, name, "--type=merge", "--patch", json.dumps(change))

    def scale(self, kind, name, replicas):
        return self("scale", kind, name, f"--replicas={replicas}")

    def delete(self, kind, name, *, seconds=SECONDS):
        """Deleted, and gone."""
        self(
            "delete", kind, name, "--ignore-not-found", f"--timeout={seconds}s", seconds=seconds + 5
        )

    def describe(self):
        """The state of the namespace, for whoever reads that a wait was in vain."""
        parts = [
            self("get", "moeservices,deployments,pods,jobs,pvc", "--output=wide"),
            self("get", "moeservices", "--output=jsonpath={range .items[*].status.conditions[*]}"
                 "{.type}={.status} {.reason}: {.message}{'\\n'}{end}"),
            self("get", "events", "--sort-by=.lastTimestamp"),
        ]  # fmt: skip
        return "\n".join(parts)[-6000:]
