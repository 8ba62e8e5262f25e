"""What a dashboard needs beside the usual: promises, fine buckets beside them, starts by phase."""

from dataclasses import replace

import pytest
from gateway.several import answers, in_cluster, shared

from remoe_functions.gateway.metrics import TTFT_BUCKETS, beside
from remoe_functions.runtime.state import Replica, ReplicaState


def value_of(w, name, model, **labels):
    registry = w.gateway.services.metrics.registry
    return registry.get_sample_value(name, {"model_name": model} | labels)


async def test_promises_are_told_of_the_models_that_made_them(model_directory):
    slo = {"ttft_seconds": 0.37, "percentile": 0.9}
    models = in_cluster("a", model_directory, slo=slo), in_cluster("b", model_directory)
    async with shared(*models) as w:
        assert value_of(w, "remoe:slo_ttft_seconds", "a") == 0.37
        assert value_of(w, "remoe:slo_percentile", "a") == 0.9
        assert value_of(w, "remoe:slo_tpot_seconds", "a") is None
        assert value_of(w, "remoe:slo_ttft_seconds", "b") is None
        assert value_of(w, "vllm:time_to_first_token_seconds_bucket", "b", le="0.37") == 0


async def test_latency_at_the_promise_can_be_read_from_the_buckets(model_directory):
    slo = {"ttft_seconds": 30.0, "tpot_seconds": 0.123}
    async with shared(in_cluster("a", model_directory, slo=slo)) as w:
        answers(w.mains["a"], model_directory, "hello")
        await w.ask("a")
        assert value_of(w, "vllm:time_to_first_token_seconds_bucket", "a", le="30.0") == 1
        name = "vllm:request_time_per_output_token_seconds_bucket"
        assert value_of(w, name, "a", le="0.123") is not None


@pytest.mark.parametrize("promised", [[], [None], [0.5, None, 3.0]])
def test_buckets_grow_and_keep_those_there_were(promised):
    buckets = beside(TTFT_BUCKETS, promised)
    assert list(buckets) == sorted(set(buckets))
    assert {*TTFT_BUCKETS, *filter(None, promised)} <= set(buckets)


def started(name, **phases):
    return Replica(id=name, state=ReplicaState.READY, host="127.0.0.1", port=9, phases=phases)


async def test_each_start_is_counted_once_by_phase(model_directory):
    models = [in_cluster(name, model_directory) for name in ("a", "b")]
    async with shared(*models) as w:
        runtime, labels = w.runtimes["a"], {"component": "functions"}
        for number in (1, 2):
            replicas = (started(f"f0-{number}", schedule=1.0, weights=3.0),)
            runtime.update("f0", desired=1, replicas=replicas)
            await w.until(lambda there=replicas: w.entries["a"].own_parts["f0"].ready == there)
            runtime.update("f0", last_failure=f"{number}")
            runtime.update("f0", replicas=(replace(replicas[0], state=ReplicaState.DRAINING),))
            await w.until(lambda: not w.entries["a"].own_parts["f0"].ready)
        starts = "remoe:cold_start_seconds"
        assert value_of(w, f"{starts}_count", "a", phase="weights", **labels) == 2
        assert value_of(w, f"{starts}_sum", "a", phase="schedule", **labels) == 2.0
        assert value_of(w, f"{starts}_sum", "a", phase="total", **labels) == 8.0
        assert value_of(w, f"{starts}_count", "b", phase="total", **labels) is None
        main = {"component": "main", "phase": "total"}
        assert value_of(w, f"{starts}_count", "a", **main) is None
        assert value_of(w, "remoe:functions_planned", "a") == 2
