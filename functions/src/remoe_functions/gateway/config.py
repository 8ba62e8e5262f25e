"""The gateway's configuration: one JSON file, checked at birth. No secrets belong here.

Keys and tokens come by environment (`REMOE_API_KEYS`, `REMOE_FUNCTION_TOKEN`) or as files that
are named here, and read when they are needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.prices import Prices

Name = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]


class ConfigError(Exception):
    """The configuration file is missing, not JSON, or has a field that is not allowed."""


class _Section(BaseModel):
    """Part of the configuration: frozen, and unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PricesConfig(_Section):
    """What a GiB-second of memory and a call cost. Field names are the planner's `Prices`."""

    main_gib_second: Price = 0.000_016_667
    function_gib_second: Price = 0.000_016_667
    gpu_gib_second: Price = 0.0
    call: Price = 0.0
    currency: str = Field(default="USD", min_length=1, max_length=16)

    @property
    def prices(self) -> Prices:
        """As the planner knows them."""
        return Prices(**self.model_dump())


class SloConfig(_Section):
    """The latency that is promised; field names are the planner's `Slo`.

    Attributes:
        ttft_seconds: time to first token, cold starts included; None promises nothing.
        tpot_seconds: time per token after the first; None promises nothing.
        percentile: share of the requests that must stay inside, such as 0.95.
    """

    ttft_seconds: Seconds | None = None
    tpot_seconds: Seconds | None = None
    percentile: float = Field(default=0.95, gt=0, lt=1)

    @property
    def slo(self) -> Slo:
        """As the planner knows it."""
        return Slo(**self.model_dump())


class ClusterConfig(_Section):
    """The cluster that the parts run in, as pods of one namespace."""

    namespace: Label


class ModelConfig(_Section):
    """One served model.

    Attributes:
        name: what clients put in `model`.
        directory: the Hugging Face checkpoint folder (config, tokenizer, embedding table).
        plan: the plan's JSON file.
        history: the activation history's folder, read for forecasts; None: no forecasts.
        profile: a hardware profile's JSON file, from which it is told what wakes are worth, and
            whether another plan would pay; None: the first is learned, the second is not told.
        main_part: the runtime's name of the main model's part.
        main_keep_alive_seconds: how long it stays when idle; None: for ever.
        main_url: a fixed address of main, for runs by hand without a runtime; all models or none.
        max_context: tokens of prompt and answer together, as main was told; None: as config.json
            says, up to main's own default.
        service: the MoEService it is, in a cluster.
        plan_digest: what the names of its functions carry, in a cluster.
        token_file: what its main knows the gateway by; None: as the environment says.
        keys_directory: one file per API key, named after it, read again when it changes; None: as
            the environment says, and without that the model is open to all. A folder without keys
            opens to nobody.
        state: folder for what forecasts learned, this gateway's alone; None: beside the history.
        slo: what is promised.
        prices: its own price list; None: the gateway's.
    """

    name: Name
    directory: Path
    plan: Path
    history: Path | None = None
    profile: Path | None = None
    main_part: Name = "main"
    main_keep_alive_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    main_url: str | None = Field(default=None, pattern=r"^https?://[^/]+/?$")
    max_context: int | None = Field(default=None, ge=1)
    service: Label | None = None
    plan_digest: Digest | None = None
    token_file: Path | None = None
    keys_directory: Path | None = None
    state: Path | None = None
    slo: SloConfig = SloConfig()
    prices: PricesConfig | None = None

    @property
    def state_folder(self) -> Path | None:
        """Where what was learned is kept; None keeps nothing."""
        return self.state or self.history


class ForecastConfig(_Section):
    """How the functions to wake ahead of a prompt are chosen.

    Attributes:
        enabled: False wakes functions only when main calls them.
        neighbors: similar prompts that vote (alpha of the paper's 1.6).
        threshold: a function is forecast when the chance that the request needs it is at least
            this; which of them are woken is a matter of what that saves and costs.
        history_refresh_seconds: how often the history on disk is read again.
        learn: False counts and fits nothing more: forecasts rest on what was saved and recorded.
        table_bytes: memory for what is learned of tokens in their context.
        recent_bytes: memory for the latest prompts, which a fit is made from.
        save_seconds: how often what was learned is saved, beside every fit and the end.
        replan_seconds: how often it is asked whether another plan would pay.
    """

    enabled: bool = True
    neighbors: int = Field(default=15, ge=1, le=1000)
    threshold: float = Field(default=0.5, ge=0, le=1)
    history_refresh_seconds: Seconds = 30.0
    learn: bool = True
    table_bytes: int = Field(default=256 << 20, ge=1 << 20)
    recent_bytes: int = Field(default=64 << 20, ge=1 << 20)
    save_seconds: Seconds = 300.0
    replan_seconds: Seconds = 300.0


