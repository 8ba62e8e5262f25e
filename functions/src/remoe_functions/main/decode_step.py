"""A decode step in native code: one call a layer for what stands between two layers' experts.

The model's own tensors and the slot cache are read and written where they lie. Numbers stay in
float32 between products, where transformers rounds to the model's type at every operator. Which
models can is `anatomy`'s matter; prefill, and every other model, is transformers'.
"""

from __future__ import annotations

import logging
import os

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from remoe_functions.kernel.attention import NewTokens
from remoe_functions.kernel.linear import Linear
from remoe_functions.kernel.machine import instruction_set, native_available
from remoe_functions.main.anatomy import Anatomy, UnknownAnatomyError, anatomy_of
from remoe_functions.main.native_layer import FORMATS, Means, NativeLayer, WideTensors
from remoe_functions.main.native_stretch import parts_of
from remoe_functions.main.slot_cache import SlotCache

_log = logging.getLogger(__name__)


def decode_step_for(model: PreTrainedModel) -> DecodeStep | None:
    """The model's step in native code, its experts seated; None, and a word why, without one.

    Raises:
        ValueError: the environment names an instruction set that this machine has not.
    """
    found = native_available()
    if not found.available:
        _log.info("decode steps are transformers': %s", found.reason)
        return None
    try:
        anatomy = anatomy_of(model)
    except UnknownAnatomyError as error:
        _log.info("decode steps are transformers': %s", error)
        return None
    means = Means(threads=torch.get_num_threads(), instructions=instruction_set(os.environ))
    return DecodeStep(anatomy, means)


class DecodeStep:
    """A model's decode step; its weights must stay where they are from now on."""

    def __init__(self, anatomy: Anatomy, means: Means) -> None:
        self._anatomy = anatomy
        self._wide = wide = WideTensors()
        self._parts = parts_of(
            [NativeLayer(layer, anatomy, means, wide) for layer in anatomy.layers]
        )
        self._like = torch.empty(0)  # tells the rotation to stay in float32
        weight = anatomy.head.weight
        self._vocabulary = weight.shape[0]
        self._head = Linear(
            weights=weight.data_ptr(),
            format=FORMATS[weight.dtype],
            bias=wide.address_of(anatomy.head.bias),
            norm=wide.norm(anatomy.norm),
            inputs=weight.shape[1],
            outputs=weight.shape[0],
            wide=True,
            threads=means.threads,
            instructions=means.instructions,
        )

    def logits(
        self, tokens: list[int], lengths: list[int], cache: SlotCache
    ) -> NDArray[np.float32]:
        """Append one token to each of the first slots, which hold `lengths` tokens.

        Args:
            tokens: one for each slot.
            lengths: of the slots; the cache has room for one token more.
            cache: has been written by a prefill.

        Returns:
            Logits, float32 [slots, vocabulary].
        """
        rows = self._anatomy.embedding[torch.tensor(tokens)].float()
        positions = torch.tensor(lengths)
        cosines, sines = self._anatomy.rotation(self._like, positions[:, None])
        shared = NewTokens(
            count=len(tokens),
            positions=positions.data_ptr(),
            cosines=cosines.data_ptr(),
            sines=sines.data_ptr(),
        )
        slots = cache.slots_of_layers()
        for layers, part in self._parts:
            part.run(rows, shared, slots[layers])
        logits = torch.empty(len(tokens), self._vocabulary)
        self._head.forward(rows.data_ptr(), len(tokens), logits.data_ptr())
        found: NDArray[np.float32] = logits.numpy()
        return found
