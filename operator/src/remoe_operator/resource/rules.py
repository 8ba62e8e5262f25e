"""What no type can say: rules between fields, checked by the API server before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remoe_operator.resource.base import DURATION_PATTERN


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A CEL rule and the sentence that a user reads where it is broken.

    Attributes:
        rule: in CEL; `self` is the object at its path.
        message: names the fields, and what is allowed.
        field: the path, below the object, of the field to blame; the object itself where empty.
    """

    rule: str
    message: str
    field: str = ""

    def to_mapping(self) -> dict[str, Any]:
        blamed = {"fieldPath": self.field} if self.field else {}
        return {"rule": self.rule, "message": self.message} | blamed


def _lasting(name: str) -> Rule:
    """A duration that must be more than nothing, where it is given; its form is its type's."""
    return Rule(
        rule=f"!has(self.{name}) || !self.{name}.matches(r'{DURATION_PATTERN}') || "
        f"duration(self.{name}) > duration('0s')",
        message=f"{name} must be above zero",
        field=f".{name}",
    )


def _some(name: str) -> Rule:
    """A quantity that must be more than nothing, likewise."""
    return Rule(
        rule=f"!has(self.{name}) || !isQuantity(self.{name}) || "
        f"quantity(self.{name}).isGreaterThan(quantity('0'))",
        message=f"{name} must be above zero",
        field=f".{name}",
    )


def _at_most(lower: str, upper: str) -> Rule:
    """Two numbers in order, where both are given."""
    return Rule(
        rule=f"!has(self.{lower}) || !has(self.{upper}) || self.{lower} <= self.{upper}",
        message=f"{upper} must be at least {lower}",
        field=f".{upper}",
    )


def _kept(name: str, instead: str) -> Rule:
    """A field that stays as it was first given, or not given."""
    return Rule(
        rule=f"has(self.{name}) == has(oldSelf.{name}) && "
        f"(!has(self.{name}) || self.{name} == oldSelf.{name})",
        message=f"{name} cannot be changed: {instead}",
        field=f".{name}",
    )


def _hub_only(name: str) -> Rule:
    """A field that means nothing for models from elsewhere."""
    return Rule(
        rule=f"!has(self.{name}) || self.uri.startsWith('hf://')",
        message=f"{name} is allowed for hf:// models only",
        field=f".{name}",
    )


_OUR_LABELS = Rule(
    rule="!has(self.labels) || self.labels.all(label, !label.startsWith('remoe.dev/') && "
    "!label.startsWith('app.kubernetes.io/'))",
    message="labels of remoe.dev and app.kubernetes.io are the operator's and cannot be given",
    field=".labels",
)

RESOURCE_RULES: tuple[Rule, ...] = (
    Rule(
        rule="self.metadata.name.size() <= 40",
        message="metadata.name must have 40 characters at most, so that the names of its pods fit",
    ),
    Rule(
        rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message="metadata.name must begin with a letter and have lower-case letters, digits and - "
        "only, as its Services do",
    ),
)
"""Of the resource as a whole."""

RULES: Mapping[str, tuple[Rule, ...]] = {
    "model": (
        _hub_only("revision"),
        _hub_only("tokenSecret"),
        _hub_only("endpoint"),
        Rule(
            rule="!self.uri.startsWith('hf://') || self.uri.matches('^hf://"
            "[A-Za-z0-9][-A-Za-z0-9._]*/[A-Za-z0-9][-A-Za-z0-9._]*$')",
            message="uri of an hf:// model is hf://org/name; the revision stands in revision",
            field=".uri",
        ),
        Rule(
            rule="!self.uri.startsWith('pvc://') || self.uri.matches('^pvc://[a-z0-9]([-a-z0-9.]*"
            "[a-z0-9])?(/[^/.][^/]*)*$')",
            message="uri of a pvc:// model is pvc://claim or pvc://claim/path, without . or .. in "
            "it",
            field=".uri",
        ),
        Rule(
            rule="!self.uri.startsWith('demo://') || self.uri == 'demo://'",
            message="uri of the demo model is demo:// alone",
            field=".uri",
        ),
        Rule(
            rule="self.uri == oldSelf.uri",
            message="uri cannot be changed: create another MoEService for another model",
            field=".uri",
        ),
        _kept("revision", "create another MoEService for another revision"),
    ),
    "model.storage": (
        _some("size"),
        Rule(
            rule="!has(self.size) || !has(oldSelf.size) || !isQuantity(self.size) || "
            "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
            message="size cannot be made smaller: a claim only grows",
            field=".size",
        ),
        _kept("storageClassName", "a claim keeps its class"),
        _kept("accessMode", "a claim keeps its access mode"),
    ),
    "slo": tuple(_lasting(name) for name in ("ttft", "tpot")),
    "workload": (
        _at_most("promptTokens", "maxPromptTokens"),
        _at_most("outputTokens", "maxOutputTokens"),
    ),
    "main": (
        _at_most("minReplicas", "maxReplicas"),
        _some("cpu"),
        _some("memoryLimit"),
        _lasting("idleTimeout"),
    ),
    "main.podTemplate.metadata": (_OUR_LABELS,),
    "experts": (
        _some("minMemory"),
        _some("cpu"),
        Rule(
            rule="!isQuantity(self.minMemory) || !isQuantity(self.maxMemory) || "
            "quantity(self.minMemory).compareTo(quantity(self.maxMemory)) <= 0",
            message="maxMemory must be at least minMemory",
            field=".maxMemory",
        ),
        Rule(
            rule="self.tiers.all(tier, self.tiers.exists_one(other, other == tier))",
            message="tiers must not repeat itself",
            field=".tiers",
        ),
    ),
    "experts.podTemplate.metadata": (_OUR_LABELS,),
    "history": (_some("maxSize"),),
}
"""By the path of the object below `spec`."""
