"""The parts of a service on one machine: command lines, environments and bounds, as values.

Starting them is the runtime's work; nothing here does I/O.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from remoe_functions.cli.serve_folder import RunFolder
from remoe_functions.gateway.config import GatewayConfig, LimitsConfig, ModelConfig, PricesConfig
from remoe_functions.runtime.control_client import CONTROL
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.state import PartKind
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.prices import DEFAULT_PRICES, Prices

GATEWAY, MAIN = "gateway", "main"
API_KEYS = "REMOE_API_KEYS"
THREADS, CPUS = "OMP_NUM_THREADS", "REMOE_CPUS"
FUNCTION_TOKEN = "REMOE_FUNCTION_TOKEN"  # noqa: S105 (a variable's name)
# Each part of a service gets its own secrets and nobody else's.
_SECRETS = frozenset({API_KEYS, FUNCTION_TOKEN, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})
# RLIMIT_DATA counts address space: stacks and allocator arenas that are never touched, too.
_RESERVED_BYTES = 512 << 20
# What a part is given to finish its calls after SIGTERM, and how much later it is killed.
GATEWAY_DRAIN_SECONDS, MAIN_DRAIN_SECONDS, FUNCTION_DRAIN_SECONDS = 30.0, 10.0, 5.0
_GRACE_SECONDS = 5.0
_MAIN_STARTUP_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What `remoe serve` was asked for.

    Attributes:
        model: the checkpoint folder.
        experts: file of quantized experts to serve; None for the checkpoint's own.
        name: what clients call the model.
        plan: where its experts run.
        host: address of the gateway.
        port: port of the gateway; 0 takes any free one.
        prices: what memory and calls cost.
        history: folder of the activation history, or None to keep none.
        profile: the machine's hardware profile, or None where none is known.
        main_idle_seconds: how long an idle main model stays awake, >= 0; None: for ever.
        dtype: auto, float32 or bfloat16.
        device: auto, cpu or cuda.
        max_batch: requests decoded together, >= 1.
        max_context: tokens of prompt and answer together; None: as the model says.
        run_dir: folder for logs, configuration and the control socket; None: a temporary one.
        cores: cores that the parts share, >= 1.
        environment: what the parts inherit, API keys included; never printed.
    """

    model: Path
    name: str
    plan: Plan
    experts: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    prices: Prices = DEFAULT_PRICES
    history: Path | None = None
    profile: Path | None = None
    main_idle_seconds: float | None = None
    dtype: str = "auto"
    device: str = "auto"
    max_batch: int = 8
    max_context: int | None = None
    run_dir: Path | None = None
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port must be in 0..65535, got {self.port}")
        if self.main_idle_seconds is not None and self.main_idle_seconds < 0:
            raise ValueError(f"main_idle_seconds must be >= 0, got {self.main_idle_seconds}")
        if self.max_batch < 1:
            raise ValueError(f"max_batch must be >= 1, got {self.max_batch}")
        if self.max_context is not None and self.max_context < 1:
            raise ValueError(f"max_context must be >= 1, got {self.max_context}")


def gateway_config(options: ServeOptions, folder: RunFolder, port: int) -> GatewayConfig:
    """The gateway's configuration; `port` is the one it really gets."""
    prices = asdict(options.prices)
    model = ModelConfig(
        name=options.name,
        directory=options.model.resolve(),
        plan=folder.plan,
        history=options.history,
        profile=options.profile,
        main_part=MAIN,
        main_keep_alive_seconds=options.main_idle_seconds,
        max_context=options.max_context,
    )
    return GatewayConfig(
        host=options.host,
        port=port,
        models=(model,),
        prices=PricesConfig(**{name: prices[name] for name in PricesConfig.model_fields}),
        limits=LimitsConfig(drain_seconds=GATEWAY_DRAIN_SECONDS),
    )


def parts_of(
    options: ServeOptions, folder: RunFolder, token: str, *, listen_fd: int
) -> tuple[PartSpec, ...]:
    """Every part of the service: the gateway, the main model, and each function of the plan.

    Args:
        options: what to serve and how.
        folder: where the parts find what was written for them.
        token: what the parts know each other by.
        listen_fd: the listening socket that every gateway inherits.
    """
    shared = {k: v for k, v in options.environment.items() if k not in _SECRETS}
    shared |= {FUNCTION_TOKEN: token, "PYTHONUNBUFFERED": "1"}
    functions = (_function(options, folder, shared, f) for f in options.plan.functions)
    gateway = _gateway(options, folder, shared, listen_fd)
    return (gateway, _main(options, folder, shared), *functions)


