"""What a gateway recorded becomes routing and a workload, as the history on a laptop would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.moe_services import SHAPE, a_spec
from hypothesis import given
from hypothesis import strategies as st

from remoe_functions.gateway.recorded_usage import RecordedUsage
from remoe_operator.planned.usage import Usage
from remoe_operator.planned.workload import slo_of, workload_of
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.demand.routing import Routing


def history(requests, seed=1):
    """Requests that use the first experts more, each its own way."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.linspace(3, 0.2, 8), size=(requests, 3))
    prompts = rng.integers(5, 50, requests)
    prefill = np.rint(shares * 2 * prompts[:, None, None]).astype(np.uint32)
    return ActivationHistory(
        vectors=np.zeros((requests, 4), np.float32),
        prefill=prefill,
        decode=prefill * 2,
        prompt_tokens=prompts.astype(np.uint32),
        decode_tokens=(2 * prompts).astype(np.uint32),
    )


def told(of):
    return Usage.of(RecordedUsage.of(of).to_dict(), SHAPE)


@pytest.mark.parametrize("requests", [1, 3, 64, 400])
def test_routing_is_near_that_of_the_history_itself(requests):
    known = history(requests)
    here, there = told(known).routing, Routing.of(known)
    np.testing.assert_allclose(here.prefill, there.prefill, atol=0.02)
    np.testing.assert_allclose(here.decode, there.decode, atol=0.02)


def test_samples_are_single_requests():
    known = history(100)
    routing = told(known).routing
    assert len(routing.samples) == 64
    np.testing.assert_array_equal(routing.samples, (known.prefill + known.decode)[-64:])
    np.testing.assert_array_equal(routing.sample_tokens, 3 * known.prompt_tokens[-64:])


def test_use_is_all_that_was_recorded():
    known = history(100)
    np.testing.assert_array_equal(
        told(known).utility, (known.prefill + known.decode).sum(axis=0, dtype=np.int64)
    )


def test_an_empty_history_says_nothing():
    usage = told(history(0))
    assert (usage.requests, usage.prompt_tokens, usage.max_output_tokens) == (0, None, None)
    even = Routing.even(SHAPE)
    np.testing.assert_allclose(usage.routing.prefill, even.prefill)


def test_an_unspoken_workload_is_as_recorded():
    known = history(50)
    workload = workload_of(a_spec(), told(known))
    assert workload.prompt_tokens == round(float(known.prompt_tokens.mean()))
    assert workload.max_output_tokens == int(known.decode_tokens.max())


def test_what_was_said_comes_before_what_was_recorded():
    asked = {"promptTokens": 1000, "maxPromptTokens": 2000, "requestsPerMinute": 120}
    workload = workload_of(a_spec(workload=asked), told(history(50)))
    assert (workload.prompt_tokens, workload.max_prompt_tokens) == (1000, 2000)
    assert workload.requests_per_second == 2


def test_without_either_it_is_the_usual_one():
    workload = workload_of(a_spec(), None)
    assert (workload.prompt_tokens, workload.output_tokens) == (128, 200)
    assert (workload.max_prompt_tokens, workload.max_output_tokens) == (512, 512)


TOKENS = st.one_of(st.none(), st.integers(1, 10_000))


@given(typical=TOKENS, longest=TOKENS, mean=TOKENS, most=TOKENS)
def test_what_is_said_and_what_is_recorded_never_contradict_each_other(
    typical, longest, mean, most
):
    asked = {"promptTokens": typical, "maxPromptTokens": longest}
    given = {name: value for name, value in asked.items() if value is not None}
    if len(given) == 2 and typical > longest:
        return  # refused by the resource's rules
    usage = replace(Usage.none(), prompt_tokens=mean, max_prompt_tokens=most)
    workload = workload_of(a_spec(workload=given), usage)
    assert 1 <= workload.prompt_tokens <= workload.max_prompt_tokens
    assert typical in (None, workload.prompt_tokens)
    assert longest is None or workload.max_prompt_tokens == longest


def test_a_promise_is_read():
    slo = slo_of(a_spec(slo={"ttft": "1m30s", "percentile": 99}))
    assert (slo.ttft_seconds, slo.tpot_seconds) == (90, None)
    assert slo.percentile == pytest.approx(0.99)
