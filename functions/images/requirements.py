"""Prints what packages need from the index, by their pyproject.toml, for pip to install from.

    requirements.py PYPROJECT[extra,...] ... [--without NAME ...]

Images install the dependencies of our packages before, and apart from, the packages: a change of
code alone then builds no such layer again. Our own packages are never printed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

OURS = "remoe-"


def needed(pyproject: Path, extras: list[str]) -> Iterator[str]:
    """The requirements of a package and of its extras, with those that extras refer to."""
    project = tomllib.loads(pyproject.read_text())["project"]
    yield from project.get("dependencies", [])
    for extra in extras:
        for requirement in project["optional-dependencies"][extra]:
            if own := re.fullmatch(rf"{project['name']}\[(.+)\]", requirement):
                yield from needed(pyproject, own[1].split(","))
            yield requirement


def name_of(requirement: str) -> str:
    """The bare name that a requirement begins with."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def main() -> None:
    """Print one requirement a line, each once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", metavar="PYPROJECT[extra,...]")
    parser.add_argument("--without", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    found: set[str] = set()
    for package in options.packages:
        path, _, extras = package.partition("[")
        found |= set(needed(Path(path), [name for name in extras.rstrip("]").split(",") if name]))
    left = {r for r in found if name_of(r) not in options.without and not r.startswith(OURS)}
    sys.stdout.writelines(f"{requirement}\n" for requirement in sorted(left))


if __name__ == "__main__":
    main()
