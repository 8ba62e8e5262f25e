"""A value that the chart does not know, or cannot use, is refused before anything is rendered."""

import pytest
import yaml
from builders.chart import CHART, nested, template

OPEN = ("labels", "annotations", "podLabels", "podAnnotations", "nodeSelector", "affinity")


def sections(values, path=()):
    """Paths of every section whose keys are the chart's own."""
    yield path
    for name, value in values.items():
        if isinstance(value, dict) and name not in OPEN and path[-1:] != ("resources",):
            yield from sections(value, (*path, name))


SECTIONS = list(sections(yaml.safe_load((CHART / "values.yaml").read_text())))
# A chart around this one shares its globals with it, so those are not for us to refuse.
CLOSED = [path for path in SECTIONS if path != ("global",) and path[-2:-1] != ("resources",)]


@pytest.mark.parametrize("path", CLOSED, ids=lambda path: ".".join(path) or "top")
def test_an_unknown_key_is_refused(path):
    done = template(nested({"__".join((*path, "nonsense")): 1}))
    assert done.returncode != 0
    assert "'nonsense' not allowed" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("gateway__replicas", 0, "replicas"),
        ("gateway__replicas", "two", "replicas"),
        ("gateway__service__type", "Ingress", "type"),
        ("gateway__drainSeconds", 0, "drainSeconds"),
        ("gateway__url", "llm.example.com", "url"),
        ("image__main__pullPolicy", "Sometimes", "pullPolicy"),
        ("watchNamespaces", ["Team A"], "watchNamespaces"),
        ("watchNamespaces", ["a", "a"], "watchNamespaces"),
        ("imagePullSecrets", [{"nam": "x"}], "imagePullSecrets"),
        ("fullnameOverride", "x" * 41, "fullnameOverride"),
        ("operator__resources__requests", {"memory": "lots"}, "memory"),
        ("test__timeoutSeconds", 0, "timeoutSeconds"),
        ("monitoring__podMonitor__interval", "often", "interval"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(name, value, says):
    done = template(nested({name: value}))
    assert done.returncode != 0
    assert says in done.stderr
