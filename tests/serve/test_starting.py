import shutil
import socket
import sys
from pathlib import Path

import pytest
from builders.planning_worlds import a_profile

from remoe_functions.cli.places import profile_file
from remoe_functions.cli.serve import ServeOptions, serve
from remoe_functions.cli.serve_folder import FolderInUse, RunFolder
from remoe_functions.cli.serve_model import _profile
from remoe_functions.cli.serve_options import Device
from remoe_functions.cli.serve_parts import (
    function_memory_limit_bytes,
    gateway_config,
    parts_of,
)
from remoe_functions.gateway.config import GatewayConfig
from remoe_functions.source.source import resolve
from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId
from remoe_planner.plan import FunctionPlan, Plan

SHAPE = Architecture(
    name="tiny",
    revision="r1",
    layers=(0,),
    experts_per_layer=4,
    top_k=2,
    hidden_size=8,
    expert_bytes=1 << 20,
    main_bytes=1 << 20,
)


def plan(name="experts-0", **knobs):
    function = FunctionPlan(name=name, experts=(ExpertId(0, 1),), memory_bytes=64 << 20, **knobs)
    return Plan(architecture=SHAPE, functions=(function,), main_memory_bytes=1 << 30)


def options(**knobs):
    return ServeOptions(**{"model": Path("model"), "name": "tiny", "plan": plan(), **knobs})


@pytest.fixture
def folder(tmp_path):
    opened = RunFolder.open(tmp_path / "run")
    yield opened
    opened.close(keep=True)


