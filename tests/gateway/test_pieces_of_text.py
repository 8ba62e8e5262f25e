"""Laws of incremental text: pieces joined are the whole, characters stay whole, stops are cut."""

import pytest
from gateway.conftest import byte_level
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models

from remoe_functions.gateway.detokenizer import Detokenizer
from remoe_functions.gateway.stop import StopStrings
from remoe_functions.gateway.tokenizer import Tokenizer

BYTE_LEVEL = Tokenizer(byte_level())
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def byte_fallback():
    """A Llama-like tokenizer: words with leading spaces, bytes for everything else."""
    words = ["<s>", "▁hello", "▁world", "▁", "wo", "r", "ld"]
    vocabulary = {w: i for i, w in enumerate([*words, *(f"<0x{b:02X}>" for b in range(256))])}
    backend = Backend(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<s>"))
    backend.add_special_tokens(["<s>"])
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return Tokenizer(backend)


BYTE_FALLBACK = byte_fallback()


def pieces_of(tokenizer, tokens):
    detokenizer = tokenizer.detokenizer()
    return [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]


@given(st.lists(st.integers(0, 319), max_size=60))
def test_joined_pieces_are_the_whole_for_any_tokens(tokens):
    assert "".join(pieces_of(BYTE_LEVEL, tokens)) == BYTE_LEVEL.decode(tokens)


def fallback_tokens(text):
    return [7 + byte for byte in text.encode()]


# This decoder replaces a whole run of bytes when one of them is wrong, so only sound runs count.
@given(
    st.lists(st.one_of(st.sampled_from([[0], [1], [2], [3], [4]]), TEXTS.map(fallback_tokens))).map(
        lambda parts: [token for part in parts for token in part]
    )
)
def test_joined_pieces_are_the_whole_with_byte_fallback(tokens):
    assert "".join(pieces_of(BYTE_FALLBACK, tokens)) == BYTE_FALLBACK.decode(tokens)


@given(TEXTS.filter(lambda text: "\ufffd" not in text))
def test_no_piece_of_sound_text_has_a_broken_character(text):
    pieces = pieces_of(BYTE_LEVEL, BYTE_LEVEL.encode(text, add_special_tokens=False))
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_text_comes_as_soon_as_it_is_certain():
    tokens = BYTE_LEVEL.encode("hi 🦊 there", add_special_tokens=False)
    detokenizer = BYTE_LEVEL.detokenizer()
    for count, token in enumerate(tokens, 1):
        detokenizer.push(token)
        whole = BYTE_LEVEL.decode(tokens[:count])
        assert detokenizer.flush() == "" or whole.endswith("\ufffd")
        if whole.endswith("\ufffd"):
            return


def test_garbage_without_end_is_decoded_now_and_then_only():
    calls = []

    def decode(tokens):
        calls.append(len(tokens))
        return "\ufffd" * len(tokens)

    detokenizer = Detokenizer(decode)
    for token in range(1600):
        detokenizer.push(token)
    assert len(calls) < 150
    assert detokenizer.flush() == "\ufffd" * 1600


STOPS = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3)


def cut(text, stops):
    """The law, said the slow way: stop at the first stop that completes, the longest of them."""
    for end in range(1, len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)]
    return text


@given(st.lists(st.text("abc", max_size=3), max_size=12), STOPS)
def test_stop_strings_are_cut_wherever_the_pieces_end(pieces, stops):
    finder = StopStrings(stops)
    shown = [finder.push(piece) for piece in pieces] + [finder.flush()]
    text = "".join(pieces)
    assert "".join(shown) == cut(text, stops)
    assert (finder.matched is not None) == (cut(text, stops) != text)


@given(st.lists(st.text("abc", max_size=3), max_size=12), STOPS)
def test_no_start_of_a_stop_string_is_shown_too_early(pieces, stops):
    finder, shown = StopStrings(stops), ""
    for piece in pieces:
        shown += finder.push(piece)
        assert not any(stop in shown for stop in stops)
    assert cut("".join(pieces), stops).startswith(shown)


def test_text_held_back_is_given_out_when_it_was_no_stop():
    finder = StopStrings(["END"])
    assert [finder.push("the EN"), finder.push("glish"), finder.flush()] == ["the ", "ENglish", ""]


def test_empty_stop_string_is_no_stop_string():
    with pytest.raises(ValueError, match="empty"):
        StopStrings(["a", ""])


@given(TEXTS)
def test_bytes_of_tokens_spell_the_text(text):
    tokens = BYTE_LEVEL.encode(text, add_special_tokens=False)
    assert b"".join(map(BYTE_LEVEL.bytes_of, tokens)) == text.encode()


def test_bytes_of_fallback_tokens_are_theirs():
    assert BYTE_FALLBACK.bytes_of(7 + 0xF0) == b"\xf0"
    assert BYTE_FALLBACK.bytes_of(1) == b" hello"
    assert BYTE_FALLBACK.bytes_of(10_000) == b""
