"""Dashboard and alerts ask for nothing that nobody exports."""

import json
import re
from types import SimpleNamespace

import pytest
import yaml
from builders.chart import CHART, of_kind, one, rendered
from prometheus_client import CollectorRegistry

from remoe_functions.expert.meter import Meter
from remoe_functions.expert.metrics import FunctionCollector
from remoe_functions.gateway.cold_starts import ColdStarts
from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.standing_cost import StandingCost
from remoe_functions.main.metrics import MainCollector
from remoe_operator.controller.metrics import Metrics as OperatorMetrics

DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
RULES = yaml.safe_load((CHART / "files/rules.yaml").read_text())
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
# Prometheus' and the pods' own, set by relabeling wherever the chart's monitors are used.
TARGET_LABELS = {"namespace", "pod", "app_kubernetes_io_component", "remoe_dev_service", "le"}


def gateways():
    metrics = Metrics()
    StandingCost({}, metrics)
    ColdStarts({}, metrics.registry)
    return metrics.registry


def mains():
    engine = SimpleNamespace(running=[], waiting=[], cache_usage=0.0, steps=0)
    caller = SimpleNamespace(calls={}, retries={}, given_up={})
    totals = SimpleNamespace(prompt=0, generated=0, finished={}, places={})
    made = CollectorRegistry()
    made.register(MainCollector("m", engine, caller, SimpleNamespace(seconds={}), totals, {}))
    return made


def functions():
    made = CollectorRegistry()
    made.register(FunctionCollector("f", "numpy", Meter(1), lambda: 0, dict))
    return made


def exported(registry):
    """Every sample's name, whether or not there is a sample yet, and the labels it may have."""
    families = {family.name: family for family in registry.collect()}
    return {
        f"{name}{suffix}" for name, family in families.items() for suffix in SUFFIXES[family.type]
    }


def operators():
    return OperatorMetrics().registry


PARTS = (gateways, mains, functions, operators)
EXPORTED = set().union(*(exported(made()) for made in PARTS))


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions():
    yield from (target["expr"] for panel in panels() for target in panel["targets"])
    yield from (rule["expr"] for group in RULES["groups"] for rule in group["rules"])
    yield from (
        variable["query"]["query"]
        for variable in DASHBOARD["templating"]["list"]
        if variable["type"] == "query"
    )


def asked(expression):
    """Names of metrics: words before a brace or a range, and those with a colon or our prefix."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    named = re.findall(r"([a-zA-Z_][\w:]*)\s*[{\[]", bare)
    ours = re.findall(r"\b((?:remoe|vllm|llm)[_:][\w:]+)", bare)
    return {name for name in (*named, *ours) if name not in TARGET_LABELS}


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_that_is_asked_for_exists(expression):
    assert asked(expression)
    assert asked(expression) - EXPORTED == set()


def test_every_panel_says_how_to_read_it_and_overlaps_no_other():
    places = set()
    for panel in panels():
        assert panel["description"].endswith(".")
        assert panel["targets"]
        box = panel["gridPos"]
        places.add((box["x"], box["y"]))
        assert box["x"] + box["w"] <= 24
    assert len(places) == len(panels())
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_every_alert_says_what_to_look_at():
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("info", "warning", "critical")
            assert len(rule["annotations"]["description"]) > 40
            assert rule["for"]


def test_grafana_finds_the_dashboard_by_its_label():
    made = rendered(monitoring__dashboard__enabled=True)
    config = one(made, "ConfigMap", "remoe-dashboard")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(config["data"]["remoe.json"]) == DASHBOARD


def test_rules_reach_prometheus_as_they_are_written():
    made = rendered(monitoring__rules__enabled=True)
    assert one(made, "PrometheusRule")["spec"] == RULES


def test_monitors_find_what_the_operator_makes_and_nothing_that_has_no_metrics():
    operator, services = of_kind(rendered(monitoring__podMonitor__enabled=True), "PodMonitor")
    assert operator["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    assert services["spec"]["namespaceSelector"] == {"any": True}
    (picked,) = services["spec"]["selector"]["matchExpressions"]
    assert picked["values"] == ["gateway", "main", "function"]


def test_monitors_look_where_the_operator_looks():
    made = rendered(monitoring__podMonitor__enabled=True, watchNamespaces=["team-a"])
    _, services = of_kind(made, "PodMonitor")
    assert services["spec"]["namespaceSelector"] == {"matchNames": ["team-a"]}
