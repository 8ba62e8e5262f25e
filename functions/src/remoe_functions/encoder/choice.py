"""One place where an encoder's name becomes an encoder."""

from __future__ import annotations

from enum import StrEnum

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.encoder import Encoder
from remoe_functions.encoder.joint import JointEncoder, Voice
from remoe_functions.encoder.sentence import SentenceEncoder
from remoe_functions.encoder.token_sum import TokenSumEncoder
from remoe_functions.encoder.words import WordsEncoder

_SENTENCE_WEIGHT = 0.35


class EncoderKind(StrEnum):
    """Encoders to choose from."""

    TOKENS = "tokens"
    WORDS = "words"
    SENTENCE = "sentence"
    TOKENS_AND_SENTENCE = "tokens+sentence"


DEFAULT_ENCODER = EncoderKind.TOKENS


def new_encoder(kind: EncoderKind, checkpoint: Checkpoint) -> Encoder:
    """The encoder of this name for a model.

    Raises:
        EncoderError: what it needs is not there.
    """
    match kind:
        case EncoderKind.TOKENS:
            return TokenSumEncoder.open(checkpoint)
        case EncoderKind.WORDS:
            return WordsEncoder()
        case EncoderKind.SENTENCE:
            return SentenceEncoder.open()
        case EncoderKind.TOKENS_AND_SENTENCE:
            sentence = Voice(encoder=SentenceEncoder.open(), weight=_SENTENCE_WEIGHT)
            return JointEncoder([Voice(encoder=TokenSumEncoder.open(checkpoint)), sentence])
