"""Tables of the page: which columns of a CSV it shows, under which titles, in which units."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.page_format import NOTHING, Column, Row, grid, number

MS, MICRO, PERCENT, GIB = 1e3, 1e6, 100.0, 1 / 2**30


def named(title: str, name: str) -> Column:
    """Words, ours in bold."""
    return Column(title=title, write=lambda row: _bold(row.get(name)))


def _bold(value: object) -> str:
    return f"**{value}**" if value == "Remoe" else NOTHING if value is None else str(value)


def pair(title: str, first: str, second: str, scale: float = 1.0, third: str = "") -> Column:
    """Two or three figures in one cell: `0.41 / 0.95`."""
    names = [name for name in (first, second, third) if name]

    def write(row: Row) -> str:
        values = [number(row.get(name), scale) for name in names]
        return NOTHING if set(values) == {NOTHING} else " / ".join(values)

    return Column(title=title, write=write)


def _starts(row: Row) -> str:
    early, used = row.get("early_starts"), row.get("early_used")
    return NOTHING if not early else f"{100 * float(used or 0) / float(early):.0f} %"


def _in_unit(row: Row, name: str) -> str:
    """Dollars as millionths, times under a second as thousandths."""
    value, unit = row.get(name), str(row.get("unit") or "")
    if not isinstance(value, int | float):
        return NOTHING
    small = unit == "USD" or (unit == "s" and value < 1)
    shown = {"USD": "µUSD", "s": "ms"}[unit] if small else unit
    return f"{number(value, {'µUSD': MICRO, 'ms': MS}.get(shown, 1.0))} {shown}"


PLACE = (Column(title="model", name="model"), Column(title="machine", name="machine"))
PROFILE = Column(title="profile", name="profile")
ROUTING = Column(title="routing", name="routing")
INSIDE = Column(title="inside SLO, %", name="inside_slo_share", scale=PERCENT)

MEASURED = (
    named("contender", "contender"),
    PROFILE,
    Column(title="requests", name="requests"),
    pair("TTFT, s, p50 / p95", "ttft_p50_seconds", "ttft_p95_seconds"),
    pair("TPOT, ms, p50 / p95", "tpot_p50_seconds", "tpot_p95_seconds", MS),
    Column(title="work, µUSD a request", name="busy_usd_per_request", scale=MICRO),
    Column(title="awake, µUSD a request", name="awake_usd_per_request", scale=MICRO),
    Column(title="outside SLO", name="slo_violations"),
    pair("memory, GiB, mean / peak", "memory_mean_bytes", "memory_peak_bytes", GIB),
    Column(title="functions", name="functions"),
    Column(title="of them awake", name="functions_awake_mean"),
    Column(title="forecast hits, %", name="forecast_hit_share", scale=PERCENT),
)
VALIDATION = (
    named("contender", "contender"),
    Column(title="quantity", name="quantity"),
    Column(title="measured", write=lambda row: _in_unit(row, "measured")),
    Column(title="simulated", write=lambda row: _in_unit(row, "simulated")),
    Column(title="simulated / measured", name="ratio"),
    Column(title="why, where farther off than 15 %", write=lambda row: str(row.get("why") or "")),
)
DAY = (
    *PLACE,
    Column(title="day", name="day"),
    named("contender", "contender"),
    Column(title="USD a million tokens, awake", name="awake_usd_per_million_tokens"),
    Column(title="work only", name="busy_usd_per_million_tokens"),
    pair("TTFT, s, p50 / p95 / p99", "ttft_p50_seconds", "ttft_p95_seconds", 1, "ttft_p99_seconds"),
    pair(
        "TPOT, ms, p50 / p95 / p99", "tpot_p50_seconds", "tpot_p95_seconds", MS, "tpot_p99_seconds"
    ),
    INSIDE,
    Column(title="main starts", name="main_starts"),
    Column(title="function starts", name="function_starts"),
    Column(title="early ones used", write=_starts),
    PROFILE,
    ROUTING,
)
KEEP_ALIVE = (
    *PLACE,
    named("contender", "contender"),
    Column(title="keep-alive, s", name="keep_alive_seconds"),
    Column(title="USD a million tokens, awake", name="awake_usd_per_million_tokens"),
    INSIDE,
    Column(title="TTFT p95, s", name="ttft_p95_seconds"),
    Column(title="function starts", name="function_starts"),
    PROFILE,
)
ABLATIONS = (
    *PLACE,
    Column(title="scene", name="scene"),
    named("ablation", "ablation"),
    Column(title="cost / Remoe's", name="cost_over_ours"),
    Column(title="USD a million tokens, awake", name="awake_usd_per_million_tokens"),
    Column(title="work only", name="busy_usd_per_million_tokens"),
    pair("TTFT, s, p50 / p95", "ttft_p50_seconds", "ttft_p95_seconds"),
    pair("TPOT, ms, p50 / p95", "tpot_p50_seconds", "tpot_p95_seconds", MS),
    INSIDE,
    PROFILE,
    ROUTING,
)
LIKENESS = (
    Column(title="model", name="model"),
    Column(title="routing", name="what"),
    Column(title="layers, experts", name="shape"),
    Column(title="prompts", name="prompts"),
    Column(title="to the busiest quarter, %", name="busiest_quarter", scale=PERCENT),
    Column(title="to a prompt's own, %", name="own_quarter", scale=PERCENT),
    Column(title="prompts from their mean, bits", name="from_mean_bits"),
    Column(title="two prompts, bits", name="between_bits"),
    Column(title="answers from their prompts, bits", name="answer_to_prompt_bits"),
)
GAP = (
    *PLACE,
    named("step", "step"),
    Column(title="µUSD a request", name="usd_per_request", scale=MICRO),
    Column(title="added, % of the optimum", name="added_share", scale=PERCENT),
    PROFILE,
    ROUTING,
)


def phases(rows: Sequence[Row]) -> str:
    """Cold starts: a line for each situation and contender, its phases side by side."""
    names = list(dict.fromkeys(str(row["phase"]) for row in rows))
    groups: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        key = (str(row["situation"]), str(row["contender"]), str(row.get("profile")))
        groups.setdefault(key, {})[str(row["phase"])] = row
    lines = [
        [
            situation,
            f"**{contender}**" if contender == "Remoe" else contender,
            profile,
            *(number(found.get(name, {}).get("seconds")) for name in names),
            number(sum(float(row.get("seconds") or 0) for row in found.values())),
            number(max(int(row.get("samples") or 0) for row in found.values())),
        ]
        for (situation, contender, profile), found in groups.items()
    ]
    return grid(["asleep", "contender", "profile", *names, "sum, s", "samples"], lines)
