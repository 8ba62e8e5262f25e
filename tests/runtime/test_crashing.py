import asyncio
import os
import signal
import socket

import psutil
import pytest

from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.errors import PartNotReady
from remoe_functions.runtime.readiness import wait_ready
from remoe_functions.runtime.state import ReplicaState


async def test_a_killed_replica_is_replaced(world):
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        first = await wait_ready(runtime, "echo", 15)
        os.kill(world.pids(runtime, "echo")[0], signal.SIGKILL)
        await world.until(runtime, lambda parts: not parts["echo"].ready)
        second = await wait_ready(runtime, "echo", 15)
        part = (await runtime.snapshot()).parts["echo"]
        assert second.id != first.id
        assert (part.restarts, part.wakes, len(part.replicas)) == (1, 1, 1)
        assert part.last_failure.startswith(f"{first.id} was killed by SIGKILL")


async def test_who_connects_while_nobody_runs_is_answered_by_the_replacement(world):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        behavior = {"listener": listener.fileno()}
        part = world.part(behavior=behavior, inherited_fds=(listener.fileno(),))
        address = listener.getsockname()
        async with world.runtime(part) as runtime:
            await runtime.wake("echo")
            first = await asyncio.to_thread(_ask, address)
            assert first == world.pids(runtime, "echo")[0]
            os.kill(first, signal.SIGKILL)
            second = await asyncio.to_thread(_ask, address)
            assert second != first
            assert second == world.pids(runtime, "echo")[0]


def _ask(address):
    with socket.create_connection(address, 15) as connection:
        return int(connection.recv(100))


async def test_a_part_that_cannot_start_is_tried_again_ever_more_slowly(world):
    clock_marks = []
    async with world.runtime(world.part(behavior={"fails": True})) as runtime:
        await runtime.wake("echo")
        for failures in range(1, 5):
            await world.until_true(lambda n=failures: runtime._pools["echo"]._failures >= n)
            pool = runtime._pools["echo"]
            clock_marks.append(pool.spec.backoff.delay_seconds(pool._failures))
    assert clock_marks == [0.05, 0.1, 0.2, 0.4]


async def test_a_failed_replica_is_shown_until_its_successor_starts(world):
    part = world.part(behavior={"fails": True})
    async with world.runtime(part) as runtime:
        await runtime.wake("echo")
        snapshot = await world.until(runtime, lambda parts: parts["echo"].last_failure)
        assert [r.state for r in snapshot.parts["echo"].replicas] == [ReplicaState.FAILED]


async def test_failing_to_start_is_told_with_the_last_words(world):
    async with world.runtime(world.part(behavior={"fails": True})) as runtime:
        await runtime.wake("echo")
        with pytest.raises(PartNotReady) as caught:
            await wait_ready(runtime, "echo", 15)
    assert "fails again and again" in str(caught.value)
    assert "exited with code 1" in caught.value.last_failure
    assert "reading the checkpoint | the weights are cut short" in caught.value.last_failure


async def test_a_part_heals_once_its_trouble_is_over(world):
    lever = world.levers("echo") / "fails"
    lever.write_text("1")
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        await world.until(runtime, lambda parts: parts["echo"].restarts == 1)
        lever.unlink()
        await wait_ready(runtime, "echo", 15)


async def test_a_command_that_is_not_there_is_a_failure_in_words(world):
    async with world.runtime(world.part(argv=("/no/such/program",))) as runtime:
        await runtime.wake("echo")
        snapshot = await world.until(runtime, lambda parts: parts["echo"].last_failure)
        assert "could not be started" in snapshot.parts["echo"].last_failure
        assert "/no/such/program" in snapshot.parts["echo"].last_failure


async def test_a_replica_that_is_never_ready_is_ended(world):
    part = world.part(behavior={"mute": True}, startup_seconds=1)
    async with world.runtime(part) as runtime:
        await runtime.wake("echo")
        snapshot = await world.until(runtime, lambda parts: parts["echo"].last_failure)
        assert "not ready within 1 s" in snapshot.parts["echo"].last_failure


async def test_a_hung_replica_is_replaced(world):
    async with world.runtime(world.part(silence_seconds=0.5)) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        await asyncio.sleep(0.1)
        os.kill(world.pids(runtime, "echo")[0], signal.SIGSTOP)
        snapshot = await world.until(runtime, lambda parts: parts["echo"].last_failure)
        assert "no sign of life for 0.5 s" in snapshot.parts["echo"].last_failure
        await wait_ready(runtime, "echo", 15)


async def test_a_replica_beyond_its_memory_limit_dies_and_says_why(world):
    part = world.part(private_memory_limit_bytes=256 << 20)
    async with world.runtime(part) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        (world.levers("echo") / "swallow").write_text(str(1 << 30))
        snapshot = await world.until(runtime, lambda parts: parts["echo"].last_failure)
        (world.levers("echo") / "swallow").unlink()
        assert "memory limit of 256 MiB" in snapshot.parts["echo"].last_failure
        await wait_ready(runtime, "echo", 15, restarts_allowed=10)


async def test_a_talkative_part_does_not_fill_the_disk(world):
    part = world.part(behavior={"chatty": 20_000}, log_bytes=4096)
    async with world.runtime(part) as runtime:
        await runtime.wake("echo")
        log = world.run_dir / "logs" / "echo-1.log"
        kept = log.with_suffix(".log.1")
        await world.until_true(kept.exists)
        await asyncio.sleep(1.2)
        assert log.stat().st_size < 60_000
        assert kept.stat().st_size <= 4096


async def test_a_part_that_fails_for_long_keeps_the_latest_logs_only(world):
    part = world.part(argv=("/no/such/program",), backoff=Backoff(first_seconds=0, max_seconds=0))
    async with world.runtime(part) as runtime:
        await runtime.wake("echo")
        await world.until(runtime, lambda parts: parts["echo"].restarts > 15)
        logs = list((world.run_dir / "logs").iterdir())
        assert 10 <= len(logs) <= 12
        assert world.run_dir / "logs" / "echo-1.log" not in logs


async def test_what_a_replica_started_goes_with_it(world):
    async with world.runtime(world.part(behavior={"grandchild": True})) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        grandchild = int((world.levers("echo") / "grandchild").read_text())
        os.kill(world.pids(runtime, "echo")[0], signal.SIGKILL)
        await world.until_true(lambda: not _alive(grandchild))


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
