"""What a user asks for: `spec` of a MoEService. Its defaults serve a small model on CPUs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from remoe_operator.resource.base import Duration, Name, Quantity, ResourceModel


class Dtype(StrEnum):
    """What the main model computes in."""

    AUTO = "auto"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


class Device(StrEnum):
    """Where the main model computes."""

    CPU = "cpu"
    GPU = "gpu"


class Tier(StrEnum):
    """Where experts may run; the planner's words."""

    LOCAL = "local"
    ALWAYS_ON = "always-on"
    ON_DEMAND = "on-demand"


class SecretKey(ResourceModel):
    """One key of a Secret in the service's namespace."""

    name: Name = Field(description="The Secret's name.")
    key: str = Field("token", min_length=1, max_length=253, description="The key in it.")


class StorageSpec(ResourceModel):
    """The claim that model weights are fetched into, once; not used for pvc:// models."""

    size: Quantity = Field("50Gi", description="Size of the claim.")
    storage_class_name: Name | None = Field(
        None, description="Storage class; the cluster's default where none is named."
    )
    access_mode: Annotated[str, Field(pattern="^ReadWrite(Once|Many)$")] = Field(
        "ReadWriteOnce",
        description="ReadWriteMany lets pods of several nodes map the weights.",
    )


class ModelSpec(ResourceModel):
    """The model to serve."""

    uri: Annotated[str, Field(pattern=r"^(hf|pvc|demo)://[^\s]*$", max_length=1024)] = Field(
        description=(
            "Where the weights are: hf://org/name, pvc://claim/path, or demo:// for the small "
            "model that comes with Remoe."
        )
    )
    revision: str | None = Field(
        None, max_length=255, description="Branch, tag or commit on the hub; hf:// only."
    )
    served_name: str | None = Field(
        None,
        max_length=200,
        description="What clients put in `model`; the resource's name where not given.",
    )
    dtype: Dtype = Field(Dtype.AUTO, description="Precision of the main model.")
    token_secret: SecretKey | None = Field(
        None, description="Access token for the hub, for gated or private models."
    )
    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=1024)] | None = Field(
        None, description="Another hub's address, for a mirror."
    )
    storage: StorageSpec = Field(StorageSpec(), description="Where fetched weights are kept.")


class SloSpec(ResourceModel):
    """The latency that the service promises; what is not given is not promised."""

    ttft: Duration | None = Field(None, description="Time to first token, such as 2s.")
    tpot: Duration | None = Field(None, description="Time per output token, such as 100ms.")
    percentile: float = Field(
        95, gt=0, lt=100, description="Percent of the requests that must stay inside."
    )


class WorkloadSpec(ResourceModel):
    """The requests to expect; hints for the planner, not limits."""

    prompt_tokens: int = Field(128, ge=1, description="Tokens of a typical prompt.")
    output_tokens: int = Field(200, ge=1, description="Tokens of a typical answer.")
    max_prompt_tokens: int = Field(512, ge=1, description="The longest prompt the SLO holds for.")
    max_output_tokens: int = Field(512, ge=1, description="The longest answer likewise.")
    requests_per_minute: float = Field(1, ge=0, description="Mean rate of requests.")
    concurrency: float = Field(1, ge=1, description="Requests answered at once, a mean.")


class PricesSpec(ResourceModel):
    """What a GiB of memory costs per second; the planner's defaults where not given."""

    main_gib_second: float | None = Field(None, ge=0, description="Main model's memory.")
    function_gib_second: float | None = Field(None, ge=0, description="Functions' memory.")
    gpu_gib_second: float | None = Field(None, ge=0, description="GPU memory.")
    call: float = Field(0, ge=0, description="One call of a function.")
    currency: str = Field("USD", min_length=1, max_length=16, description="What prices are in.")


class MainSpec(ResourceModel):
    """The main model's pods."""

    device: Device = Field(Device.CPU, description="Where it computes.")
    gpu_resource: str = Field(
        "nvidia.com/gpu", max_length=253, description="Resource that a GPU pod asks for."
    )
    cpu: Quantity | None = Field(None, description="CPU request; from the plan where not given.")
    memory_limit: Quantity | None = Field(None, description="The plan may give no more memory.")
    min_replicas: int = Field(0, ge=0, le=100, description="Replicas kept when idle.")
    max_replicas: int = Field(1, ge=1, le=100, description="Replicas at most.")
    idle_timeout: Duration = Field(
        "5m", description="How long an idle replica stays, where the minimum allows it to go."
    )
    max_batch: int = Field(8, ge=1, le=1024, description="Requests decoded together.")
    max_context: int | None = Field(
        None, ge=1, description="Tokens of prompt and answer; the model's own where not given."
    )
    pod_template: dict[str, Any] | None = Field(
        None,
        description=(
            "Merged over the pod that the operator makes (a strategic merge of metadata and spec)."
        ),
    )


class ExpertsSpec(ResourceModel):
    """Bounds on what the planner may choose for routed experts."""

    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=3)] = Field(
        (Tier.LOCAL, Tier.ALWAYS_ON, Tier.ON_DEMAND),
        description="Where experts may run.",
    )
    max_functions: int = Field(16, ge=1, le=256, description="Functions at most.")
    max_replicas: int = Field(2, ge=1, le=100, description="Replicas of each function at most.")
    min_memory: Quantity = Field("128Mi", description="Least memory of a function.")
    max_memory: Quantity = Field("16Gi", description="Most memory of a function.")
    keep_alive: Duration = Field("60s", description="How long an idle function stays.")
    pod_template: dict[str, Any] | None = Field(
        None, description="Merged over the functions' pods, as for the main model."
    )


class HistorySpec(ResourceModel):
    """The record of which experts prompts used, from which forecasts are made."""

    enabled: bool = Field(True, description="Record it. Prompts themselves are never stored.")
    max_size: Quantity = Field("256Mi", description="Disk it may take.")


class AuthSpec(ResourceModel):
    """Who may ask."""

    keys_secret: Name | None = Field(
        None,
        description="Secret whose keys are names and whose values are API keys; open without.",
    )


class MoEServiceSpec(ResourceModel):
    """One model, served."""

    model: ModelSpec = Field(description="The model to serve.")
    slo: SloSpec = Field(SloSpec(), description="The latency promised.")
    workload: WorkloadSpec = Field(WorkloadSpec(), description="The requests to expect.")
    prices: PricesSpec = Field(PricesSpec(), description="What memory costs.")
    main: MainSpec = Field(MainSpec(), description="The main model's pods.")
    experts: ExpertsSpec = Field(ExpertsSpec(), description="Bounds for routed experts.")
    history: HistorySpec = Field(HistorySpec(), description="The record of expert activations.")
    auth: AuthSpec = Field(AuthSpec(), description="Who may ask.")
    auto_apply: bool = Field(
        True, description="False: a new plan waits in status until it is approved."
    )