class LimitsConfig(_Section):
    """Every bound of the gateway; nothing waits or grows beyond these.

    Attributes:
        max_body_bytes: a larger request body is refused (413) while it is read.
        max_held: requests that wait for a sleeping or loading model; more get 429.
        held_wait_seconds: the longest such wait; then 503 with Retry-After.
        max_running: requests in the model or waiting for it; more get 429.
        max_resumes: times one request is carried over to a main that came back.
        silence_seconds: main sends nothing for so long mid-request: it is taken for dead.
        default_max_tokens: answer tokens when the request names no limit; None: fill the context.
        max_n: largest `n`; also the largest number of completion prompts times `n`.
        max_stops: stop strings at most (OpenAI: 4).
        max_top_logprobs: largest `top_logprobs`.
        keep_alive_seconds: an SSE comment is sent after so much silence.
        stalled_write_seconds: a client that reads nothing for so long is dropped.
        idle_connection_seconds: a connection that sends no whole request head or body in this
            time is closed.
        max_connections: open connections at most; more are closed when they arrive.
        lame_duck_seconds: how long after SIGTERM requests are taken still, while /ready says no:
            the time that whoever sends them needs to hear of it.
        drain_seconds: what streams in flight are given after that.
    """

    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=1 << 30)
    max_held: int = Field(default=256, ge=0)
    held_wait_seconds: Seconds = 300.0
    max_running: int = Field(default=512, ge=1)
    max_resumes: int = Field(default=3, ge=0, le=100)
    silence_seconds: Seconds = 300.0
    default_max_tokens: int | None = Field(default=None, ge=1)
    max_n: int = Field(default=16, ge=1, le=128)
    max_stops: int = Field(default=4, ge=1, le=64)
    max_top_logprobs: int = Field(default=20, ge=0, le=20)
    keep_alive_seconds: Seconds = 5.0
    stalled_write_seconds: Seconds = 60.0
    idle_connection_seconds: Seconds = 30.0
    max_connections: int = Field(default=4096, ge=1)
    lame_duck_seconds: float = Field(default=0.0, ge=0, le=3600, allow_inf_nan=False)
    drain_seconds: Seconds = 45.0


class GatewayConfig(_Section):
    """The whole file. Relative paths are taken from the working directory."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    cluster: ClusterConfig | None = None
    models: tuple[ModelConfig, ...] = Field(min_length=1)
    prices: PricesConfig = PricesConfig()
    limits: LimitsConfig = LimitsConfig()
    forecast: ForecastConfig = ForecastConfig()

    @model_validator(mode="after")
    def _models_do_not_collide(self) -> Self:
        _require_unique("model names", [model.name for model in self.models])
        # A state drops those of other revisions in its folder.
        folders = [str(model.state_folder) for model in self.models if model.state_folder]
        _require_unique("the models' state folders (history where no state is given)", folders)
        if len({model.main_url is None for model in self.models}) > 1:
            raise ValueError("main_url must be given for all models or for none")
        return self

    @model_validator(mode="after")
    def _a_cluster_has_services(self) -> Self:
        if self.cluster is None:
            return self
        for model in self.models:
            for field in ("service", "plan_digest"):
                if getattr(model, field) is None:
                    raise ValueError(f"model {model.name!r} needs a {field}: cluster is given")
            if model.main_url is not None:
                raise ValueError(f"model {model.name!r} has a main_url, and cluster is given")
        _require_unique("services", [str(model.service) for model in self.models])
        return self

    def prices_of(self, model: ModelConfig) -> Prices:
        """The price list of one model."""
        return (model.prices or self.prices).prices

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check the file.

        Raises:
            ConfigError: unreadable, not JSON, or a field is not allowed; one readable line.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from error
        except ValidationError as error:
            raise ConfigError(f"{path}: {_in_one_line(error)}") from error


def read_profile(path: Path) -> HardwareProfile:
    """The hardware profile in a file.

    Raises:
        ConfigError: unreadable, or no profile; one readable line.
    """
    try:
        return HardwareProfile.from_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the hardware profile {path}: {error}") from error


def _require_unique(what: str, names: list[str]) -> None:
    if len(names) != len(set(names)):
        raise ValueError(f"{what} must be unique, got {names}")


def _in_one_line(error: ValidationError) -> str:
    parts = (
        (".".join(str(step) for step in item["loc"]) or "file", item["msg"])
        for item in error.errors(include_url=False)
    )
    return "; ".join(f"{where}: {what}" for where, what in parts)