def function_memory_limit_bytes(plan: Plan, function: FunctionPlan) -> int:
    """Bound of a function's private memory: what its plan gives it beyond its mapped weights.

    Room for one expert in float32 is granted whatever the plan says; without it no call of a
    bfloat16 model could be answered.
    """
    weights = len(function.experts) * plan.architecture.expert_bytes
    working = max(function.memory_bytes - weights, 2 * plan.architecture.expert_bytes)
    return working + _RESERVED_BYTES


def _gateway(
    options: ServeOptions, folder: RunFolder, shared: Mapping[str, str], listen_fd: int
) -> PartSpec:
    keys = {k: v for k, v in options.environment.items() if k == API_KEYS}
    return PartSpec(
        name=GATEWAY,
        kind=PartKind.GATEWAY,
        argv=_python("gateway", "--config", folder.gateway_config, "--listen-fd", listen_fd),
        # Its fits must not take the cores that the model computes on.
        env={THREADS: "1", **shared, **keys, CONTROL: str(folder.control)},
        inherited_fds=(listen_fd,),
        min_replicas=1,
        keep_alive_seconds=None,
        drain_seconds=GATEWAY_DRAIN_SECONDS + _GRACE_SECONDS,
    )


def _main(options: ServeOptions, folder: RunFolder, shared: Mapping[str, str]) -> PartSpec:
    # No memory limit: device libraries reserve address space far beyond what they use.
    return PartSpec(
        name=MAIN,
        kind=PartKind.MAIN,
        argv=_python("main", *_main_arguments(options, folder)),
        env={THREADS: str(_main_threads(options)), **shared, CONTROL: str(folder.control)},
        min_replicas=1 if options.main_idle_seconds is None else 0,
        keep_alive_seconds=options.main_idle_seconds,
        startup_seconds=_MAIN_STARTUP_SECONDS,
        drain_seconds=MAIN_DRAIN_SECONDS + _GRACE_SECONDS,
    )


def _main_threads(options: ServeOptions) -> int:
    """All cores, but one where functions compute at the same time.

    Threads of both that wait for the same core cost more than they bring: with half of the demo
    model's experts remote on two cores, 8 requests decode 1.25 times as fast with one thread.
    """
    return max(1, options.cores - 1) if options.plan.functions else options.cores


def _main_arguments(options: ServeOptions, folder: RunFolder) -> tuple[object, ...]:
    context = () if options.max_context is None else ("--max-context", options.max_context)
    history = () if options.history is None else ("--history", options.history)
    return (
        *("--model", options.model.resolve(), "--plan", folder.plan),
        *("--max-batch", options.max_batch, "--dtype", options.dtype, "--device", options.device),
        *("--drain-seconds", MAIN_DRAIN_SECONDS),
        *_experts_argument(options),
        *context,
        *history,
    )


def _experts_argument(options: ServeOptions) -> tuple[object, ...]:
    return () if options.experts is None else ("--experts", options.experts.resolve())


def _function(
    options: ServeOptions, folder: RunFolder, shared: Mapping[str, str], function: FunctionPlan
) -> PartSpec:
    where = ("--model", options.model.resolve(), *_experts_argument(options), "--plan", folder.plan)
    bound = ("--drain-seconds", FUNCTION_DRAIN_SECONDS)
    return PartSpec(
        name=function.name,
        kind=PartKind.FUNCTION,
        argv=_python("expert", *where, "--function", function.name, *bound),
        # One core each: several may compute at once, and the main model with them.
        env={CPUS: "1", **shared},
        min_replicas=function.min_replicas,
        max_replicas=function.max_replicas,
        keep_alive_seconds=function.keep_alive_seconds,
        private_memory_limit_bytes=function_memory_limit_bytes(options.plan, function),
        drain_seconds=FUNCTION_DRAIN_SECONDS + _GRACE_SECONDS,
    )


def _python(package: str, *arguments: object) -> tuple[str, ...]:
    # -P: modules that happen to lie in the working directory must not shadow real ones.
    return (sys.executable, "-P", "-m", f"remoe_functions.{package}", *map(str, arguments))
