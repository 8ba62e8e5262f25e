"""The composition root: every moving part of the main model process is made here, once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.history.writer import DEFAULT_MAX_BYTES, HistoryWriter
from remoe_functions.main.calls import Caller
from remoe_functions.main.context import max_context
from remoe_functions.main.decode_step import decode_step_for
from remoe_functions.main.directory import Directory
from remoe_functions.main.dispatcher import Dispatcher
from remoe_functions.main.engine import Engine
from remoe_functions.main.loading import load_config, load_model
from remoe_functions.main.local_experts import LocalExperts
from remoe_functions.main.placement import Placement, check_plan
from remoe_functions.main.recorder import Recorder
from remoe_functions.main.seats import seat_experts
from remoe_functions.main.sequence import Sequence
from remoe_functions.main.settings import CallSettings, EngineSettings
from remoe_functions.main.slot_cache import SlotCache
from remoe_functions.main.stepper import Stepper
from remoe_functions.main.tensors import to_rows
from remoe_functions.main.timing import StepTimer
from remoe_functions.main.totals import Totals
from remoe_planner.architecture import Architecture
from remoe_planner.plan import Plan

_log = logging.getLogger(__name__)
Mark = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What to serve and how.

    Attributes:
        model: the checkpoint's folder.
        experts: file of quantized experts to serve; None for the checkpoint's own.
        plan: where experts run; None for all of them here.
        dtype: "auto" for the checkpoint's own, or torch's name of another.
        device: "auto", "cpu" or "cuda", for all but the routed experts.
        history: where activation history is written; None for nowhere.
        history_bytes: bound of it on disk, >= 1; the oldest records go first.
        max_context: tokens a request may have; None for the model's own limit.
        max_batch: requests decoded together.
        max_waiting: requests that may queue.
        calls: bounds of calls to functions.
        token: the secret shared with the functions.
    """

    model: Path
    experts: Path | None = None
    plan: Plan | None = None
    dtype: str = "auto"
    device: str = "auto"
    history: Path | None = None
    history_bytes: int = DEFAULT_MAX_BYTES
    max_context: int | None = None
    max_batch: int = 8
    max_waiting: int = 64
    calls: CallSettings = field(default_factory=CallSettings)
    token: str = ""

    def __post_init__(self) -> None:
        if self.history_bytes < 1:
            raise ValueError(f"history_bytes must be >= 1, got {self.history_bytes}")


class Service:
    """The loaded model and the engine that runs it, on a thread of its own once started.

    Attributes:
        engine: takes requests.
        caller: calls functions; its counters are metrics.
        timer: where step time goes.
        totals: sums over retired requests.
        info: what callers may know of the model.
        name: the model's name.
    """

    def __init__(self, options: ServiceOptions, directory: Directory, mark: Mark) -> None:
        """Load the model; `mark` is told the name of each phase that ends.

        Raises:
            CheckpointError: the checkpoint cannot be served; says why.
            ValueError: the plan is for another model, or an option is out of bounds.
        """
        checkpoint = Checkpoint.open(options.model, sidecar=options.experts)
        config = load_config(options.model)
        plan = options.plan or _all_local(checkpoint.architecture)
        check_plan(plan, checkpoint.architecture)
        if plan.functions and not options.token:
            raise ValueError("the plan has expert functions: a token is needed to call them")
        mark("map")
        device, dtype = _device(options.device), _dtype(options.dtype, config)
        self.name = checkpoint.architecture.name
        self.timer = StepTimer()
        self.totals = Totals()
        self._placement = Placement(plan)
        self.caller = Caller(directory, options.calls, token=options.token)
        local = LocalExperts(checkpoint, dtype)
        self._dispatcher = Dispatcher(
            self._placement, local, self.caller, settings=options.calls, timer=self.timer
        )
        model = load_model(checkpoint, config, dtype=dtype, device=device)
        seat_experts(model, checkpoint, self._dispatcher)
        local.keep(self._placement.local_experts)
        mark("weights")
        self._recorder = _recorder(options, checkpoint, model)
        self._stepper, self.engine = self._build_engine(options, model, config, device)
        self.info = _info(self.engine, self.name, config)
        self._rehearse()
        mark("warm-up")
        self._thread = threading.Thread(target=self.engine.run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to take steps."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """End the engine's thread, connections and history."""
        self.engine.stop()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        self.caller.close()
        if self._recorder is not None:
            self._recorder.close(timeout_seconds)

    def _build_engine(
        self,
        options: ServiceOptions,
        model: PreTrainedModel,
        config: PreTrainedConfig,
        device: torch.device,
    ) -> tuple[Stepper, Engine]:
        settings = EngineSettings(
            max_batch=options.max_batch,
            max_waiting=options.max_waiting,
            max_context=max_context(config, options.max_context),
        )
        cache = SlotCache(
            layers=config.num_hidden_layers,
            slots=settings.max_batch,
            max_tokens=settings.max_context,
            block_tokens=settings.cache_block,
        )
        stepper = Stepper(model, cache, device, decode_step_for(model))
        engine = Engine(
            stepper,
            self._dispatcher,
            self._placement,
            settings=settings,
            timer=self.timer,
            end_tokens=_end_tokens(options.model, config),
            vocabulary=model.get_input_embeddings().num_embeddings,
            on_retired=self._retired,
        )
        return stepper, engine

    def _retired(self, sequence: Sequence) -> None:
        self.totals.add(sequence)
        if self._recorder is not None:
            self._recorder.record(sequence)

    def _rehearse(self) -> None:
        """Run the shapes of real steps once, so that the first request does not pay for it."""
        with self._dispatcher.rehearsal():
            self._stepper.cache.reserve(4, 1)
            self._stepper.prefill([0, 0, 0], slot=0, start=0)
            self._stepper.decode([0], [3])


def _all_local(architecture: Architecture) -> Plan:
    return Plan(architecture=architecture, functions=(), main_memory_bytes=architecture.total_bytes)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _dtype(name: str, config: PreTrainedConfig) -> torch.dtype:
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    return config.dtype if isinstance(config.dtype, torch.dtype) else torch.float32


def _recorder(
    options: ServiceOptions, checkpoint: Checkpoint, model: PreTrainedModel
) -> Recorder | None:
    if options.history is None:
        return None
    revision = checkpoint.architecture.revision
    writer = HistoryWriter(options.history, revision, options.history_bytes)
    table = model.get_input_embeddings().weight.detach().cpu()
    return Recorder(writer, to_rows(table), options.history)


def _end_tokens(model: Path, config: PreTrainedConfig) -> frozenset[int]:
    """The tokens that end an answer: the generation config's, else the model's."""
    try:
        found = GenerationConfig.from_pretrained(model, local_files_only=True).eos_token_id
    except OSError:
        found = None
    found = config.eos_token_id if found is None else found
    return frozenset([found] if isinstance(found, int) else found or ())


def _info(engine: Engine, name: str, config: PreTrainedConfig) -> dict[str, Any]:
    return {
        "model": name,
        "architecture": (config.architectures or [config.model_type])[0],
        "max_context": engine.settings.max_context,
        "max_batch": engine.settings.max_batch,
        "eos_token_ids": sorted(engine.end_tokens),
    }
