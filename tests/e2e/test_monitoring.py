"""A real Prometheus reads every part, and every panel of the dashboard has something to show."""

import itertools
import json
import time

import pytest
from e2e import prometheus
from e2e.asking import ask
from e2e.kubectl import Kubectl
from e2e.release import CHART
from e2e.waiting import until
from openai import OpenAI

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAME = "watched"
PARTS = {"operator", "gateway", "main", "function"}
ROUNDS, ASLEEP_SECONDS, IDLE_SECONDS, SCRAPED_SECONDS = 3, 60, 90, 90
WINDOW = "10m"
# These have something to say only when something goes wrong, or waits for a person.
QUIET = {"Answers carried over", "Computed by the main model instead", "Functions woken"}
PANELS = [
    panel
    for panel in json.loads((CHART / "files/dashboard.json").read_text())["panels"]
    if panel["type"] != "row"
]


@pytest.fixture(scope="module")
def watched(deploy):
    """A service that promises something, and that sleeps soon."""
    if prometheus.binary() is None:
        pytest.skip(
            "prometheus is not here: tests/e2e/bring_prometheus unpacks Debian's into .cache, "
            "and any on PATH will do"
        )
    watched = deploy(
        "demo.yaml",
        name=NAME,
        slo={"ttft": "30s", "tpot": "2s"},
        experts={"keepAlive": "5s"},
        main={"idleTimeout": "20s"},
    )
    watched.wait_ready()
    yield watched
    watched.kubectl.delete("moeservice", watched.name)


@pytest.fixture(scope="module")
def seen(watched, release, tmp_path_factory):
    """Prometheus, and what it scraped while a service woke, answered and slept a few times."""
    kubectls = (watched.kubectl, Kubectl(namespace=release.namespace))
    with prometheus.running(tmp_path_factory.mktemp("prometheus")) as running:

        def look():
            running.look([pod for kubectl in kubectls for pod in kubectl.list("pods")])

        yield running, _live(watched, running, look)


def _live(watched, running, look):
    """Parts that were scraped, and the errors of those that could not be, while prompts came."""
    up, errors = set(), set()

    def observe():
        look()
        time.sleep(2 * prometheus.SCRAPE_SECONDS)
        for target in running.targets():
            up.update({_part(target)} if target["health"] == "up" else ())
            errors.update({(_part(target), target["lastError"])} if _refused(target) else ())

    address = watched.kubectl.get("service", "remoe-gateway")["spec"]["clusterIP"]
    with OpenAI(base_url=f"http://{address}/v1", api_key="none", max_retries=0) as client:
        for turn in range(ROUNDS):
            observe()
            ask(client, watched.model, f"Tell me {turn + 2} things about rivers.")
            ask(client, watched.model, f"And {turn + 2} about hills.")
            observe()
            if turn == 0:
                until(lambda: not watched.main_replicas, IDLE_SECONDS, f"{NAME} sleeps")
            elif turn < ROUNDS - 1:
                watched.wait_functions_asleep(ASLEEP_SECONDS)
        # Prometheus takes new targets over every few seconds, and a function may sleep by then.
        turns = itertools.count(ROUNDS + 2)

        def all_scraped():
            ask(client, watched.model, f"Tell me {next(turns)} things about lakes.")
            observe()
            return up >= PARTS

        until(all_scraped, SCRAPED_SECONDS, f"{sorted(PARTS)} are scraped, not only {sorted(up)}")
    return up, errors


def _part(target):
    return target["labels"].get("app_kubernetes_io_component")


def _refused(target):
    """Whether it was there and did not let itself be read; who comes or goes may refuse."""
    return "server returned HTTP status" in target["lastError"]


def test_every_part_is_scraped_as_the_page_says(seen):
    _, (up, errors) = seen
    assert up >= PARTS
    assert errors == set()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_has_something_to_show(seen, watched, panel):
    running, _ = seen
    asked = [_filled(target["expr"], watched.kubectl.namespace) for target in panel["targets"]]
    answers = [running.ask(expression) for expression in asked]
    if panel["title"] not in QUIET:
        assert any(answers), asked


def test_what_users_look_at_first_are_numbers(seen, watched):
    running, _ = seen
    for title in ("Time to first token", "Time per output token", "Cost per hour", "Functions"):
        panel = next(panel for panel in PANELS if panel["title"] == title)
        for target in panel["targets"]:
            (line,) = running.ask(_filled(target["expr"], watched.kubectl.namespace))
            assert float(line["value"][1]) >= 0, target["expr"]


def _filled(expression, namespace):
    """The expression as Grafana would ask it, all models chosen."""
    filled = expression.replace("$namespace", namespace).replace("$model", NAME)
    return filled.replace("$__rate_interval", WINDOW)
