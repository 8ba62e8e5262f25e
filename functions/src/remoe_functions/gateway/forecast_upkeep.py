"""What keeps forecasts good beside the requests: restore, learn, read history, fit, save.

All of it in the background of one event loop, all of it bounded, and all of it dispensable:
without a disk nothing is saved, without fits the tables alone forecast.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from numpy.typing import NDArray

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.encoder.embedding_table import embedding_table
from remoe_functions.gateway.config import ForecastConfig, ModelConfig
from remoe_functions.gateway.fitting import FitFailed, FitSchedule, Fitter
from remoe_functions.gateway.forecaster_state import (
    StateError,
    StateKind,
    load_state,
    save_state,
    state_path,
)
from remoe_functions.gateway.forecasting import FunctionForecast
from remoe_functions.gateway.learner import Learner, LearnerKnobs
from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.plan_watch import PlanWatch
from remoe_functions.gateway.recorded_usage import RecordedUsage
from remoe_functions.gateway.scoreboard import DRIFTED, Score, Scoreboard
from remoe_functions.gateway.served_model import ServedModel
from remoe_functions.history.reader import read_history
from remoe_functions.history.salt import read_or_make_salt
from remoe_functions.history.segment import list_segments
from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.forecasting.joint_share import JointShare

_logger = logging.getLogger(__name__)
_QUEUED = 256
_THREADS = 2
_LOOK_SECONDS = 1.0
# Reading and fitting a long history takes seconds; a small part of the time may go into it.
_REST = 20
_JOINT = "joint."

P = ParamSpec("P")
T = TypeVar("T")
_Signature = tuple[tuple[str, int], ...]


class Forecasting:
    """One model's forecasts and their upkeep. Belongs to one event loop."""

    def __init__(
        self,
        forecast: FunctionForecast,
        served: ServedModel,
        history: Path,
        config: ForecastConfig,
        metrics: ModelMetrics,
        schedule: FitSchedule | None = None,
        watch: PlanWatch | None = None,
        state: Path | None = None,
    ) -> None:
        """Forecasts that know nothing yet.

        Args:
            forecast: what forecasts are made with.
            served: the model.
            history: folder of what was recorded; it may be missing still, and is only read where
                there is a state folder.
            config: how forecasts are made.
            metrics: where it is told how they turn out.
            schedule: when to fit.
            watch: asked whether another plan would pay.
            state: folder for what was learned; None: beside the history.
        """
        self.forecast = forecast
        self.learns = config.learn
        self._served = served
        self._history = history
        self._state = state or history
        self.usage = RecordedUsage.nothing(forecast.shape.table)
        self.saving_per_hour = 0.0
        self._config = config
        self._metrics = metrics
        self._schedule = schedule or FitSchedule()
        self._watch = watch
        self._queue: asyncio.Queue[tuple[Sequence[int], NDArray[Any]]] = asyncio.Queue(_QUEUED)
        self._signature: _Signature | None = None
        self._kind: StateKind | None = None
        # Apart from the threads that tokenize: a herd's forecasts must not hold up its prompts.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="forecast")
        self._requests = 0
        self._last_request = -math.inf
        self._last_save = time.monotonic()
        self._saved: tuple[int, ...] = ()
        self._saving = threading.Lock()

    @classmethod
    def open(
        cls,
        model: ModelConfig,
        served: ServedModel,
        config: ForecastConfig,
        metrics: ModelMetrics,
        watch: PlanWatch | None = None,
    ) -> Self | None:
        """The forecasts of a configured model; None where it is to have none.

        With a watch it is asked from time to time whether another plan would pay.
        """
        if not config.enabled or model.history is None:
            return None
        forecast = FunctionForecast(
            served.plan,
            _table(model),
            neighbors=config.neighbors,
            min_probability=config.threshold,
        )
        return cls(forecast, served, model.history, config, metrics, watch=watch, state=model.state)

    async def apart(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Do something short in a thread of the forecasts' own."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *args, **options))

    def request_came(self) -> None:
        """Take note of a request: while they come, fits rest."""
        self._last_request = time.monotonic()
        self._requests += 1

    def judged(self, score: Score) -> None:
        """A forecast turned out so."""
        board, metrics = self.forecast.board, self._metrics
        board.add(score)
        metrics.diverged(str(score.basis), score.divergence)
        if not math.isnan(score.expected):
            metrics.forecast_expected.observe(score.expected)
        if not math.isnan(score.by_mean):
            metrics.forecast_mean_divergence.observe(score.by_mean)
        if board.drift is not None:
            metrics.forecast_drift.set(board.drift)

    def learn(self, prompt: Sequence[int], experts: NDArray[Any]) -> None:
        """Have a prompt counted soon; dropped where learning cannot follow."""
        if not self.learns:
            return
        try:
            self._queue.put_nowait((prompt, experts))
        except asyncio.QueueFull:
            self._metrics.forecast_unlearned.inc()

    async def run(self) -> None:
        """Restore what was learned, then keep everything fresh until cancelled; save in the end."""
        await self._begin()
        jobs = [self._keep_reading(), self._keep_watching()]
        if self.learns:
            jobs += [self._keep_learning(), self._keep_fitting()]
        try:
            await asyncio.gather(*jobs)
        finally:
            if self.learns:
                self._learn_the_rest()
                self._save()

    async def _begin(self) -> None:
        try:
            await asyncio.to_thread(self._restore)
        except Exception:
            _logger.exception("what was learned of %s cannot be restored", self._served.name)

    def _restore(self) -> None:
        """A learner, with what earlier lives learned where that can be read."""
        words = word_classes(self._served.tokenizer.spellings(self._served.vocabulary))
        knobs = LearnerKnobs(
            table_bytes=self._config.table_bytes, recent_bytes=self._config.recent_bytes
        )
        try:
            salt = read_or_make_salt(self._state)
        except OSError as error:
            _logger.warning("nothing learned of %s is kept: %s", self._served.name, error)
            self.forecast.learner = Learner(
                self.forecast.shape, words, secrets.token_bytes(16), knobs
            )
            return
        learner = Learner(self.forecast.shape, words, salt, knobs)
        self._kind = StateKind.of(self.forecast.plan.architecture, words, salt)
        restored = self._restored(learner, self._kind)
        self.forecast.learner = (
            learner if restored else Learner(self.forecast.shape, words, salt, knobs)
        )

    def _restored(self, learner: Learner, kind: StateKind) -> bool:
        """Whether the learner can be used: False where a state was taken in part."""
        path = state_path(self._state, kind.revision)
        try:
            began = time.perf_counter()
            if (arrays := load_state(path, kind)) is None:
                return True
            board = Scoreboard.restored(arrays)
            joint = _joint_of(arrays)
            learner.restore(arrays)
        except (StateError, OSError, KeyError, ValueError, IndexError, TypeError) as error:
            _logger.warning("what was learned before is not taken: %s", error)
            return False
        self.forecast.board, self.forecast.joint = board, joint
        self._saved = self._mark(learner)
        took = 1000 * (time.perf_counter() - began)
        _logger.info("restored a forecaster of %d prompts in %.0f ms", learner.learned, took)
        return True

    async def _keep_reading(self) -> None:
        """Read the history again whenever it grew."""
        while True:
            began = time.monotonic()
            try:
                await asyncio.to_thread(self.refresh)
            except OSError as error:
                _logger.warning("cannot read the history at %s: %s", self._history, error)
            except Exception:
                _logger.exception("the history at %s is not understood", self._history)
            took = time.monotonic() - began
            await asyncio.sleep(max(self._config.history_refresh_seconds, _REST * took))

    def refresh(self) -> None:
        """Read the history and fit it anew if its files changed.

        Raises:
            OSError: it is there but cannot be read.
        """
        signature = _signature(self._history)
        if signature == self._signature:
            return
        history = read_history(self._history, self.forecast.plan.architecture)
        self.forecast.take_history(history)
        self.usage = RecordedUsage.of(history)
        if self._watch is not None:
            self._watch.take_history(history, now=time.monotonic())
        self._signature = signature

    async def _keep_watching(self) -> None:
        """Ask from time to time whether another plan would pay."""
        if (watch := self._watch) is None:
            return
        while True:
            began = time.monotonic()
            try:
                saving = await asyncio.to_thread(watch.look, now=began, requests=self._requests)
            except Exception:
                _logger.exception("no plan to compare with that of %s", self._served.name)
                saving = 0.0
            self.saving_per_hour = saving
            self._metrics.replan_saving.set(saving)
            took = time.monotonic() - began
            await asyncio.sleep(max(self._config.replan_seconds, _REST * took))

    async def _keep_learning(self) -> None:
        while True:
            await asyncio.to_thread(self._learn_one, *await self._queue.get())

    def _learn_one(self, prompt: Sequence[int], experts: NDArray[Any]) -> None:
        learner = self.forecast.learner
        if learner is None:
            return
        try:
            learner.learn(prompt, experts)
        except ValueError as error:
            _logger.warning("a prompt's routing is not learned: %s", error)
        except Exception:
            _logger.exception("a prompt's routing is not learned")
        self._metrics.forecast_learned.set(learner.learned)

    def _learn_the_rest(self) -> None:
        while not self._queue.empty():
            self._learn_one(*self._queue.get_nowait())

    async def _keep_fitting(self) -> None:
        if (learner := self.forecast.learner) is None:
            return
        fitter = Fitter(learner, self._schedule)
        self._tell(learner)
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            quiet = time.monotonic() - self._last_request
            self._metrics.forecast_fit_due.set(self._schedule.is_worth(learner))
            if fitter.is_due(quiet_seconds=quiet):
                await self._fit(fitter, learner)
            elif time.monotonic() - self._last_save > self._config.save_seconds:
                await asyncio.to_thread(self._save)

    async def _fit(self, fitter: Fitter, learner: Learner) -> None:
        drift = self.forecast.board.drift
        if drift is not None and drift > DRIFTED:
            _logger.info("forecasts are off %.1f times as expected: the old counts half", drift)
            await asyncio.to_thread(learner.forget_half)
        try:
            await fitter.fit()
        except (FitFailed, KeyError, ValueError) as error:
            self._metrics.fitted("failed")
            _logger.warning("the forecaster is not fitted: %s", error)
            return
        self._metrics.fitted("ok")
        self._metrics.forecast_fit_seconds.set(fitter.seconds or 0.0)
        self.forecast.board.fitted_anew()
        self._tell(learner)
        await asyncio.to_thread(self._save)

    def _save(self) -> None:
        """Save what was learned, if anything new was; a full disk is only logged."""
        with self._saving:
            self._last_save = time.monotonic()
            learner = self.forecast.learner
            if learner is None or self._kind is None or self._mark(learner) == self._saved:
                return
            mark = self._mark(learner)
            try:
                joint = {_JOINT + k: a for k, a in self.forecast.joint.arrays().items()}
                state = learner.state() | self.forecast.board.arrays() | joint
                save_state(self._state, self._kind, state)
            except OSError as error:
                _logger.warning("what was learned is not saved: %s", error)
                return
            self._saved = mark

    def _mark(self, learner: Learner) -> tuple[int, ...]:
        """What changes when there is something new to save."""
        return learner.learned, learner.fitted_on, learner.unfitted

    def _tell(self, learner: Learner) -> None:
        self._metrics.forecast_learned.set(learner.learned)
        self._metrics.forecast_bytes.set(learner.nbytes)
        self._metrics.forecast_fit_due.set(self._schedule.is_worth(learner))


def _table(model: ModelConfig) -> NDArray[Any] | None:
    try:
        table = embedding_table(Checkpoint.open(model.directory))
    except CheckpointError as error:
        _logger.warning("no prompt vectors for %s: %s", model.name, error)
        return None
    if table is None:
        _logger.warning("no prompt vectors for %s: no embedding table found", model.name)
    return table


def _joint_of(arrays: Mapping[str, NDArray[Any]]) -> JointShare:
    """What was learned of both forecasts together; states of before have nothing of it.

    Raises:
        KeyError, ValueError: it is there and makes no sense.
    """
    joint = JointShare()
    if own := {k.removeprefix(_JOINT): a for k, a in arrays.items() if k.startswith(_JOINT)}:
        joint.restore(own)
    return joint


def _signature(directory: Path) -> _Signature:
    """What changes when a record is appended or a segment dropped."""
    names = list_segments(directory)
    paths = [name.in_directory(directory) for name in names]
    return tuple((path.name, path.stat().st_size) for path in paths if path.exists())
