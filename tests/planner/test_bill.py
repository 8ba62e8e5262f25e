"""What a request costs: memory, times seconds, times a price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.architecture import Architecture
from remoe_planner.bill import Bill, FunctionUse, Usage, bill
from remoe_planner.experts import ExpertId
from remoe_planner.memory import GIB
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.prices import DEFAULT_GPU_PRICES, DEFAULT_PRICES, Prices

PLAN = Plan(
    architecture=Architecture(
        name="tiny",
        revision="r",
        layers=(0,),
        experts_per_layer=2,
        top_k=1,
        hidden_size=4,
        expert_bytes=1,
        main_bytes=1,
    ),
    functions=(FunctionPlan(name="f", experts=(ExpertId(0, 1),), memory_bytes=GIB // 2),),
    main_memory_bytes=4 * GIB,
)
PRICES = Prices(main_gib_second=3, function_gib_second=1, call=0.5, currency="EUR")


def test_bill_is_seconds_times_memory_times_price_and_calls():
    usage = Usage(main_seconds=2, functions={"f": FunctionUse(seconds=3, calls=4)})
    made = bill(usage, PLAN, PRICES)
    assert (made.main_gib_seconds, made.function_gib_seconds, made.calls) == (8, 1.5, 4)
    assert (made.main_cost, made.function_cost, made.call_cost) == (24, 1.5, 2)
    assert made.cost == 27.5
    assert made.gib_seconds == 9.5


def test_usage_reads_the_main_models_own_account():
    account = {
        "main_seconds": 1.5,
        "queue_seconds": 9,
        "functions": {"f": {"calls": 2, "rows": 7, "busy_seconds": 0.25}},
    }
    assert Usage.from_mapping(account) == Usage(
        main_seconds=1.5, functions={"f": FunctionUse(seconds=0.25, calls=2)}
    )


@pytest.mark.parametrize(
    "account", [{}, {"main_seconds": None}, {"main_seconds": 1, "functions": 3}]
)
def test_account_of_another_form_is_a_value_error(account):
    with pytest.raises(ValueError, match="not an account"):
        Usage.from_mapping(account)


def test_function_the_plan_has_not_is_named():
    usage = Usage(main_seconds=0, functions={"g": FunctionUse(seconds=1)})
    with pytest.raises(ValueError, match="the plan has no function g"):
        bill(usage, PLAN, PRICES)


seconds = st.floats(0, 1e6)


@given(seconds, seconds, st.integers(0, 1000), seconds, seconds, st.integers(0, 1000))
def test_bills_of_two_requests_add_up_to_the_bill_of_both(a, b, calls, c, d, more):
    def usage(main, busy, count):
        return Usage(main_seconds=main, functions={"f": FunctionUse(seconds=busy, calls=count)})

    apart = bill(usage(a, b, calls), PLAN, PRICES) + bill(usage(c, d, more), PLAN, PRICES)
    assert apart.cost == pytest.approx(bill(usage(a + c, b + d, calls + more), PLAN, PRICES).cost)


def test_bills_in_different_currencies_do_not_add_up():
    with pytest.raises(ValueError, match="USD and EUR do not add up"):
        Bill() + Bill(currency="EUR")


def test_negative_seconds_are_refused():
    with pytest.raises(ValueError, match="main_seconds must be >= 0"):
        Usage(main_seconds=-1)
    with pytest.raises(ValueError, match="seconds and calls must be >= 0"):
        FunctionUse(seconds=-1)


def test_prices_are_read_from_toml():
    text = 'main_gib_second = 0.1\nfunction_gib_second = 2\ncurrency = "CHF"\nsource = "ours"'
    assert Prices.from_toml(text) == Prices(
        main_gib_second=0.1, function_gib_second=2, currency="CHF", source="ours"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("main_gib_second = 1", "missing function_gib_second"),
        ("main_gib_second = 1\nfunction_gib_second = -1", "function_gib_second must be finite and"),
        ("main_gib_second = nan\nfunction_gib_second = 1", "main_gib_second must be finite"),
        ('main_gib_second = "1"\nfunction_gib_second = 1', "main_gib_second must be a number"),
        ("main_gib_second = true\nfunction_gib_second = 1", "main_gib_second must be a number"),
        ("main_gib_second = 1\nfunction_gib_second = 1\ncurrency = 5", "currency must be text"),
        ("main_gib_secnd = 1", "unknown key main_gib_secnd; allowed: main_gib_second"),
        ("main", "not TOML"),
    ],
)
def test_price_list_that_cannot_be_used_says_why(text, message):
    with pytest.raises(ValueError, match=message):
        Prices.from_toml(text)


def test_default_prices_state_their_source():
    assert "assumption" in DEFAULT_PRICES.source
    assert DEFAULT_GPU_PRICES.gpu_gib_second == 3 * DEFAULT_PRICES.main_gib_second
