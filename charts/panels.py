"""A panel of the dashboard and the questions it asks: the words in which `rows.py` is written.

Gateways and main models share vLLM's names, so panels tell them apart by the pod label
`app.kubernetes.io/component`, as PodMonitors and the usual scraping by annotations set it. Several
gateways look at the same parts: what they see of them is taken once (max), what they do is summed.
"""

from __future__ import annotations

from dataclasses import dataclass

MODEL = 'namespace=~"$namespace", model_name=~"$model"'
THERE = 'namespace=~"$namespace"'
GATEWAY = f'{MODEL}, app_kubernetes_io_component="gateway"'
MAIN = f'{THERE}, app_kubernetes_io_component="main"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An expression and what its lines are called."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph.

    Attributes:
        title: above it.
        unit: Grafana's word for what is counted.
        says: how to read it.
        queries: its lines.
        stacked: whether the lines add up.
    """

    title: str
    unit: str
    says: str
    queries: tuple[Query, ...]
    stacked: bool = False


def quantile(share: str, family: str, labels: str = MODEL) -> str:
    """A quantile of a histogram, by model."""
    rate = f"rate({family}_bucket{{{labels}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (namespace, model_name, le) ({rate}))"


def start_quantile(share: str) -> str:
    """A quantile of how long cold starts took, by component."""
    starts = f'remoe:cold_start_seconds_bucket{{{MODEL}, phase="total"}}'
    return f"histogram_quantile({share}, sum by (component, le) (rate({starts}[$__rate_interval])))"


def mean(family: str, by: str = "namespace, model_name") -> str:
    """The mean of a histogram."""
    total, count = (
        f"sum by ({by}) (rate({family}_{end}{{{MODEL}}}[$__rate_interval]))"
        for end in ("sum", "count")
    )
    return f"{total} / {count}"


def rate(family: str, by: str, labels: str = MODEL) -> str:
    """A counter a second, summed."""
    return f"sum by ({by}) (rate({family}{{{labels}}}[$__rate_interval]))"


def seen(family: str, by: str = "namespace, model_name", labels: str = MODEL) -> str:
    """What several gateways see, once."""
    return f"max by ({by}) ({family}{{{labels}}})"


def quantiles(title: str, says: str, family: str) -> Panel:
    """The median and the 95th percentile of a histogram of seconds."""
    lines = tuple(
        Query(expression=quantile(share, family), legend=f"{{{{model_name}}}} p{percent}")
        for share, percent in (("0.5", 50), ("0.95", 95))
    )
    return Panel(title=title, unit="s", says=says, queries=lines)


def promised(title: str, says: str, family: str, slo: str) -> Panel:
    """Quantiles of a latency beside what was promised."""
    quantiles = tuple(
        Query(expression=quantile(share, family), legend=f"{{{{model_name}}}} p{percent}")
        for share, percent in (("0.5", 50), ("0.95", 95), ("0.99", 99))
    )
    promise = Query(expression=seen(slo), legend="{{model_name}} promised")
    return Panel(title=title, unit="s", says=says, queries=(*quantiles, promise))


def single(
    title: str, unit: str, says: str, expression: str, legend: str, *, stacked: bool = False
) -> Panel:
    """A panel with one query."""
    query = Query(expression=expression, legend=legend)
    return Panel(title=title, unit=unit, says=says, queries=(query,), stacked=stacked)
