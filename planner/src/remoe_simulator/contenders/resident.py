"""Those without functions: everything on the CPU, on the GPU, on both, and ideal offloading."""

from __future__ import annotations

import numpy as np

from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.plan import Plan
from remoe_planner.planning.problem import Problem
from remoe_simulator.contender import Contender, ContenderName
from remoe_simulator.contenders.judging import contender
from remoe_simulator.contenders.setting import Setting
from remoe_simulator.machines import with_fused_experts


def all_on_cpu(setting: Setting) -> Contender:
    """CPU: everything in CPU memory, computed there."""
    problem = setting.problem(setting.on_cpu, gpu=False)
    return _resident(setting, ContenderName.CPU, problem, _every_expert(problem), 0)


def all_on_gpu(setting: Setting) -> Contender:
    """GPU: everything in GPU memory; the host holds a process."""
    return _gpu(setting, ContenderName.GPU, setting.on_gpu)


def fused_on_gpu(setting: Setting) -> Contender:
    """The same where one launch serves all experts of a layer, as today's GPU servers do."""
    fused = with_fused_experts(setting.on_gpu, setting.machine.gpu, setting.architecture)
    note = "One launch for the picked experts of a layer; all others here take one for each."
    return _gpu(setting, FUSED_GPU, fused, note)


def mixed(setting: Setting) -> Contender:
    """MIX: routed experts on the CPU, everything else on the GPU."""
    problem = setting.problem(setting.on_both, gpu=True)
    return _resident(setting, ContenderName.MIX, problem, _every_expert(problem), 0)


def fetched(setting: Setting) -> Contender:
    """Fetch: the paper's ideal offloading, which nothing real reaches."""
    problem = setting.problem(setting.on_gpu, gpu=True)
    architecture = problem.architecture
    slots = architecture.top_k * architecture.expert_bytes
    note = (
        "Ideal: every expert is on the GPU when it is needed, at no time for its way; its GPU "
        f"holds {architecture.top_k} experts of one layer."
    )
    return _resident(setting, ContenderName.FETCH, problem, _every_expert(problem), slots, note)


def _gpu(setting: Setting, name: str, profile: HardwareProfile, *notes: str) -> Contender:
    problem = setting.problem(profile, gpu=True)
    experts = problem.architecture.expert_count * problem.architecture.expert_bytes
    return _resident(setting, name, problem, 0, experts, *notes)


def _every_expert(problem: Problem) -> int:
    return problem.architecture.expert_count


def _resident(
    setting: Setting,
    name: str,
    problem: Problem,
    host_experts: int,
    more_gpu_bytes: int,
    *notes: str,
) -> Contender:
    """A main model alone, with so many experts in the host's memory."""
    memory, larger = _host_bytes(problem, host_experts)
    plan = Plan(
        architecture=problem.architecture,
        functions=(),
        main_memory_bytes=memory,
        main_gpu_bytes=problem.main_gpu_bytes + more_gpu_bytes,
    )
    return contender(setting, name, plan, problem.profile, notes=(*notes, *larger))


def _host_bytes(problem: Problem, experts: int) -> tuple[int, tuple[str, ...]]:
    """On the grid that planned contenders use, too; what they need where it ends below."""
    memory, count = problem.main_memory, np.array(experts)
    if bool(memory.fits(count)):
        return memory.size(experts), ()
    needed = int(np.ceil(memory.needed(count)))
    return needed, ("It needs more memory than the largest main model on offer has.",)


FUSED_GPU = "GPU, fused kernels"
"""As tables call it; a further row, since the paper's prototype has no such kernels."""
