"""Wherever a layer's experts are, and whoever adds them up, its answer has the same bits."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from builders import expert_process
from builders.tiny_checkpoints import VOCAB
from hypothesis import given, settings
from hypothesis import strategies as st
from main.engine_world import TOKEN, answer_of, plan_for, serve_function, world

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.expert.native import NativeKernel
from remoe_functions.kernel.machine import available, native_available
from remoe_functions.main.calls import Caller
from remoe_functions.main.directory import Endpoint, StaticDirectory
from remoe_functions.main.dispatcher import Dispatcher
from remoe_functions.main.local_experts import LocalExperts
from remoe_functions.main.placement import Placement
from remoe_functions.main.service import Service, ServiceOptions
from remoe_functions.main.settings import CallSettings
from remoe_functions.main.timing import StepTimer
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import RefusalCode
from remoe_planner.plan import FunctionPlan, Plan

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
EXPERTS, TOP_K = 12, (1, 2, 8)
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
# What functions are: two replicas, one, one that refuses every call, one asleep.
FUNCTIONS = ("spread", "single", "refusing", "asleep")


def native():
    return NativeKernel(available()[0], threads=1)


def refuse(_service, _call):
    raise CallRefused(RefusalCode.DRAINING, "no new calls are taken")


class Layers:
    """A checkpoint whose every function serves every expert, so that any placement can be had."""

    def __init__(self, folder, dtype, stack):
        self.checkpoint = Checkpoint.open(folder)
        self.shape = self.checkpoint.architecture
        self.local = LocalExperts(self.checkpoint, DTYPES[dtype])
        self.dtype = DTYPES[dtype]
        everything = FunctionPlan(name="f", experts=tuple(self.shape.experts), memory_bytes=1)
        endpoints = {"asleep": ()}
        for name, replicas, answer in (
            ("spread", 2, None),
            ("single", 1, None),
            ("refusing", 1, refuse),
        ):
            made = [
                serve_function(folder, everything, answer, kernel=native()) for _ in range(replicas)
            ]
            endpoints[name] = tuple(endpoint for _, endpoint in made)
            stack.extend(server.stop for server, _ in made)
        self.directory = StaticDirectory(endpoints)

    def answer(self, homes, hidden, index, weights, calls):
        """The last layer's answer where expert i is at `homes[i]`; 0 is the main model."""
        layer = self.shape.layers[-1]
        mine = [expert for expert in self.shape.experts if expert.layer == layer]
        plan = Plan(
            architecture=self.shape,
            functions=tuple(
                FunctionPlan(name=name, experts=experts, memory_bytes=1)
                for number, name in enumerate(FUNCTIONS, start=1)
                if (experts := tuple(e for e in mine if homes[e.index] == number))
            ),
            main_memory_bytes=1,
        )
        caller = Caller(self.directory, calls, token=TOKEN)
        dispatcher = Dispatcher(
            Placement(plan), self.local, caller, settings=calls, timer=StepTimer()
        )
        try:
            return dispatcher.run(layer, hidden, index, weights)
        finally:
            caller.close()


@pytest.fixture(scope="module")
def layers(checkpoint_of):
    """`Layers` of so many picks and such numbers, with their servers running."""
    made, ends = {}, []

    def of(top_k, dtype):
        if (top_k, dtype) not in made:
            folder = checkpoint_of(
                "mixtral", dtype=dtype, num_local_experts=EXPERTS, num_experts_per_tok=top_k
            )
            made[top_k, dtype] = Layers(folder, dtype, ends)
        return made[top_k, dtype]

    yield of
    for end in ends:
        end()


@st.composite
def worlds(draw):
    """Rows, what they are routed to, and two places for every expert."""
    top_k, rows = draw(st.sampled_from(TOP_K)), draw(st.sampled_from([1, 2, 3, 17]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    index = np.stack([random.permutation(EXPERTS)[:top_k] for _ in range(rows)])
    places = st.lists(st.integers(0, len(FUNCTIONS)), min_size=EXPERTS, max_size=EXPERTS)
    return {
        "top_k": top_k,
        "hidden": random.standard_normal((rows, 48)).astype(np.float32),
        "index": index,
        "weights": random.dirichlet(np.ones(top_k), rows).astype(np.float32),
        "homes": draw(places),
        "calls": CallSettings(
            spread_pairs=draw(st.sampled_from([1, 16])),
            max_rows_bytes=draw(st.sampled_from([400, 4 << 20])),
        ),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60, deadline=None)
@given(drawn=worlds())
def test_a_layers_answer_has_the_bits_of_everything_at_home(layers, dtype, drawn):
    world = layers(drawn["top_k"], dtype)
    hidden = torch.from_numpy(drawn["hidden"]).to(world.dtype)
    index, weights = torch.from_numpy(drawn["index"]), torch.from_numpy(drawn["weights"])
    args = hidden, index, weights, drawn["calls"]
    at_home = world.answer([0] * EXPERTS, *args)
    assert at_home.dtype == world.dtype
    assert bits(world.answer(drawn["homes"], *args)) == bits(at_home)


def bits(tensor):
    return tensor.view(torch.uint8).numpy().tobytes()


PLACEMENTS = {
    "in one function": {"is_remote": lambda _: True},
    "dealt over three functions": {"is_remote": lambda _: True, "functions": 3},
    "half at home": {"is_remote": lambda expert: expert.index % 2 == 0, "functions": 2},
    "replicas": {
        "is_remote": lambda expert: expert.index > 2,
        "replicas": 2,
        "calls": CallSettings(spread_pairs=1, max_rows_bytes=400),
    },
}


@pytest.mark.parametrize(
    ("architecture", "dtype"),
    [("mixtral", "bfloat16"), ("mixtral", "float32"), ("deepseek_v3", "bfloat16")],
)
def test_greedy_answers_are_the_same_wherever_experts_are(checkpoint_of, architecture, dtype):
    folder = checkpoint_of(architecture, dtype=dtype, num_experts_per_tok=4)

    def answers(**placement):
        with world(folder, kernel=native, **placement) as w:
            return answers_of(w.service, 2, 60)

    at_home = answers()
    for name, placement in PLACEMENTS.items():
        assert answers(**placement) == at_home, name


def answers_of(service, prompts, tokens):
    return [
        answer_of(service, [(3 + 7 * number + 5 * place) % VOCAB for place in range(40)], tokens)
        for number in range(prompts)
    ]


@pytest.mark.slow
def test_long_answers_over_processes_are_those_of_one_process(checkpoint_of, tmp_path):
    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 8}
    folder = checkpoint_of(
        "mixtral", dtype="bfloat16", num_local_experts=8, num_experts_per_tok=4, **sizes
    )
    checkpoint = Checkpoint.open(folder)

    def answers(plan, endpoints):
        calls = CallSettings(call_seconds=30.0)
        options = ServiceOptions(model=folder, plan=plan, token=expert_process.TOKEN, calls=calls)
        service = Service(options, StaticDirectory(endpoints), lambda _: None)
        service.start()
        try:
            found = answers_of(service, 6, 150)
            assert not service.caller.given_up
            return found
        finally:
            service.stop()

    striped = plan_for(checkpoint, lambda _: True, functions=3)
    with ExitStack() as stack:
        endpoints = {}
        for function in striped.functions:
            alone = expert_process.plan_for(folder, served=set(function.experts).__contains__)
            path = expert_process.written_plan(alone, tmp_path / function.name)
            running = stack.enter_context(expert_process.running(folder, path))
            endpoints[function.name] = (Endpoint(running.host, running.port),)
        assert answers(striped, endpoints) == answers(plan_for(checkpoint, lambda _: False), {})
