"""One life of a service on a cluster, timed: installed, applied, asked, asleep, deleted."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster_asked import Gateways, activity, held, memory, start_phases
from cluster_seen import Seen, Watched, added, complete, of, placed, ready, running, that
from e2e.asking import ask
from e2e.deployed import Deployed, example
from e2e.endpoint import reached
from e2e.kubectl import Kubectl
from e2e.release import KEYS, image
from e2e.waiting import until
from openai import OpenAI

API = 8000
KEEP_ALIVE, IDLE_TIMEOUT = 8, 20
WARM_REQUESTS = 5
# Gateways count a start when its replica has told its phases.
TOLD_SECONDS = 6.0
REST = "rest of the hold"


@dataclass(kw_only=True)
class Life:
    """Figures of one life: seconds by phase, in order, and what was printed.

    Attributes:
        install: from `helm install`.
        applied: from `kubectl apply` to Ready and a first answer.
        first_token: from the request, by state of the service.
        from_asleep: of a request to a sleeping model, by phase.
        functions: of functions' starts, by phase.
        memory: working set and resident bytes by pod, everything awake.
        prints: what kubectl printed.
    """

    install: dict[str, float] = field(default_factory=dict)
    applied: dict[str, float] = field(default_factory=dict)
    first_token: dict[str, float] = field(default_factory=dict)
    from_asleep: dict[str, float] = field(default_factory=dict)
    functions: dict[str, float] = field(default_factory=dict)
    memory: dict[str, tuple[int, int]] = field(default_factory=dict)
    prints: dict[str, str] = field(default_factory=dict)


class Steps:
    """Moments one after the other; each step lasts from the last moment to its own."""

    def __init__(self, begun: float) -> None:
        self._last = begun
        self.seconds: dict[str, float] = {}

    def step(self, name: str, at: float) -> None:
        """A step that ended before the last one took no time."""
        self.seconds[name] = max(0.0, at - self._last)
        self._last = max(self._last, at)

    def lasted(self, name: str, seconds: float) -> None:
        self.step(name, self._last + seconds)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Where the chart is and where it goes."""

    folder: Path
    namespace: str
    served: str

    def install(self, *more: str) -> None:
        given = {"watchNamespaces": f"{{{self.served}}}", "test.namespace": self.served}
        for key in KEYS:
            repository, _, tag = image(key).rpartition(":")
            given |= {f"image.{key}.repository": repository, f"image.{key}.tag": tag}
        sets = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
        self._helm("install", "remoe", str(self.folder), "--wait", "--timeout=180s", *sets, *more)

    def uninstall(self) -> None:
        self._helm("uninstall", "remoe", "--wait", "--timeout=60s", "--ignore-not-found")

    def _helm(self, *arguments: str) -> None:
        command = ["helm", "--namespace", self.namespace, *arguments]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)


def installed(chart: Chart, system: Watched, *more: str) -> dict[str, float]:
    begun = time.monotonic()
    chart.install(*more)
    returned = time.monotonic() - begun
    pod = system.first("pod", ready, since=begun)
    return {"operator ready": pod.at - begun, "helm returns": returned}


def applied(deployed: Deployed, manifest: dict[str, Any], seen: Watched) -> dict[str, float]:
    """From `kubectl apply` to Ready, by phase."""
    kubectl, begun = deployed.kubectl, time.monotonic()
    steps = Steps(begun)
    kubectl.apply(manifest)

    def first(kind: str, *tests: Any) -> Seen:
        return seen.first(kind, that(*tests), since=begun)

    steps.step("kubectl", first("moe", added).at)
    steps.step("operator begins", first("job", added).at)
    steps.step("fetch: start", first("pod", of("fetch"), running).at)
    steps.step("fetch: weights", first("job", complete).at)
    steps.step("plan", first("deployment", of("main"), added).at)
    main_ready = first("pod", of("main"), ready)
    _main_start(steps, kubectl, seen, begun, main_ready)
    steps.step("gateway ready later", first("pod", of("gateway"), ready).at)
    steps.step("status", first("moe", ready).at)
    return steps.seconds


def _main_start(
    steps: Steps, kubectl: Kubectl, seen: Watched, begun: float, main_ready: Seen
) -> None:
    """The main pod's own phases, as it tells them itself."""
    asked, told = time.monotonic(), activity(kubectl, main_ready.name, API)
    own_ready = (asked + time.monotonic()) / 2 - told["idle_seconds"]
    own = sum(told["phases"].values())
    main = that(of("main"), lambda pod: pod.name == main_ready.name)
    steps.step("main: pod made", seen.first("pod", main, since=begun).at)
    steps.step("main: schedule", seen.first("pod", that(main, placed), since=begun).at)
    steps.step("main: sandbox, image", own_ready - own)
    for name, seconds in told["phases"].items():
        steps.lasted(f"main: {name}", seconds)
    steps.step("main: probe", main_ready.at)


