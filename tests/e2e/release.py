"""The chart, installed on the cluster as its README says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/remoe"
KEYS = ("operator", "gateway", "main", "expert", "fetch")
WAIT = ("--wait", "--timeout=180s")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def image(key):
    """An image as functions/images/build names it."""
    version = re.search(
        r'^version = "(.+)"$', (ROOT / "functions/pyproject.toml").read_text(), re.M
    )
    prefix = os.environ.get("IMAGE_PREFIX", "localhost/remoe")
    return f"{prefix}/{key}:{os.environ.get('IMAGE_VERSION', version[1])}"


def namespace(name):
    """A namespace that takes no pod which is not restricted."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": RESTRICTED},
    }


@dataclass(frozen=True, kw_only=True)
class Release:
    """One installation."""

    namespace: str
    name: str = "remoe"

    def install(self, **values):
        """Installed, the operator ready; `values` by their dotted names, with __ for the dot."""
        images = {}
        for key in KEYS:
            repository, _, tag = image(key).rpartition(":")
            images |= {f"image__{key}__repository": repository, f"image__{key}__tag": tag}
        sets = _sets({"crds__keep": "false"} | images | values)
        extra = shlex.split(os.environ.get("HELM_ARGS", ""))
        self._helm("install", self.name, str(CHART), *WAIT, *sets, *extra)

    def upgrade(self, **values):
        """With some values changed, the operator ready again."""
        self._helm("upgrade", self.name, str(CHART), *WAIT, "--reuse-values", *_sets(values))

    def test(self):
        """What `helm test` prints."""
        return self._helm("test", self.name, "--logs", "--timeout=300s")

    def uninstall(self):
        self._helm("uninstall", self.name, "--wait", "--timeout=60s", "--ignore-not-found")

    def _helm(self, *arguments):
        command = ["helm", "--namespace", self.namespace, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=360, check=False)
        if done.returncode:
            raise RuntimeError(f"helm {arguments[0]}: {done.stdout}\n{done.stderr}")
        return done.stdout


def _sets(values):
    """Arguments for values by their dotted names, with __ for the dot."""
    dotted = {name.replace("__", "."): value for name, value in values.items()}
    return [word for name, value in dotted.items() for word in ("--set", f"{name}={value}")]
