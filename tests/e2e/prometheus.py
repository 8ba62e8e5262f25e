"""The real Prometheus, reading a namespace's pods as docs/monitoring.md says.

It runs on this machine and reaches pods by their addresses, so the cluster's network must
reach here. Debian's build has no discovery in Kubernetes: pods are told to it by a file, under the
very labels that the discovery would give them, so that the documented configuration stays as it is.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/monitoring.md"
BROUGHT = ROOT / ".cache/prometheus/usr/bin/prometheus"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
SCRAPE_SECONDS = 1


def binary():
    """Where prometheus is; None where it is not."""
    return str(BROUGHT) if BROUGHT.exists() else shutil.which("prometheus")


def documented():
    """The scrape configuration that the page tells users to have."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return yaml.safe_load(block)


def configuration(pods):
    """The documented one, with a file of pods in place of the cluster's discovery."""
    config = documented()
    for scraped in config["scrape_configs"]:
        del scraped["kubernetes_sd_configs"]
        scraped["file_sd_configs"] = [{"files": [str(pods)], "refresh_interval": "1s"}]
    interval = f"{SCRAPE_SECONDS}s"
    return {"global": {"scrape_interval": interval, "scrape_timeout": interval}, **config}


def discovered(pod):
    """What the discovery says of a pod, as far as the documented configuration reads it."""
    meta, status = pod["metadata"], pod["status"]
    said = {
        "namespace": meta["namespace"],
        "pod_name": meta["name"],
        "pod_phase": status["phase"],
        "pod_ip": status.get("podIP", ""),
    }
    for kind in ("label", "annotation"):
        for name, value in meta.get(f"{kind}s", {}).items():
            said[f"pod_{kind}_{re.sub(r'[^a-zA-Z0-9_]', '_', name)}"] = value
    labels = {f"__meta_kubernetes_{name}": value for name, value in said.items()}
    return {"targets": [status.get("podIP", "none")], "labels": labels}


class Prometheus:
    """A running one."""

    def __init__(self, address, pods):
        self._pods = pods
        self._client = httpx.Client(base_url=f"http://{address}", timeout=20)

    def close(self):
        self._client.close()

    def ready(self):
        with contextlib.suppress(httpx.TransportError):
            return self._client.get("/-/ready").is_success
        return False

    def look(self, pods):
        """Tell it what pods there are now."""
        arriving = self._pods.with_suffix(".arriving")
        arriving.write_text(json.dumps([discovered(pod) for pod in pods]))
        arriving.replace(self._pods)

    def targets(self):
        """What it scrapes: labels, health and last error of each."""
        answer = self._client.get("/api/v1/targets", params={"state": "active"})
        return answer.raise_for_status().json()["data"]["activeTargets"]

    def ask(self, expression):
        """The series that an expression gives now."""
        answer = self._client.post("/api/v1/query", data={"query": expression})
        said = answer.json()
        if said["status"] != "success":
            raise ValueError(f"{expression}: {said['error']}")
        return said["data"]["result"]


@contextlib.contextmanager
def running(folder):
    """Prometheus with its data in `folder`, while the context is open."""
    config, pods = folder / "prometheus.yml", folder / "pods.json"
    pods.write_text("[]")
    config.write_text(yaml.safe_dump(configuration(pods)))
    address = f"127.0.0.1:{_free_port()}"
    command = [
        binary(),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    log = folder / "log"
    with log.open("w") as said:
        run = subprocess.Popen(command, stdout=said, stderr=said)
        prometheus = Prometheus(address, pods)
        try:
            _wait(prometheus, run, log)
            yield prometheus
        finally:
            prometheus.close()
            _end(run)


def _end(run):
    run.terminate()
    try:
        run.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()


def _wait(prometheus, run, log):
    end = time.monotonic() + START_SECONDS
    while not prometheus.ready():
        if run.poll() is not None or time.monotonic() > end:
            raise OSError(f"prometheus did not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def _free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
