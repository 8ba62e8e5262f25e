"""A tiny Mixtral with a tokenizer of bytes and a chat template: enough to ask it something."""

from __future__ import annotations

from builders.tiny_checkpoints import build
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def talking_mixtral(folder, **fields):
    """Write it to a folder and return that; `fields` go to its config."""
    tokenizer = byte_tokenizer()
    build("mixtral", folder, vocab_size=tokenizer.vocab_size, **fields)
    tokenizer.save_pretrained(folder)
    return folder


def byte_tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate((*SPECIAL, *alphabet, "th"))}
    inner = Tokenizer(models.BPE(vocabulary, [("t", "h")], unk_token=SPECIAL[0]))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token=SPECIAL[0],
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[2],
        chat_template=TEMPLATE,
    )