async def test_a_port_in_use_is_one_readable_line(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert await serve(options(port=port, run_dir=tmp_path)) == 1
    error = capsys.readouterr().err
    assert error == f"remoe serve: cannot listen on 127.0.0.1:{port}: Address already in use\n"


async def test_a_folder_in_use_is_one_readable_line(tmp_path, folder, capsys):
    assert await serve(options(port=0, run_dir=folder.path)) == 1
    error = capsys.readouterr().err
    assert error == f"remoe serve: another service runs in {folder.path}\n"


async def test_a_function_that_cannot_be_a_part_is_one_readable_line(tmp_path, capsys):
    wrong = options(port=0, run_dir=tmp_path, plan=plan("main"))
    assert await serve(wrong) == 1
    assert "part names must be unique, got 'main' twice" in capsys.readouterr().err


async def test_a_host_that_is_not_ours_is_one_readable_line(tmp_path, capsys):
    assert await serve(options(host="203.0.113.7", run_dir=tmp_path)) == 1
    assert "cannot listen on 203.0.113.7:8000" in capsys.readouterr().err


def test_each_part_gets_its_own_secrets_alone(folder):
    environment = {"REMOE_API_KEYS": "keys", "HF_TOKEN": "hub", "HOME": "/home"}
    parts = parts_of(options(environment=environment), folder, "token", listen_fd=9)
    gateway, main, function = parts
    assert [part.name for part in parts] == ["gateway", "main", "experts-0"]
    assert gateway.env["REMOE_API_KEYS"] == "keys"
    assert "REMOE_API_KEYS" not in {**main.env, **function.env}
    assert all(part.env["REMOE_FUNCTION_TOKEN"] == "token" for part in parts)
    assert not any("HF_TOKEN" in part.env for part in parts)
    assert not any("token" in part.argv or "keys" in part.argv for part in parts)
    assert "REMOE_CONTROL" not in function.env


def test_only_the_gateway_inherits_the_listener(folder):
    gateway, *others = parts_of(options(), folder, "token", listen_fd=9)
    assert gateway.inherited_fds == (9,)
    assert gateway.argv[-2:] == ("--listen-fd", "9")
    assert all(part.inherited_fds == () for part in others)


async def test_a_port_in_use_is_told_before_anything_is_written(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        await serve(options(port=taken.getsockname()[1], run_dir=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_plan_bounds_its_functions(folder):
    wanted = options(plan=plan(max_replicas=3, keep_alive_seconds=7))
    function = parts_of(wanted, folder, "token", listen_fd=9)[2]
    assert (function.min_replicas, function.max_replicas) == (0, 3)
    assert function.keep_alive_seconds == 7
    limit = function_memory_limit_bytes(wanted.plan, wanted.plan.functions[0])
    assert function.private_memory_limit_bytes == limit > 63 << 20


@pytest.mark.parametrize(("idle", "least"), [(None, 1), (30.0, 0)])
def test_main_sleeps_only_where_an_idle_time_is_given(folder, idle, least):
    main = parts_of(options(main_idle_seconds=idle), folder, "token", listen_fd=9)[1]
    assert (main.min_replicas, main.keep_alive_seconds) == (least, idle)


def test_the_gateway_reads_what_was_written_for_it(folder):
    written = gateway_config(options(max_context=99), folder, 8123)
    folder.gateway_config.write_text(written.model_dump_json())
    read = GatewayConfig.read(folder.gateway_config)
    assert (read.port, read.models[0].max_context, read.models[0].main_part) == (8123, 99, "main")


def test_the_gateway_is_told_of_the_machine_and_of_when_main_sleeps(folder, tmp_path):
    wanted = options(profile=tmp_path / "profile.json", main_idle_seconds=30.0)
    model = gateway_config(wanted, folder, 8123).models[0]
    assert (model.profile, model.main_keep_alive_seconds) == (tmp_path / "profile.json", 30.0)


@pytest.mark.parametrize(
    ("left", "device", "used"),
    [
        (None, Device.AUTO, False),
        ({"gpu": False}, Device.AUTO, True),
        ({"gpu": False}, Device.CPU, True),
        ({"gpu": False}, Device.CUDA, False),
        ({"gpu": True}, Device.CUDA, True),
        ({"gpu": True}, Device.CPU, False),
        ("nonsense", Device.AUTO, False),
    ],
)
def test_profile_of_this_model_and_device_is_used_where_there_is_one(
    tmp_path, monkeypatch, left, device, used
):
    monkeypatch.setenv("REMOE_HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    source = resolve(str(tmp_path / "model"))
    place = profile_file(source)
    place.parent.mkdir()
    if left is not None:
        place.write_text(left if isinstance(left, str) else a_profile(**left).to_json())
    assert _profile(source, device) == (place if used else None)


def test_parts_run_with_this_interpreter_and_not_from_the_working_folder(folder):
    for part in parts_of(options(), folder, "token", listen_fd=9):
        assert part.argv[:3] == (sys.executable, "-P", "-m")


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"port": 70_000}, "port must be in 0..65535, got 70000"),
        ({"max_batch": 0}, "max_batch must be >= 1, got 0"),
        ({"max_context": 0}, "max_context must be >= 1, got 0"),
        ({"main_idle_seconds": -1}, "main_idle_seconds must be >= 0, got -1"),
    ],
)
def test_a_wrong_option_is_refused_by_name(knobs, words):
    with pytest.raises(ValueError, match=words):
        options(**knobs)


def test_a_deep_folder_keeps_its_socket_elsewhere(tmp_path):
    deep = RunFolder.open(tmp_path / ("x" * 60) / ("y" * 60))
    assert len(str(deep.control)) <= 100
    assert deep.path.is_dir()
    with pytest.raises(FolderInUse):
        RunFolder.open(deep.path)
    deep.close(keep=False)
    assert deep.path.is_dir()
    assert not deep.control.parent.exists()


@pytest.mark.parametrize("keep", [True, False])
def test_a_temporary_folder_goes_unless_its_logs_are_wanted(keep):
    temporary = RunFolder.open(None)
    temporary.close(keep=keep)
    assert temporary.path.exists() is keep
    shutil.rmtree(temporary.path, ignore_errors=True)


@pytest.mark.parametrize(("cores", "threads"), [(1, "1"), (2, "1"), (8, "7")])
def test_main_leaves_a_core_to_the_functions(folder, cores, threads):
    _, main, _ = parts_of(options(cores=cores), folder, "token", listen_fd=9)
    assert main.env["OMP_NUM_THREADS"] == threads


def test_main_alone_takes_every_core(folder):
    alone = Plan(architecture=SHAPE, functions=(), main_memory_bytes=1 << 30)
    _, main = parts_of(options(cores=8, plan=alone), folder, "token", listen_fd=9)
    assert main.env["OMP_NUM_THREADS"] == "8"


def test_thread_count_of_the_user_stands(folder):
    chosen = options(cores=8, environment={"OMP_NUM_THREADS": "3"})
    _, main, _ = parts_of(chosen, folder, "token", listen_fd=9)
    assert main.env["OMP_NUM_THREADS"] == "3"
