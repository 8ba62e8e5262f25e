"""Local experts are really in this process's memory, and remote ones are really not."""

from __future__ import annotations

import gc

import psutil
import pytest
from builders.tiny_checkpoints import EXPERTS, LAYERS
from main.engine_world import answer_of, world

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.main.directory import StaticDirectory

FAT = {"hidden_size": 256, "head_dim": 64, "intermediate_size": 3584}
MARGIN = 0.1


@pytest.fixture(scope="module")
def fat(checkpoint_of):
    return checkpoint_of("mixtral", **FAT)


def resident_bytes():
    gc.collect()
    return psutil.Process().memory_info().rss


def growth_of(folder, is_remote, use=lambda service: None):
    before = resident_bytes()
    with world(folder, is_remote, directory=StaticDirectory({})) as w:
        use(w.service)
        return resident_bytes() - before


@pytest.mark.slow
def test_memory_shrinks_by_the_remote_experts_bytes(fat):
    expert_bytes = Checkpoint.open(fat).architecture.expert_bytes
    growth_of(fat, lambda _: True)
    every = growth_of(fat, lambda _: False)
    third = growth_of(fat, lambda e: e.index < EXPERTS // 3 * 2)
    absent = LAYERS * (EXPERTS // 3 * 2) * expert_bytes
    assert absent > 100e6
    assert every - third == pytest.approx(absent, rel=MARGIN)


@pytest.mark.slow
def test_memory_borrowed_for_a_sleeping_function_is_given_back(fat):
    architecture = Checkpoint.open(fat).architecture
    growth_of(fat, lambda _: True)

    def prefill_everywhere(service):
        usage_tokens = answer_of(service, range(3, 100), 2)
        assert len(usage_tokens) == 2
        assert sum(service.caller.given_up.values()) > 0

    grown = growth_of(fat, lambda _: True, prefill_everywhere)
    # What stays are the partial pages at the experts' ends, and the rest of the model.
    assert grown < 0.25 * architecture.expert_count * architecture.expert_bytes
