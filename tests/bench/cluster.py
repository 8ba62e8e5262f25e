"""The life of a service on a cluster in figures: how long everything takes, how much it takes.

    KUBECONFIG=FILE python tests/bench/cluster.py [--rounds N] [--namespace NAME] [--charts DIR]
        [--example FILE] [--image-prefix P] [--image-tag T] [--set NAME=VALUE ...]
        [--builder buildah|podman|docker]

On a cluster whose nodes have the images, and beside whatever else is there: every round installs
the chart for a namespace of its own, applies an example, asks it warm, with functions asleep and
with everything asleep, and takes it all away. With --builder the images' sizes too (minutes: they
are compressed as a registry would). Markdown on standard output: medians, and least to most.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import cluster_asked
import e2e.rooms
from cluster_life import REST, Chart, Life, live
from cluster_seen import Watched
from e2e.kubectl import Kubectl
from e2e.release import CHART, KEYS, ROOT, image, namespace

DEFINITION = "moeservices.remoe.dev"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="lives lived")
    parser.add_argument("--namespace", default="remoe-bench", help="for the service; made, deleted")
    parser.add_argument("--charts", type=Path, default=CHART.parent, help="folder of the chart")
    parser.add_argument("--example", type=Path, default=ROOT / "examples/demo.yaml")
    parser.add_argument("--image-prefix", help="before the keys in names; localhost/remoe")
    parser.add_argument("--image-tag", help="the packages' version where it is not given")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value of the chart",
    )
    parser.add_argument("--builder", choices=["buildah", "podman", "docker"])
    return parser.parse_args()


@contextlib.contextmanager
def rooms_and_namespaces(served: str, system: str) -> Iterator[e2e.rooms.Rooms]:
    kubectl = Kubectl(namespace=served)
    kubectl.apply(namespace(served), namespace(system))
    rooms = e2e.rooms.Rooms(image("fetch"), namespace=f"{served}-rooms")
    try:
        yield rooms
    finally:
        kubectl("delete", "namespace", served, system, "--timeout=120s", seconds=130)
        rooms.close()


def lives(given: argparse.Namespace) -> list[Life]:
    system = f"{given.namespace}-system"
    chart = Chart(folder=given.charts / "remoe", namespace=system, served=given.namespace)
    with rooms_and_namespaces(given.namespace, system) as rooms:
        there = Kubectl(namespace=system).get("crd", DEFINITION)
        more = [word for value in given.set for word in ("--set", value)]
        more += ["--set", f"crds.install={'false' if there else 'true'}"]
        seen, operators = Watched(given.namespace), Watched(system)
        seen.start()
        operators.start("pod")
        found = []
        for number in range(given.rounds):
            print(f"life {number + 1} of {given.rounds}", file=sys.stderr, flush=True)
            found.append(live(given.example, chart, rooms, seen, operators, *more))
        return found


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def figures(found: list[Life], of: Callable[[Life], dict[str, float]], *, total: str = "") -> None:
    """Medians and ranges of every phase; with `total`, of each life's sum too."""
    made = [of(life) | ({total: sum(of(life).values())} if total else {}) for life in found]
    rows = []
    for name in dict.fromkeys(name for each in made for name in each):
        values = [each[name] for each in made if name in each]
        middle = f"{statistics.median(values):.2f}"
        rows.append((name, middle, f"{min(values):.2f} to {max(values):.2f}"))
    table(("", "median, s", "range, s"), rows)


def explained(found: list[Life]) -> float:
    """The least share of a hold that the product's own phases explain."""
    shares = []
    for life in found:
        *held, _ = life.from_asleep.items()  # but the first token's own time
        rest = dict(held)[REST]
        shares.append(1.0 - abs(rest) / sum(seconds for _, seconds in held))
    return min(shares)


def print_memory(found: list[Life]) -> None:
    rows = [
        (pod, f"{whole / 2**20:.0f}", f"{resident / 2**20:.0f}")
        for pod, (whole, resident) in sorted(found[-1].memory.items())
    ]
    table(("pod", "working set, MiB", "resident, not of files, MiB"), rows)


def print_images(builder: str) -> None:
    rows = []
    for key in KEYS:
        whole, packed = cluster_asked.image_bytes(builder, image(key))
        rows.append((key, f"{whole / 1e6:.0f}", f"{packed / 1e6:.0f}"))
    table(("image", "MB", "compressed, MB"), rows)


def main() -> None:
    given = options()
    for name, value in (("IMAGE_PREFIX", given.image_prefix), ("IMAGE_VERSION", given.image_tag)):
        if value:
            os.environ[name] = value
    try:
        found = lives(given)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}\n{error.stderr}") from error
    print(f"# A life on a cluster, {len(found)} times\n")
    print("## From `helm install`\n")
    figures(found, lambda life: life.install)
    print("## From `kubectl apply` to Ready, and a first answer\n")
    figures(found, lambda life: life.applied, total="**all**")
    print("## From a request to its first token\n")
    figures(found, lambda life: life.first_token)
    print("## From a request to its first token, all asleep, as the gateway tells it\n")
    figures(found, lambda life: life.from_asleep, total="**all**")
    print(f"Told phases explain {explained(found):.0%} of the time that the request was held.\n")
    print("## Start of a function, as the gateway tells it\n")
    figures(found, lambda life: life.functions)
    print("## Memory, everything awake\n")
    print_memory(found)
    if given.builder:
        print("## Images\n")
        print_images(given.builder)
    for command, text in found[-1].prints.items():
        print(f"```\n$ {command}\n{text}```\n")


if __name__ == "__main__":
    main()
