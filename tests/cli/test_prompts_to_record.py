"""Which prompts `remoe record` takes from a file."""

from __future__ import annotations

import json

from remoe_functions.cli.record import _drawn
from remoe_functions.sample_prompts.prompts import read_prompts, sample_prompts


def test_prompt_may_be_called_text_or_prompt_and_hold_any_line_separator(tmp_path):
    lines = [{"text": "one\u2028two"}, {"prompt": "three\x85four\nfive", "domain": "math"}]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\r\n")
    assert [prompt.text for prompt in read_prompts(path)] == ["one\u2028two", "three\x85four\nfive"]


def test_limit_takes_the_first_and_with_a_seed_the_same_ones_by_chance():
    prompts = sample_prompts()
    assert _drawn(prompts, 3, None) == prompts[:3]
    assert _drawn(prompts, 3, 7) == _drawn(prompts, 3, 7) != list(prompts[:3])
    assert len(_drawn(prompts, None, 7)) == len(prompts)
    assert len(_drawn(prompts, 10_000, 7)) == len(prompts)
