"""Clocks that can be set, in the pods of one service: libfaketime, loaded before all else.

A container has no clock of its own, and the node's is everybody's. What a process uses to measure
how long something takes goes on as it did, as it does when a real clock is set.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from e2e.waiting import until

CONFIG = "clock"
LIBRARY = Path(
    os.environ.get("CLOCK_LIBRARY", "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
)
FOLDER, FILE = "/opt/clock", "/tmp/clock"
VARIABLES = {
    "LD_PRELOAD": f"{FOLDER}/{LIBRARY.name}",
    "FAKETIME_TIMESTAMP_FILE": FILE,
    "FAKETIME_CACHE_DURATION": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
}
GATEWAY = "remoe-gateway"
MADE_SECONDS = 180


class Clocks:
    """The clocks of main, functions and gateway; `close` gives them back their own."""

    def __init__(self, parts):
        self._parts, self._kubectl = parts, parts.service.kubectl
        if not LIBRARY.exists():
            pytest.skip(f"no {LIBRARY}: install libfaketime, or name it in CLOCK_LIBRARY")
        source = f"--from-file={LIBRARY}"
        self._kubectl("create", "configmap", CONFIG, source)
        self._set_pods(_pod)
        until(self._all_ours, MADE_SECONDS, "all pods have such clocks", state=parts.describe)

    def close(self):
        self._set_pods(lambda container: None)
        self._kubectl.delete("configmap", CONFIG)

    def shift(self, seconds):
        """All of them, against the node's."""
        code = f"open('{FILE}', 'w').write('{seconds:+d}')"
        for pod in self._pods():
            self._kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", code)

    def read(self, part):
        """What time it is in a pod, in seconds."""
        pod = self._parts.one(part)["metadata"]["name"]
        return float(
            self._kubectl("exec", pod, "--", "python", "-c", "import time; print(time.time())")
        )

    def _pods(self):
        parts = ("main", "function", "gateway")
        return [pod for part in parts for pod in self._parts.ready_pods(part)]

    def _all_ours(self):
        ours = [any(v["name"] == CONFIG for v in pod["spec"]["volumes"]) for pod in self._pods()]
        return all(ours) and self._parts.well()

    def _set_pods(self, pod):
        name = self._parts.service.name
        templates = {
            "main": {"podTemplate": {"spec": pod("main")}},
            "experts": {"podTemplate": {"spec": pod("function")}},
        }
        self._kubectl.patch("moeservice", name, {"spec": templates})
        change = {"spec": {"template": {"spec": pod("gateway") or _taken_back("gateway")}}}
        self._kubectl("patch", "deployment", GATEWAY, "--patch", json.dumps(change))


def _pod(container):
    return {
        "containers": [
            {
                "name": container,
                "env": [{"name": name, "value": value} for name, value in VARIABLES.items()],
                "volumeMounts": [{"name": CONFIG, "mountPath": FOLDER, "readOnly": True}],
            }
        ],
        "volumes": [{"name": CONFIG, "configMap": {"name": CONFIG}}],
    }


def _taken_back(container):
    """What removes it from a Deployment."""
    gone = {"$patch": "delete"}
    return {
        "containers": [
            {
                "name": container,
                "env": [{"name": name, **gone} for name in VARIABLES],
                "volumeMounts": [{"mountPath": FOLDER, **gone}],
            }
        ],
        "volumes": [{"name": CONFIG, **gone}],
    }
