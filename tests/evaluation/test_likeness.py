"""The table of what resampling leaves as it was holds every way that requests are made."""

import pytest
from builders.recorded_traces import deepseek_folder, gptoss_folder
from evaluation.likeness import main
from evaluation.table import read_table

pytestmark = pytest.mark.slow


def test_recorded_drawn_and_resized_routing_stand_beside_each_other(tmp_path):
    deepseek_folder(tmp_path, prompts=4, tokens=1600)
    gptoss_folder(tmp_path, tokens=210)
    main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--quick"])
    rows = read_table(tmp_path / "out", "likeness").rows
    assert [row["what"].split(",")[0] for row in rows[:3]] == ["recorded", "recorded", "drawn"]
    assert {row["model"] for row in rows[3:]} == {
        "gpt2-moe",
        "qwen3-30b-a3b",
        "mixtral-8x7b",
        "deepseek-v3",
        "gpt-oss-20b",
    }
    assert [row["what"] for row in rows if row["answer_to_prompt_bits"]] == [
        "recorded, >= 128 tokens",
        "recorded, answers >= 128",
    ]
    assert all(0 < row["busiest_eighth"] < row["busiest_half"] < 1 for row in rows)


def test_without_data_it_says_so(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "--data is needed" in capsys.readouterr().err
