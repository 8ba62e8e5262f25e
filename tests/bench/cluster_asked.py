"""What the cluster and its pods tell when asked: metrics, activity, memory, sizes of images."""

from __future__ import annotations

import json
import re
import subprocess
import zlib
from collections import defaultdict
from typing import Any

from e2e.kubectl import Kubectl

CHUNK = 1 << 20


def raw(kubectl: Kubectl, path: str) -> str:
    return kubectl("get", "--raw", path)


def of_pod(kubectl: Kubectl, pod: str, port: int, path: str) -> str:
    """What a pod answers, by way of the API server."""
    return raw(kubectl, f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}:{port}/proxy/{path}")


def activity(kubectl: Kubectl, pod: str, port: int) -> dict[str, Any]:
    return json.loads(of_pod(kubectl, pod, port, "activity"))


def samples(kubectl: Kubectl, pod: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """A gateway's metrics, by name and labels."""
    found = {}
    for line in of_pod(kubectl, pod, 8000, "metrics").splitlines():
        if match := re.fullmatch(r"([\w:]+)(?:\{(.*)\})? (\S+)", line):
            labels = tuple(sorted(re.findall(r'(\w+)="([^"]*)"', match[2] or "")))
            found[match[1], labels] = float(match[3])
    return found


class Gateways:
    """The sums that all gateways tell; of several the one that served is told by its growth."""

    def __init__(self, kubectl: Kubectl, pods: list[str]) -> None:
        self._kubectl, self._pods = kubectl, pods
        self._before = {pod: samples(kubectl, pod) for pod in pods}

    def since(self) -> tuple[dict, dict]:
        """Growth at the gateway that served most since, and what it tells now."""
        grown, told = {}, {}
        for pod in self._pods:
            now = samples(self._kubectl, pod)
            growth = {key: value - self._before[pod].get(key, 0.0) for key, value in now.items()}
            if not grown or held(growth)[1] > held(grown)[1]:
                grown, told = growth, now
        return grown, told


def held(growth: dict) -> tuple[float, float]:
    """Seconds that requests were held, and how many requests came."""
    total = lambda end: sum(v for (n, _), v in growth.items() if n == f"remoe:held_seconds_{end}")  # noqa: E731
    return total("sum"), total("count")


def start_phases(growth: dict, component: str) -> dict[str, float]:
    """Mean seconds of each phase of the starts that were counted."""
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, float] = defaultdict(float)
    for (name, labels), value in growth.items():
        told = dict(labels)
        if told.get("component") == component and name.startswith("remoe:cold_start_seconds_"):
            kept = {"sum": sums, "count": counts}.get(name.rpartition("_")[2])
            if kept is not None:
                kept[told["phase"]] += value
    return {phase: sums[phase] / counts[phase] for phase in sums if counts[phase]}


def memory(kubectl: Kubectl) -> dict[str, tuple[int, int]]:
    """Working set and resident bytes of every pod of the namespace, by the kubelets."""
    nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    found = {}
    for node in nodes:
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        for pod in json.loads(raw(kubectl, path))["pods"]:
            if pod["podRef"]["namespace"] == kubectl.namespace and pod.get("containers"):
                parts = [container["memory"] for container in pod["containers"]]
                whole = sum(part.get("workingSetBytes", 0) for part in parts)
                resident = sum(part.get("rssBytes", 0) for part in parts)
                found[pod["podRef"]["name"]] = (whole, resident)
    return found


def image_bytes(builder: str, image: str) -> tuple[int, int]:
    """An image's bytes as its builder keeps it, and gzipped as a registry would."""
    command = {
        "buildah": ["buildah", "push", "--quiet", image, "docker-archive:/dev/stdout"],
        "podman": ["podman", "save", "--quiet", image],
        "docker": ["docker", "save", image],
    }[builder]
    whole = packed = 0
    packer = zlib.compressobj(level=6)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as archive:
        while data := archive.stdout.read(CHUNK):
            whole += len(data)
            packed += len(packer.compress(data))
    if archive.returncode:
        raise OSError(f"{' '.join(command)} failed")
    return whole, packed + len(packer.flush())
