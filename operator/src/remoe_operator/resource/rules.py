"""What no type can say: rules between fields, checked by the API server before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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


RULES: Mapping[str, tuple[Rule, ...]] = {
    "model": (
        Rule(
            rule="!has(self.revision) || self.uri.startsWith('hf://')",
            message="revision is allowed for hf:// models only",
            field=".revision",
        ),
        Rule(
            rule="!has(self.tokenSecret) || self.uri.startsWith('hf://')",
            message="tokenSecret is allowed for hf:// models only",
            field=".tokenSecret",
        ),
        Rule(
            rule="!self.uri.startsWith('hf://') || self.uri.matches('^hf://[^/@]+/[^/@]+$')",
            message="an hf:// model is hf://org/name; the revision stands in revision",
            field=".uri",
        ),
        Rule(
            rule="!self.uri.startsWith('pvc://') || self.uri.matches('^pvc://[a-z0-9]([-a-z0-9.]*"
            "[a-z0-9])?(/[^/.][^/]*)*$')",
            message="a pvc:// model is pvc://claim or pvc://claim/path, without . or .. in it",
            field=".uri",
        ),
        Rule(
            rule="self.uri == oldSelf.uri",
            message="uri cannot be changed: create another MoEService for another model",
            field=".uri",
        ),
    ),
    "slo": tuple(
        Rule(
            rule=f"!has(self.{name}) || duration(self.{name}) > duration('0s')",
            message=f"{name} must be above zero",
            field=f".{name}",
        )
        for name in ("ttft", "tpot")
    ),
    "workload": (
        Rule(
            rule="self.promptTokens <= self.maxPromptTokens",
            message="maxPromptTokens must be at least promptTokens",
            field=".maxPromptTokens",
        ),
        Rule(
            rule="self.outputTokens <= self.maxOutputTokens",
            message="maxOutputTokens must be at least outputTokens",
            field=".maxOutputTokens",
        ),
    ),
    "main": (
        Rule(
            rule="self.minReplicas <= self.maxReplicas",
            message="maxReplicas must be at least minReplicas",
            field=".maxReplicas",
        ),
    ),
    "experts": (
        Rule(
            rule="quantity(self.minMemory).compareTo(quantity(self.maxMemory)) <= 0",
            message="maxMemory must be at least minMemory",
            field=".maxMemory",
        ),
        Rule(
            rule="self.tiers.all(tier, self.tiers.exists_one(other, other == tier))",
            message="tiers must not repeat itself",
            field=".tiers",
        ),
    ),
}
"""By the path of the object below `spec`."""
