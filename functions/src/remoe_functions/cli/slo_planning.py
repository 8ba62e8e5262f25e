"""A plan for a latency target: what is known here, put together and handed to the planner."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from remoe_functions.cli.estimate_table import Candidate
from remoe_functions.cli.failure import CommandError
from remoe_functions.cli.places import history_directory, profile_file
from remoe_functions.cli.planning import architecture_of, read_prices
from remoe_functions.cli.settings_file import read_settings
from remoe_functions.history.reader import read_history
from remoe_functions.source.source import Source
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.architecture import Architecture
from remoe_planner.billing import Billing
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.alternatives import AlternativeEstimate, alternatives
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import MemoryModel
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.planning.grounds import Grounds
from remoe_planner.planning.make_plan import Planned, make_plan

# So many cores per GiB that the bound on a function's cores decides alone.
_ANY_CORE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Everything a plan for a latency target is made from.

    Attributes:
        architecture: the model.
        history: what was recorded of its routing.
        routing: how tokens spread over the experts, as recorded.
        workload: the requests to expect.
        slo: what is promised to them.
        profile: the machine.
        offerings: what can be rented.
    """

    architecture: Architecture
    history: ActivationHistory
    routing: Routing
    workload: Workload
    slo: Slo
    profile: HardwareProfile
    offerings: Offerings

    @property
    def grounds(self) -> Grounds:
        """What an explanation of its answer draws on."""
        return Grounds(
            routing=self.routing,
            workload=self.workload,
            offerings=self.offerings,
            slo=self.slo,
            profile=self.profile,
        )

    def under(self, slo: Slo) -> Question:
        """The same question with another promise."""
        return replace(self, slo=slo)

    def answer(self, method: Method) -> Planned:
        """The plan.

        Raises:
            CommandError: not even the smallest placement fits what is on offer.
        """
        try:
            return make_plan(
                self.architecture,
                method=method,
                routing=self.routing,
                workload=self.workload,
                slo=self.slo,
                profile=self.profile,
                offerings=self.offerings,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error

    def resident(self) -> tuple[AlternativeEstimate, ...]:
        """Every way to serve the model with everything resident."""
        return alternatives(
            self.architecture,
            routing=self.routing,
            workload=self.workload,
            profile=self.profile,
            offerings=self.offerings,
            slo=self.slo,
        )

    def beside(self, planned: Planned) -> tuple[Candidate, ...]:
        """The plan, and every way to serve the model with everything resident."""
        others = (
            Candidate(name=other.alternative, estimate=other.estimate, note=". ".join(other.notes))
            for other in self.resident()
        )
        return (Candidate(name="this plan", estimate=planned.estimate), *others)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOptions:
    """What a user may say of a question; what is not said is read from what is known here.

    Attributes:
        history: folder of the activation history; None: where `remoe` keeps it.
        workload: file of the requests to expect; None: as recorded, one a minute.
        prices: price list; None: the default one.
        profile: hardware profile; None: the one measured here.
        slo: what is promised.
        billing: what is made cheapest.
        functions: functions at most; None: as many as pay.
        max_replicas: replicas of each at most.
        max_batch: requests that the main model decodes together at most.
        keep_alive_seconds: how long an idle function stays.
        main_keep_alive_seconds: how long an idle main model stays.
        experts: sidecar of quantized experts; None: those of the checkpoint.
        cores_per_gib: cores that come with a GiB of a function; None: a core for each function.
    """

    history: Path | None = None
    workload: Path | None = None
    prices: Path | None = None
    profile: Path | None = None
    slo: Slo = field(default_factory=Slo)
    billing: Billing = Billing.AWAKE
    functions: int | None = None
    max_replicas: int = 1
    max_batch: int = 8
    keep_alive_seconds: float = 60.0
    main_keep_alive_seconds: float = 300.0
    experts: Path | None = None
    cores_per_gib: float | None = None


def promise(ttft: float | None, tpot: float | None, percentile: float) -> Slo:
    """What is promised to `percentile` percent of the requests, in seconds."""
    return Slo(ttft_seconds=ttft, tpot_seconds=tpot, percentile=percentile / 100)


def question_of(source: Source, options: QuestionOptions) -> Question:
    """Put a question together.

    Raises:
        CommandError: a file cannot be used, or there is no hardware profile.
    """
    profile = read_profile(options.profile, profile_file(source), source.name)
    architecture = architecture_of(source.directory, options.experts)
    history = read_history(options.history or history_directory(source), architecture)
    return Question(
        architecture=architecture,
        history=history,
        routing=Routing.of(history),
        workload=_workload(options, history),
        slo=options.slo,
        profile=profile,
        offerings=_offerings(options, profile),
    )


def grounds_of(source: Source, options: QuestionOptions) -> Grounds:
    """What an explanation of a plan that is there already draws on.

    Without a hardware profile it is told what can be told without one.

    Raises:
        CommandError: a file cannot be used.
    """
    if options.profile is not None or profile_file(source).exists():
        return question_of(source, options).grounds
    architecture = architecture_of(source.directory, options.experts)
    history = read_history(options.history or history_directory(source), architecture)
    prices = read_prices(options.prices)
    return Grounds(
        routing=Routing.of(history),
        workload=_workload(options, history),
        offerings=Offerings(prices=prices, billing=options.billing),
        slo=options.slo,
    )


def _workload(options: QuestionOptions, history: ActivationHistory) -> Workload:
    if options.workload is None:
        return recorded_workload(history)
    return read_settings(options.workload, Workload, "workload")


def recorded_workload(history: ActivationHistory) -> Workload:
    """Requests as long as those recorded were, at the default rate; the default where none was."""
    if not len(history):
        return Workload()
    prompts, answers = history.prompt_tokens, np.maximum(history.decode_tokens, 1)
    return Workload(
        prompt_tokens=max(round(float(prompts.mean())), 1),
        output_tokens=round(float(answers.mean())),
        max_prompt_tokens=max(int(prompts.max()), 1),
        max_output_tokens=int(answers.max()),
    )


def _offerings(options: QuestionOptions, profile: HardwareProfile) -> Offerings:
    rented = Offerings(
        prices=read_prices(options.prices, gpu=profile.gpu),
        billing=options.billing,
        gpu=profile.gpu,
        memory=profile.memory or MemoryModel(),
        main_keep_alive_seconds=options.main_keep_alive_seconds,
        function_keep_alive_seconds=options.keep_alive_seconds,
        max_replicas=options.max_replicas,
        max_batch=options.max_batch,
    )
    if options.cores_per_gib is None:
        rented = replace(rented, cores_per_gib=_ANY_CORE, max_function_cores=1.0)
    else:
        rented = replace(rented, cores_per_gib=options.cores_per_gib)
    return rented if options.functions is None else replace(rented, max_functions=options.functions)


def read_profile(path: Path | None, measured: Path, model: str) -> HardwareProfile:
    """The hardware profile that is named, or the one measured on this machine.

    Args:
        path: the file that was asked for, if any.
        measured: where `remoe profile` leaves its measurements of this model.
        model: the model, as the user called it.

    Raises:
        CommandError: there is none, or the file is no profile; says what to do.
    """
    chosen = path or measured
    try:
        return HardwareProfile.from_json(chosen.read_text("utf-8"))
    except FileNotFoundError as error:
        if path is not None:
            raise CommandError(f"{path}: no such file") from error
        raise CommandError(
            "no hardware profile of this machine yet, and latency cannot be told without one: "
            f"run `remoe profile {model}`, or name a profile with --profile"
        ) from error
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot use the hardware profile {chosen}: {error}") from error
