"""A function computes natively where it can, says with what, and serves without, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from builders.expert_process import NAME, outcome, plan_for, running, written_plan
from builders.expert_weights import expert, form, tensor
from builders.tiny_checkpoints import HIDDEN, build
from builders.wire_calls import call_of, received

import remoe_functions
from remoe_functions.checkpoint.ffn import Activation, ExpertWeights
from remoe_functions.checkpoint.tensors import Dtype
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.expert.native import NativeKernel
from remoe_functions.expert.precision import narrowed, widened
from remoe_functions.kernel.machine import available, native_available
from remoe_functions.wire.message import WireDtype
from remoe_planner.experts import ExpertId

native = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
BY_WIRE_TYPE = {WireDtype.FLOAT32: 2e-5, WireDtype.FLOAT16: 2e-3, WireDtype.BFLOAT16: 3e-2}


@pytest.fixture(scope="module")
def plan_path(mixtral, tmp_path_factory):
    plan = plan_for(mixtral, served=lambda expert: expert.layer == 0)
    return written_plan(plan, tmp_path_factory.mktemp("plan") / "plan.json")


def answer_of(function):
    with function.connect() as connection:
        pairs = [(0, 1, 0.5), (2, 4, -1.0)]
        connection.send(call_of(layer=0, row_count=3, hidden=HIDDEN, pairs=pairs))
        return connection.receive(1, timeout_seconds=20.0).rows


def named(function, kernel):
    return function.metric("remoe_function_info", function=NAME, kernel=kernel)


@native
def test_native_kernel_is_used_and_named(mixtral, plan_path):
    with running(mixtral, plan_path) as function:
        assert named(function, f"native/{available()[0]}") == 1


@native
def test_named_instructions_are_used(mixtral, plan_path):
    with running(mixtral, plan_path, REMOE_INSTRUCTION_SET="plain") as function:
        assert named(function, "native/plain") == 1


@native
def test_instructions_this_machine_lacks_are_refused_by_name(mixtral, plan_path):
    status, stderr = outcome(mixtral, plan_path, REMOE_INSTRUCTION_SET="mmx")
    assert status == 2
    assert "REMOE_INSTRUCTION_SET must be one of" in stderr
    assert "Traceback" not in stderr


def test_function_without_the_library_computes_with_numpy_and_says_so(mixtral, plan_path, tmp_path):
    package = Path(remoe_functions.__file__).parent
    shutil.copytree(
        package, tmp_path / "remoe_functions", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    with running(mixtral, plan_path) as function:
        expected = answer_of(function)
    with running(mixtral, plan_path, PYTHONPATH=str(tmp_path)) as function:
        assert named(function, "numpy") == 1
        np.testing.assert_allclose(answer_of(function), expected, rtol=1e-5, atol=1e-5)
        function.terminate()
        function.status()
        assert "with numpy, slowly: libremoe_kernel.so was not built" in (
            function.process.stderr.read()
        )


@native
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", BY_WIRE_TYPE)
@pytest.mark.parametrize("weights", [Dtype.FLOAT32, Dtype.BFLOAT16, Dtype.FLOAT16])
def test_both_kernels_give_the_same_sums(threads, dtype, weights):
    silu = form(Activation.SILU)
    experts = {n: expert(silu, hidden=24, dtype=weights, seed=n) for n in (1, 4, 7)}
    pairs = [(0, 7, 0.5), (3, 1, -1.0), (3, 7, 2.0), (4, 4, 0.1)]
    call = received(call_of(layer=0, row_count=6, hidden=24, pairs=pairs, dtype=dtype))

    def sums(kernel):
        answer = kernel.layer(experts).answer(call)
        return widened(np.frombuffer(answer, dtype.numpy).reshape(call.shape), dtype)

    ours, theirs = sums(NativeKernel(available()[0], threads=threads)), sums(NumpyKernel())
    np.testing.assert_allclose(ours, theirs, rtol=BY_WIRE_TYPE[dtype], atol=BY_WIRE_TYPE[dtype])
    assert not ours[[1, 2, 5]].any()


@native
@pytest.mark.parametrize("dtype", [WireDtype.FLOAT16, WireDtype.BFLOAT16])
def test_both_kernels_round_alike(dtype):
    sums = [1 + 2**-9, 1 + 3 * 2**-9, 1 + 2**-12, 65_519, 65_520, 1e-8, -3e-6, 3e38, np.inf, np.nan]
    call = call_of(layer=0, row_count=1, hidden=1, pairs=[(0, 0, 1.0)], dtype=dtype)
    call.rows, call.dtype = np.ones((1, 1), np.float32), WireDtype.FLOAT32
    for value in sums:
        call.weights = np.array([value], np.float32)
        asked = received(call)
        asked.dtype = asked.answer_dtype = dtype
        asked.data[asked.rows_at : asked.rows_at + 2] = narrowed(call.rows, dtype).tobytes()
        one = tensor(np.ones((1, 1)))
        experts = {0: ExpertWeights(form=form(Activation.RELU, gated=False), up=(one,), down=one)}
        ours = bytes(NativeKernel(available()[0], threads=1).layer(experts).answer(asked))
        with np.errstate(over="ignore"):
            theirs = NumpyKernel().layer(experts).answer(asked).tobytes()
        assert ours == theirs, value


@native
def test_rows_of_no_call_are_answered_by_no_rows():
    call = received(call_of(layer=0, row_count=0, hidden=24, pairs=[]))
    layer = NativeKernel(available()[0], threads=1).layer({0: expert(form(), hidden=24)})
    assert layer.answer(call) == b""


@native
def test_function_holds_no_second_copy_of_its_weights(tmp_path):
    folder = build(
        "mixtral",
        tmp_path,
        dtype="bfloat16",
        hidden_size=512,
        intermediate_size=8192,
        num_hidden_layers=1,
        num_local_experts=2,
    )
    plan = plan_for(folder, served=lambda expert: expert == ExpertId(0, 0))
    path = written_plan(plan, tmp_path / "plan.json")
    weights = 3 * 512 * 8192 * 2
    with running(folder, path) as function, function.connect() as connection:
        before = private_bytes(function.process.pid)
        for number in range(1, 4):
            call = call_of(
                layer=0,
                row_count=1,
                hidden=512,
                pairs=[(0, 0, 1.0)],
                call_id=number,
                dtype=WireDtype.BFLOAT16,
            )
            connection.send(call)
            connection.receive(number, timeout_seconds=20.0)
        assert private_bytes(function.process.pid) - before < weights / 2


def private_bytes(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private"))
