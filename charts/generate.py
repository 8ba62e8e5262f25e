"""Writes what in the chart is made from something else: the definition, the README, the dashboard.

`generate.py` writes them, `generate.py --check` names those that are stale and exits 1. By hand
because helm-docs is a program of Go's, and nothing else knows our types.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from dashboard import dashboard

from remoe_operator.resource.definition import definition

CHART = Path(__file__).parent / "remoe"
_WIDTH = 100
_KEEP = """{{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}"""


def crd_template() -> str:
    """The definition as a template, so that upgrading the chart upgrades it, too."""
    made = definition()
    made["metadata"] = {"name": made["metadata"]["name"], "labels": "LABELS", "annotations": "KEEP"}
    text = yaml.safe_dump(made, sort_keys=False, width=_WIDTH)
    if "{{" in text:
        raise ValueError("the definition has {{ in it, which Helm would take for its own")
    text = text.replace("labels: LABELS", 'labels: {{- include "remoe.labels" . | nindent 4 }}')
    text = text.replace("annotations: KEEP", _KEEP)
    return (
        "{{- if .Values.crds.install }}\n# Made by charts/generate.py from the operator's types.\n"
        f"{text}{{{{- end }}}}\n"
    )


def readme() -> str:
    """The chart's page: its head is written by hand, its table comes from values' comments."""
    head = (CHART / "README.head.md").read_text()
    rows = [f"| `{name}` | {said} | `{default}` |" for name, said, default in described_values()]
    return "\n".join(
        [
            head.rstrip(),
            "",
            "## Values",
            "",
            "| value | what it is | default |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def described_values() -> Iterator[tuple[str, str, str]]:
    """Name, comment and default of every value whose comment begins with `# --`."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name, said in _comments((CHART / "values.yaml").read_text().splitlines()):
        default = values
        for step in name.split("."):
            default = default[step]
        yield name, said.replace("|", "\\|"), json.dumps(default)


def _comments(lines: list[str]) -> Iterator[tuple[str, str]]:
    path: list[str] = []
    said: list[str] = []
    for line in lines:
        if comment := re.match(r"\s*# ?(-- )?(.*)", line):
            said = [comment[2]] if comment[1] else said and [*said, comment[2]]
        elif key := re.match(r"( *)([\w-]+):", line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if said:
                yield ".".join(path), " ".join(said)
            said = []
        else:
            said = []


def made() -> dict[Path, str]:
    """Every file that is made, and what belongs into it."""
    return {
        CHART / "templates/crd/moeservices.yaml": crd_template(),
        CHART / "files/dashboard.json": json.dumps(dashboard(), indent=1) + "\n",
        CHART / "README.md": readme(),
    }


def main() -> int:
    """Write, or check; the exit status."""
    stale = {
        path: text for path, text in made().items() if not path.exists() or path.read_text() != text
    }
    checked = "--check" in sys.argv[1:]
    for path, text in stale.items():
        if not checked:
            path.write_text(text)
        sys.stdout.write(f"{path}: {'stale, run make chart' if checked else 'written'}\n")
    return 1 if checked and stale else 0


if __name__ == "__main__":
    sys.exit(main())
