"""One forward pass of the model over the slot cache. Which requests are in it is the engine's."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from remoe_functions.main.decode_step import DecodeStep
from remoe_functions.main.slot_cache import SlotCache


class Stepper:
    """The model and its cache, behind two verbs: prefill one slot, decode the first slots.

    A model with a decode step of its own in native code takes that; else, and for prefill, the
    forward pass is transformers'.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        cache: SlotCache,
        device: torch.device,
        decode_step: DecodeStep | None = None,
    ) -> None:
        self.cache = cache
        self._model = model
        self._device = device
        self._decode_step = decode_step

    def prefill(self, tokens: list[int], *, slot: int, start: int) -> NDArray[np.float32]:
        """Append tokens to one slot at position `start`; the last one's logits, [vocabulary]."""
        self.cache.look_at_one(slot, start, len(tokens))
        positions = torch.arange(start, start + len(tokens))[None]
        logits: NDArray[np.float32] = self._forward(torch.tensor([tokens]), positions)[0]
        return logits

    @torch.inference_mode()
    def decode(self, tokens: list[int], lengths: list[int]) -> NDArray[np.float32]:
        """Append one token to each of the first slots, which hold `lengths` tokens.

        Returns:
            Logits, float32 [slots, vocabulary].
        """
        if self._decode_step is not None and self.cache.written:
            return self._decode_step.logits(tokens, lengths, self.cache)
        self.cache.look_at_first(lengths)
        return self._forward(torch.tensor(tokens)[:, None], torch.tensor(lengths)[:, None])

    @torch.inference_mode()
    def _forward(self, tokens: torch.Tensor, positions: torch.Tensor) -> NDArray[np.float32]:
        output = self._model(
            input_ids=tokens.to(self._device),
            position_ids=positions.to(self._device),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: NDArray[np.float32] = output.logits[:, -1].float().cpu().numpy()
        return logits
