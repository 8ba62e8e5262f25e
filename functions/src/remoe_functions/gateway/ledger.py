"""What is counted and logged of one request. Keys by name only, and never a word of a prompt."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.stopwatch import Stopwatch
from remoe_functions.gateway.summary import Summary

_logger = logging.getLogger("remoe.requests")


class Ledger:
    """One request's entries in metrics and log."""

    def __init__(self, request_id: str, *, key: str, model: str, metrics: ModelMetrics) -> None:
        self._request_id = request_id
        self._key = key
        self._model = model
        self._metrics = metrics

    def token(self, *, since_seconds: float | None) -> None:
        """A token came, so long after the one before it in its choice."""
        self._metrics.generation_tokens.inc()
        if since_seconds is not None:
            self._metrics.inter_token.observe(since_seconds)

    def choice(self, finish: str) -> None:
        """A choice ended well."""
        self._metrics.finished(finish)

    def close(self, summary: Summary) -> None:
        """The request ended well."""
        metrics, account, bill = self._metrics, summary.account, summary.bill
        metrics.prompt_tokens.inc(summary.prompt_tokens)
        metrics.held_seconds.observe(summary.held_seconds)
        metrics.queue.observe(summary.held_seconds + account.queue_seconds)
        if summary.ttft_seconds is not None:
            metrics.ttft.observe(summary.ttft_seconds)
        if summary.seconds_per_token is not None:
            metrics.per_token.observe(summary.seconds_per_token)
        for placement, assignments in account.placements.items():
            metrics.placed(placement, assignments)
        for component, gib_seconds, cost in (
            ("main", bill.main_gib_seconds, bill.main_cost),
            ("functions", bill.function_gib_seconds, bill.function_cost + bill.call_cost),
        ):
            metrics.billed(component, gib_seconds=gib_seconds, cost=cost, currency=bill.currency)
        self._judge_forecast(summary.functions_forecast, account.functions_used)
        self._log_summary(summary)

    def ended(self, outcome: str, watch: Stopwatch) -> None:
        """The request ended, well or not."""
        self._metrics.ended(self._key, outcome)
        self._metrics.e2e.observe(watch.elapsed_seconds)
        if outcome != "ok":
            _logger.info(
                "request=%s key=%s model=%s outcome=%s tokens=%d seconds=%.3f",
                self._request_id,
                self._key,
                self._model,
                outcome,
                watch.tokens,
                watch.elapsed_seconds,
            )

    def _judge_forecast(self, forecast: Sequence[str] | None, used: frozenset[str]) -> None:
        """Compare the functions forecast with those used; no forecast is not a bad one."""
        if forecast is None:
            return
        hits = len(used & frozenset(forecast))
        if used:
            self._metrics.forecast_recall.observe(hits / len(used))
        if forecast:
            self._metrics.forecast_precision.observe(hits / len(forecast))

    def _log_summary(self, summary: Summary) -> None:
        _logger.info(
            "request=%s key=%s model=%s outcome=ok prompt_tokens=%d tokens=%d seconds=%.3f "
            "ttft=%.3f held=%.3f resumed=%d cost=%.3g%s",
            self._request_id,
            self._key,
            self._model,
            summary.prompt_tokens,
            summary.completion_tokens,
            summary.elapsed_seconds,
            summary.ttft_seconds or 0.0,
            summary.held_seconds,
            summary.resumed,
            summary.bill.cost,
            summary.bill.currency,
        )
