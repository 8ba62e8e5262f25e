"""Planning problems by keyword, tiny unless asked otherwise; a seed makes a random one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import CallTime, HardwareProfile, StartTime
from remoe_planner.memory import GIB, MIB, MemoryModel
from remoe_planner.offerings import Billing, MemoryGrid, Offerings
from remoe_planner.prices import Prices


def an_architecture(layers=3, experts=8, top_k=2, expert_mib=16, main_mib=256):
    return Architecture(
        name="tiny",
        revision="r1",
        layers=tuple(range(1, layers + 1)),
        experts_per_layer=experts,
        top_k=top_k,
        hidden_size=512,
        expert_bytes=int(expert_mib * MIB),
        main_bytes=int(main_mib * MIB),
    )


def a_routing(architecture, seed=0, skew=0.5, samples=0, tokens=300):
    chance = np.random.default_rng(seed)
    layers, experts = architecture.shape
    shares = chance.dirichlet(np.full(experts, skew), size=layers)
    counts = np.zeros((samples, layers, experts), np.uint32)
    for sample in range(samples):
        for layer in range(layers):
            own = chance.dirichlet(20 * shares[layer] + 1e-3)
            counts[sample, layer] = chance.multinomial(tokens * architecture.top_k, own)
    return Routing(
        prefill=shares,
        decode=shares,
        samples=counts,
        sample_tokens=np.full(samples, tokens, np.uint32),
    )


def an_expert_time(one_row_seconds, gains=(10.0, 1.0, 0.4, 0.25)):
    """Seconds of a row on 0.1, 1, 4 and 16 cores; sixteen rows take half as much again."""
    curves = tuple(
        Curve(
            rows=(1.0, 16.0, 256.0),
            seconds=tuple(one_row_seconds * gain * f for f in (1, 1.5, 8)),
        )
        for gain in gains
    )
    return ExpertTime(cores=(0.1, 1.0, 4.0, 16.0), curves=curves)


def a_profile(expert_seconds=1e-3, remote_factor=1.0, deviation=0.0, call_seconds=5e-4, **more):
    return HardwareProfile(
        name="bench",
        source="made up",
        measured=False,
        module=Curve(rows=(1.0, 256.0), seconds=(2e-4, 2e-3)),
        step=Curve(rows=(1.0, 256.0), seconds=(1e-3, 4e-3)),
        local_expert=an_expert_time(expert_seconds),
        remote_expert=an_expert_time(expert_seconds * remote_factor),
        call=CallTime(
            mean_seconds=call_seconds,
            deviation_seconds=deviation,
            main_seconds=5e-5,
            bytes_per_second=1e9,
        ),
        main_start=StartTime(seconds=2.0, bytes_per_second=2e9),
        function_start=StartTime(seconds=0.4, bytes_per_second=2e9),
        main_cores=4.0,
        **more,
    )


def some_offerings(billing=Billing.BUSY, main_price=1e-5, function_price=1e-5, call=0.0, **more):
    given = {
        "function_memory": MemoryGrid(least_bytes=100 * MIB, most_bytes=4 * GIB),
        "main_memory": MemoryGrid(least_bytes=100 * MIB, most_bytes=2048 * GIB),
        "memory": MemoryModel(main_working_bytes=256 * MIB, function_working_bytes=64 * MIB),
        "main_keep_alive_seconds": None,
    }
    prices = Prices(
        main_gib_second=main_price, function_gib_second=function_price, call=call, source="made up"
    )
    return Offerings(billing=billing, prices=prices, **(given | more))


def a_world(
    *,
    architecture=None,
    routing=None,
    workload=None,
    slo=None,
    profile=None,
    offerings=None,
    seed=0,
):
    """Everything that `make_plan` and `Problem` take but the method."""
    architecture = architecture or an_architecture()
    return {
        "architecture": architecture,
        "routing": routing or a_routing(architecture, seed),
        "workload": workload or Workload(requests_per_second=0.01),
        "slo": slo or Slo(),
        "profile": profile or a_profile(),
        "offerings": offerings or some_offerings(),
    }


def a_random_world(seed, billing=Billing.BUSY, samples=0, deviation=0.0):
    """A small instance with everything drawn from wide ranges."""
    chance = np.random.default_rng(seed)
    experts = int(chance.choice([4, 6, 8]))
    architecture = an_architecture(
        layers=int(chance.integers(2, 7)),
        experts=experts,
        top_k=int(chance.integers(1, min(experts, 4) + 1)),
        expert_mib=float(chance.choice([2, 8, 16, 64, 150])),
        main_mib=float(chance.choice([64, 512, 2048])),
    )
    rate = 0.01 if not samples else float(chance.choice([0.001, 0.005, 0.02, 0.05]))
    return a_world(
        architecture=architecture,
        routing=a_routing(
            architecture, seed, skew=float(chance.choice([0.2, 0.7, 3])), samples=samples
        ),
        workload=Workload(
            prompt_tokens=int(chance.integers(8, 400)),
            output_tokens=int(chance.integers(8, 400)),
            requests_per_second=rate,
        ),
        profile=a_profile(
            expert_seconds=float(chance.uniform(2e-4, 4e-3)),
            remote_factor=float(chance.uniform(0.5, 1.5)),
            call_seconds=float(chance.uniform(1e-4, 3e-3)),
            deviation=deviation,
        ),
        offerings=some_offerings(
            billing=billing,
            function_price=float(chance.uniform(0.3, 1.5)) * 1e-5,
            call=float(chance.choice([0.0, 2e-7])),
            main_keep_alive_seconds=float(chance.choice([10.0, 300.0])) if samples else None,
        ),
    )


def with_slo(world, **slo):
    return world | {"slo": replace(world["slo"], **slo)}
