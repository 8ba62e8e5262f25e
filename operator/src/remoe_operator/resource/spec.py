"""What a user asks for: `spec` of a MoEService. Its defaults serve a small model on CPUs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from remoe_operator.resource.base import Cpu, Duration, Memory, Name, ResourceModel
from remoe_operator.resource.pod_template import PodTemplate
from remoe_planner.billing import Billing


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


class AccessMode(StrEnum):
    """Who may mount a claim."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"


class SecretKey(ResourceModel):
    """One key of a Secret in the service's namespace."""

    name: Name = Field(description="The Secret's name.")
    key: str = Field("token", min_length=1, max_length=253, description="The key in it.")


class ConfigMapKey(ResourceModel):
    """One key of a ConfigMap in the service's namespace."""

    name: Name = Field(description="The ConfigMap's name.")
    key: str = Field("profile.json", min_length=1, max_length=253, description="The key in it.")


class StorageSpec(ResourceModel):
    """The claim that model weights are fetched into, once; of pvc:// models for history alone."""

    size: Memory | None = Field(
        None,
        description=(
            "Size of the claim for fetched weights, which may grow later; 50Gi where not given, "
            "and 4Gi for demo://. For pvc:// it is history.maxSize."
        ),
    )
    storage_class_name: Name | None = Field(
        None, description="Storage class; the cluster's default where none is named."
    )
    access_mode: AccessMode = Field(
        AccessMode.READ_WRITE_ONCE,
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
    revision: Annotated[str, Field(pattern=r"^[^\s]+$", max_length=255)] | None = Field(
        None, description="Branch, tag or commit on the hub; hf:// only. It cannot be changed."
    )
    served_name: Annotated[str, Field(pattern=r"^[^\s]+$", max_length=200)] | None = Field(
        None, description="What clients put in `model`; the resource's name where not given."
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

    ttft: Duration | None = Field(None, description="Time to first token, cold starts included.")
    tpot: Duration | None = Field(None, description="Time per output token after the first.")
    percentile: float = Field(
        95, gt=0, lt=100, description="Percent of the requests that must stay inside."
    )


class WorkloadSpec(ResourceModel):
    """The requests to expect; hints for the planner, not limits."""

    prompt_tokens: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Tokens of a typical prompt; as recorded where not given, 128 at first.",
    )
    output_tokens: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Tokens of a typical answer; as recorded where not given, 200 at first.",
    )
    max_prompt_tokens: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="The longest prompt the SLO holds for; as recorded, 512 at first.",
    )
    max_output_tokens: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="The longest answer the SLO holds for; as recorded, 512 at first.",
    )
    requests_per_minute: float = Field(1, ge=0, le=1e6, description="Mean rate of requests.")
    concurrency: float = Field(1, ge=1, le=1024, description="Requests answered at once, a mean.")


class PricesSpec(ResourceModel):
    """What a GiB of memory costs per second; the planner's defaults where not given."""

    main_gib_second: float | None = Field(
        None, ge=0, le=1e6, description="A GiB of the main model's memory for a second."
    )
    function_gib_second: float | None = Field(
        None, ge=0, le=1e6, description="A GiB of functions' memory for a second."
    )
    gpu_gib_second: float | None = Field(
        None, ge=0, le=1e6, description="A GiB of GPU memory for a second."
    )
    call: float = Field(0, ge=0, le=1e6, description="One call of a function.")
    currency: str = Field("USD", min_length=1, max_length=16, description="What prices are in.")
    billing: Billing = Field(
        Billing.AWAKE,
        description="When memory is paid for: awake, as pods are, or busy, while computing only.",
    )


class MainSpec(ResourceModel):
    """The main model's pods."""

    device: Device = Field(Device.CPU, description="Where it computes.")
    gpu_resource: Annotated[
        str, Field(pattern=r"^[a-z0-9][-a-z0-9.]*/[A-Za-z0-9][-A-Za-z0-9._]*$", max_length=253)
    ] = Field("nvidia.com/gpu", description="Resource that a GPU pod asks for, one of it.")
    cpu: Cpu | None = Field(
        None, description="CPU request, and threads of the main model; 500m where not given."
    )
    memory_limit: Memory | None = Field(
        None,
        description="The plan may give no more memory, and the container is limited to it.",
    )
    min_replicas: int = Field(0, ge=0, le=100, description="Replicas kept when idle.")
    max_replicas: int = Field(1, ge=1, le=100, description="Replicas at most.")
    idle_timeout: Duration = Field(
        "5m", description="How long an idle replica stays, where the minimum allows it to go."
    )
    max_batch: int = Field(8, ge=1, le=1024, description="Requests decoded together.")
    max_context: int | None = Field(
        None, ge=1, description="Tokens of prompt and answer; the model's own where not given."
    )
    pod_template: PodTemplate | None = Field(
        None, description="Merged over the pods that the operator makes; the container is `main`."
    )


class ExpertsSpec(ResourceModel):
    """Bounds on what the planner may choose for routed experts."""

    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=3)] = Field(
        (Tier.LOCAL, Tier.ALWAYS_ON, Tier.ON_DEMAND),
        description="Where experts may run.",
    )
    remote_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description=(
            "Share of the experts, the least used, that run in functions; read only where "
            "no SLO is promised and no profile is given."
        ),
    )
    max_functions: int = Field(16, ge=1, le=256, description="Functions at most.")
    max_replicas: int = Field(2, ge=1, le=100, description="Replicas of each function at most.")
    min_memory: Memory = Field("128Mi", description="Least memory of a function.")
    max_memory: Memory = Field("16Gi", description="Most memory of a function.")
    cpu: Cpu = Field("100m", description="CPU request of a function.")
    keep_alive: Duration = Field("60s", description="How long an idle function stays.")
    pod_template: PodTemplate | None = Field(
        None, description="Merged over the functions' pods; the container is `function`."
    )


class HistorySpec(ResourceModel):
    """The record of which experts prompts used, from which forecasts are made."""

    enabled: bool = Field(True, description="Record it. Prompts themselves are never stored.")
    max_size: Memory = Field("256Mi", description="Disk it may take.")


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
    profile: ConfigMapKey | None = Field(
        None,
        description="Hardware profile that `remoe profile` measured; stated figures without.",
    )
    history: HistorySpec = Field(HistorySpec(), description="The record of expert activations.")
    auth: AuthSpec = Field(AuthSpec(), description="Who may ask.")
    auto_apply: bool = Field(
        True, description="False: a new plan waits in status until it is approved."
    )
