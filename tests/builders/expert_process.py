"""Real expert functions: processes on real sockets, each with its bound and its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.wire.client import Connection
from remoe_planner.plan import FunctionPlan, Plan

TOKEN = "a secret of the tests"
NAME = "experts-a"
START_SECONDS = 60.0


def plan_for(folder, *, served, name=NAME, memory_bytes=1 << 30):
    """A plan with one function that serves the experts for which `served` is true."""
    shape = Checkpoint.open(folder).architecture
    experts = tuple(expert for expert in shape.experts if served(expert))
    function = FunctionPlan(name=name, experts=experts, memory_bytes=memory_bytes)
    return Plan(architecture=shape, functions=(function,), main_memory_bytes=1)


def written_plan(plan, path):
    path.write_text(plan.to_json())
    return path


def command(folder, plan_path, *extra, name=NAME):
    module = [sys.executable, "-m", "remoe_functions.expert"]
    return [*module, "--model", str(folder), "--plan", str(plan_path), "--function", name, *extra]


def environment(**changes):
    """The environment of a function; a variable set to None is left out."""
    wanted = os.environ | {"REMOE_FUNCTION_TOKEN": TOKEN, "REMOE_CPUS": "1"} | changes
    return {name: value for name, value in wanted.items() if value is not None}


def outcome(folder, plan_path, *extra, name=NAME, **env):
    """(exit status, standard error) of a function that is expected not to start."""
    done = subprocess.run(
        command(folder, plan_path, *extra, name=name),
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    return done.returncode, done.stderr


class RunningFunction:
    """A started function that said it is ready."""

    def __init__(self, process):
        self.process = process
        line = _first_line(process)
        address = json.loads(line)["ready"]
        self.host, self.port = address["host"], address["port"]
        self.metrics_port = address["metrics_port"]

    def connect(self, token=TOKEN):
        return Connection.open(self.host, self.port, token=token, timeout_seconds=10.0)

    def get(self, path):
        """(status, body) of the monitor."""
        try:
            url = f"http://{self.host}:{self.metrics_port}{path}"
            with urllib.request.urlopen(url, timeout=10.0) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name, **labels):
        """The value of one sample, or None."""
        from prometheus_client.parser import text_string_to_metric_families

        _, text = self.get("/metrics")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def wait_until(self, holds, seconds=20.0):
        """Wait for something that happens in the function."""
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.01)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def status(self, seconds=30.0):
        """The exit status, once it has ended."""
        return self.process.wait(seconds)


@contextlib.contextmanager
def running(folder, plan_path, *extra, pass_fds=(), **env):
    """A function that serves within the block and is gone after it."""
    process = subprocess.Popen(
        command(folder, plan_path, *extra),
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )
    try:
        yield RunningFunction(process)
    finally:
        process.kill()
        process.communicate(timeout=10.0)


def _first_line(process):
    """The first line of its output; a function that does not speak in time is killed."""
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    assert line, f"the function did not start: {process.stderr.read()}"
    return line
