"""The CustomResourceDefinition, made from the types so that the two cannot drift."""

from __future__ import annotations

from typing import Any

from remoe_operator.resource.rules import RESOURCE_RULES, RULES
from remoe_operator.resource.spec import MoEServiceSpec
from remoe_operator.resource.status import MoEServiceStatus
from remoe_operator.resource.structural import Schema, structural
from remoe_operator.resource.wording import explained

GROUP = "remoe.dev"
VERSION = "v1alpha1"
KIND = "MoEService"
PLURAL = "moeservices"


def definition() -> dict[str, Any]:
    """The whole definition as it is applied."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["moe"],
                "categories": ["all"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.main.minReplicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [
            _column("Model", ".spec.model.uri"),
            _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            _column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
            _column("URL", ".status.url"),
            _column("Cost/h", ".status.measuredCostPerHour"),
            _column("Planned/h", ".status.plan.costPerHour", wide=True),
            _column("Functions", ".status.plan.functions", wide=True, kind="integer"),
            _column("Age", ".metadata.creationTimestamp", kind="date"),
        ],
    }


def _schema() -> Schema:
    spec = explained(structural(MoEServiceSpec.model_json_schema()))
    spec["description"] = "What is asked for."
    for path, rules in RULES.items():
        _at(spec, path)["x-kubernetes-validations"] = [rule.to_mapping() for rule in rules]
    status = structural(MoEServiceStatus.model_json_schema())
    status["description"] = "What is so; written by the operator alone."
    conditions = status["properties"]["conditions"]
    conditions |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return {
        "type": "object",
        "description": "A Mixture-of-Experts model, served with rarely used experts in functions.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
        "x-kubernetes-validations": [rule.to_mapping() for rule in RESOURCE_RULES],
    }


def _at(schema: Schema, path: str) -> Schema:
    for name in filter(None, path.split(".")):
        schema = schema["properties"][name]
    return schema


def _column(name: str, path: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if wide else {})
