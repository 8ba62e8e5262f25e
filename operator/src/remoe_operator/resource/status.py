"""What a user is told: `status` of a MoEService. Written by the operator alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from remoe_operator.resource.base import ResourceModel


class ConditionType(StrEnum):
    """What can be true of a service, each on its own; `Ready` sums them up."""

    READY = "Ready"
    MODEL_FETCHED = "ModelFetched"
    PLANNED = "Planned"
    MAIN_AVAILABLE = "MainAvailable"
    FUNCTIONS_HEALTHY = "FunctionsHealthy"
    GATEWAY_AVAILABLE = "GatewayAvailable"


class ConditionStatus(StrEnum):
    """As in every Kubernetes condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ResourceModel):
    """One statement about the service."""

    type: ConditionType = Field(description="What is stated.")
    status: ConditionStatus = Field(description="Whether it is so.")
    reason: str = Field(max_length=128, description="Why, in one CamelCase word.")
    message: str = Field(max_length=4096, description="Why, in a sentence.")
    observed_generation: int = Field(ge=0, description="The spec's generation it is about.")
    last_transition_time: str = Field(max_length=64, description="When the status last changed.")


class PlanSummary(ResourceModel):
    """The plan that is carried out, or waits for approval."""

    digest: str = Field(max_length=64, description="Tells one plan from another.")
    method: str = Field(max_length=64, description="How it was made.")
    experts: int = Field(ge=0, description="Routed experts of the model.")
    remote_experts: int = Field(ge=0, description="Experts that run in functions.")
    functions: int = Field(ge=0, description="Expert functions.")
    main_memory: str = Field(max_length=32, description="Memory of the main model.")
    function_memory: str = Field(max_length=32, description="Memory of all functions, awake.")
    ttft: str | None = Field(
        None,
        max_length=32,
        description="Expected time to first token: at the SLO's percentile where it is promised, "
        "else a mean with everything awake.",
    )
    tpot: str | None = Field(
        None, max_length=32, description="Expected time per output token, likewise."
    )
    load: str | None = Field(
        None,
        max_length=64,
        description="What the expected requests ask of what the main model can do, at its most "
        "replicas.",
    )
    cost_per_hour: str | None = Field(None, max_length=64, description="Expected cost.")
    cost_per_million_tokens: str | None = Field(None, max_length=64, description="Expected cost.")
    binding: Annotated[tuple[str, ...], Field(max_length=16)] = Field(
        (), description="The constraints that keep it from being cheaper."
    )
    shortfalls: Annotated[tuple[str, ...], Field(max_length=8)] = Field(
        (), description="The promises that it does not keep, and the best that can be had."
    )
    reasons: Annotated[tuple[str, ...], Field(max_length=64)] = Field(
        (), description="Why it is as it is."
    )


class FetchProgress(ResourceModel):
    """How far the model's weights have come."""

    bytes_done: int = Field(ge=0, description="Bytes on the claim.")
    bytes_total: int = Field(ge=0, description="Bytes of all files.")
    revision: str | None = Field(None, max_length=255, description="The commit that was resolved.")


class PartState(ResourceModel):
    """What one child is doing."""

    name: str = Field(max_length=253, description="The child's name.")
    kind: str = Field(max_length=64, description="gateway, main or function.")
    desired: int = Field(ge=0, description="Replicas wanted; zero is healthy for a function.")
    ready: int = Field(ge=0, description="Replicas that answer.")
    trouble: str | None = Field(None, max_length=1024, description="What is wrong, in words.")


class ScalingEvent(ResourceModel):
    """One change of a part's replicas."""

    time: str = Field(max_length=64, description="When.")
    part: str = Field(max_length=253, description="Which part.")
    before: int = Field(ge=0, description="Replicas before.")
    after: int = Field(ge=0, description="Replicas after.")


class MoEServiceStatus(ResourceModel):
    """The state of one served model."""

    observed_generation: int | None = Field(None, description="The spec's generation seen.")
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = Field(
        (), description="What is true of the service."
    )
    url: str | None = Field(None, max_length=1024, description="Base address for OpenAI clients.")
    model: str | None = Field(None, max_length=200, description="What clients put in `model`.")
    fetch: FetchProgress | None = Field(None, description="How far the weights have come.")
    plan: PlanSummary | None = Field(None, description="The plan that is carried out.")
    proposed_plan: PlanSummary | None = Field(
        None, description="A plan that waits for approval (autoApply: false)."
    )
    measured_cost_per_hour: str | None = Field(
        None, max_length=64, description="Cost of what is awake now."
    )
    parts: Annotated[tuple[PartState, ...], Field(max_length=300)] = Field(
        (), description="What each child is doing."
    )
    scaling: Annotated[tuple[ScalingEvent, ...], Field(max_length=32)] = Field(
        (), description="The latest changes of replicas."
    )
    replicas: int = Field(0, ge=0, description="Replicas of the main model, for /scale.")
    selector: str | None = Field(
        None, max_length=1024, description="Label selector of the main model's pods, for /scale."
    )
