"""A tiny model's records."""

import numpy as np
import pytest

from remoe_functions.history.record import HistoryRecord
from remoe_planner.architecture import Architecture


@pytest.fixture
def architecture():
    return make_architecture


@pytest.fixture
def record():
    return make_record


def make_architecture(revision="r1", **fields):
    return Architecture(
        **{
            "name": "tiny",
            "revision": revision,
            "layers": (0, 1),
            "experts_per_layer": 3,
            "top_k": 1,
            "hidden_size": 4,
            "expert_bytes": 1,
            "main_bytes": 1,
        }
        | fields
    )


def make_record(number=0, *, vector=True, shape=(2, 3)):
    return HistoryRecord(
        prompt_tokens=number,
        decode_tokens=2 * number,
        vector=np.full(4, number + 1, np.float32) if vector else None,
        prefill=np.full(shape, number, np.uint32),
        decode=np.full(shape, number + 7, np.uint32),
    )