@contextlib.contextmanager
def client_of(kubectl: Kubectl) -> Iterator[OpenAI]:
    with (
        reached(kubectl, "remoe-gateway") as address,
        OpenAI(
            base_url=f"http://{address}/v1", api_key="none", timeout=300, max_retries=0
        ) as client,
    ):
        yield client


def gateways(kubectl: Kubectl) -> Gateways:
    labels = {"app.kubernetes.io/component": "gateway"}
    pods = kubectl.list("pods", labels=labels)
    ready_ones = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
    return Gateways(kubectl, [pod["metadata"]["name"] for pod in ready_ones])


def asked_asleep(
    deployed: Deployed, client: OpenAI, seen: Watched
) -> tuple[float, dict[str, float], dict[str, float]]:
    """Seconds to the first token from all asleep; of main's and of functions' wakes, by phase."""
    deployed.wait_asleep(IDLE_TIMEOUT + 60)
    told, begun = gateways(deployed.kubectl), time.monotonic()
    answer = ask(client, deployed.model, max_tokens=24)
    seen.first("pod", that(of("function"), ready), since=begun, seconds=60)
    time.sleep(TOLD_SECONDS)
    growth, _ = told.since()
    phases = start_phases(growth, "main")
    phases.pop("total", None)
    waited, _ = held(growth)
    whole = {**phases, REST: waited - sum(phases.values())}
    whole["gateway, prefill, first token"] = answer.first_token_seconds - waited
    return answer.first_token_seconds, whole, start_phases(growth, "functions")


def asked_half_asleep(deployed: Deployed, client: OpenAI, seen: Watched) -> dict[str, float]:
    """Functions asleep, main awake: first token, first function up."""
    deployed.wait_functions_asleep(KEEP_ALIVE + 40)
    begun = time.monotonic()
    answer = ask(client, deployed.model, max_tokens=64)
    up = seen.first("pod", that(of("function"), ready), since=begun, seconds=60)
    return {
        "functions asleep": answer.first_token_seconds,
        "functions asleep: until a function is ready": up.at - begun,
    }


def warm(deployed: Deployed, client: OpenAI) -> float:
    """The median of a few requests while everything is awake."""
    until(lambda: ask(client, deployed.model).account["functions"], 90, "functions take part")
    found = sorted(ask(client, deployed.model).first_token_seconds for _ in range(WARM_REQUESTS))
    return found[len(found) // 2]


def manifest_of(file: Path) -> dict[str, Any]:
    """The example, changed so that it sleeps soon."""
    return example(
        file,
        experts={"keepAlive": f"{KEEP_ALIVE}s"},
        main={"idleTimeout": f"{IDLE_TIMEOUT}s"},
    )


def live(file: Path, chart: Chart, rooms: Any, seen: Watched, system: Watched, *more: str) -> Life:
    """One life, from nothing to nothing."""
    kubectl, life, manifest = Kubectl(namespace=chart.served), Life(), manifest_of(file)
    deployed = Deployed(kubectl=kubectl, name=manifest["metadata"]["name"])
    rooms.make(chart.served, f"{deployed.name}-data")
    try:
        life.install = installed(chart, system, *more)
        life.applied = applied(deployed, manifest, seen)
        with client_of(kubectl) as client:
            life.applied["first answer"] = ask(client, deployed.model).first_token_seconds
            _ask(life, deployed, client, seen)
        life.prints = printed(kubectl)
        kubectl.delete("moeservice", deployed.name)
        until(lambda: not deployed.pods, 90, "nothing is left")
    finally:
        chart.uninstall()
    return life


def _ask(life: Life, deployed: Deployed, client: OpenAI, seen: Watched) -> None:
    life.first_token["warm"] = warm(deployed, client)
    life.memory = memory(deployed.kubectl)
    life.first_token |= asked_half_asleep(deployed, client, seen)
    first, life.from_asleep, life.functions = asked_asleep(deployed, client, seen)
    life.first_token["all asleep"] = first


def printed(kubectl: Kubectl) -> dict[str, str]:
    """What a user sees of it."""
    of_services = "involvedObject.kind=MoEService"
    events = ("get", "events", "--sort-by=.lastTimestamp", f"--field-selector={of_services}")
    wide = ("get", "moeservices", "--output=wide")
    return {"kubectl " + " ".join(words): kubectl(*words) for words in (wide, events)}
