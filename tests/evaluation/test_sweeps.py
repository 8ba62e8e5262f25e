import sys
from dataclasses import replace
from pathlib import Path

import pytest
from builders.tiny_stage import a_stage
from evaluation import ablations, network, omitted, ratios
from evaluation.point import Load
from evaluation.sweep import Task, options, stages, swept
from evaluation.table import as_csv

pytestmark = pytest.mark.slow


def named(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["script", *words])


def test_without_data_a_script_says_so_and_exits_with_two(monkeypatch, capsys, tmp_path):
    named(monkeypatch, "--out", str(tmp_path))

    with pytest.raises(SystemExit) as ended:
        options("tries")

    assert ended.value.code == 2
    assert "--data" in capsys.readouterr().err


def test_quick_run_looks_at_one_stage_only(monkeypatch, tmp_path):
    named(monkeypatch, "--out", str(tmp_path), "--data", str(tmp_path), "--quick")

    assert len(stages(options("tries"))) == 1


def test_rows_come_in_the_order_of_tasks():
    def rows(stage, quick):
        return [{"model": stage.model, "quick": quick}]

    tasks = [Task(stage=a_stage(model=name), rows=rows, quick=True) for name in ("b", "a")]

    assert [row["model"] for row in swept(tasks, 1)] == ["b", "a"]


@pytest.fixture
def tiny_point(monkeypatch):
    point = replace(ratios.CENTRE, prompt_tokens=20, output_tokens=10)
    monkeypatch.setattr(ratios, "CENTRE", point)
    monkeypatch.setattr(ratios, "LENGTHS", ((24, 8),))
    return point


def test_ratios_say_everything_that_the_page_asks_for(tiny_point):
    rows = ratios.rows_of(a_stage(), quick=True)

    assert {"model", "machine", "routing", "profile", "sweep", "cost_over_ours"} <= rows[0].keys()
    assert any(row["contender"] == "Remoe" and row["cost_over_ours"] == 1 for row in rows)
    assert as_csv(rows)


def test_every_network_has_mix_for_reference():
    rows = network.rows_of(a_stage(), quick=True)
    mix = [row for row in rows if row["contender"] == "MIX"]

    assert mix
    assert all(row["mix_over_this"] == 1 for row in mix)
    assert len({row["usd_per_request"] for row in mix}) == 1


def test_parts_of_omitted_costs_add_up(monkeypatch):
    load = Load(name="some", requests_per_second=1 / 60)
    monkeypatch.setattr(omitted, "LOADS", (load,))
    monkeypatch.setattr(
        omitted, "point_of", lambda _: replace(POINT_OF(load), prompt_tokens=20, output_tokens=10)
    )
    rows = omitted.rows_of(a_stage(), quick=True)

    names = ("busy", "cold_start", "idle", "fees", "network")
    for row in rows:
        parts = sum(row[f"{name}_usd_per_request"] for name in names)
        assert row["total_usd_per_request"] == pytest.approx(parts)
    ours = next(row for row in rows if row["contender"] == "Remoe")
    assert ours["over_ours_total"] == 1


def test_each_scene_of_the_ablations_begins_with_the_whole():
    rows = ablations.rows_of(a_stage(data=Path("nowhere")), quick=True)
    scenes = list(dict.fromkeys(row["scene"] for row in rows))

    for scene in scenes:
        first = next(row for row in rows if row["scene"] == scene)
        assert first["ablation"] == "Remoe"
        assert first["cost_over_ours"] == 1


POINT_OF = omitted.point_of
