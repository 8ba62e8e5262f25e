"""Runs of the fetching process against a model hub on a real socket, and onto a real folder."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from builders.model_hub import Hub
from builders.small_mixtral import small_mixtral

from remoe_functions.fetching.arguments import parse
from remoe_functions.fetching.bringing import bring
from remoe_functions.fetching.errors import FetchError
from remoe_functions.fetching.progress import ProgressMeter

SECONDS = 60


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch):
    for name in ("HF_TOKEN", "HF_ENDPOINT", "REMOE_DENSE_GGUF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def model_files(tmp_path_factory):
    """A model of 13 MB, more than the client writes at once."""
    folder = small_mixtral(tmp_path_factory.mktemp("published"), vocabulary=200_000)
    (folder / "tokenizer.json").write_text("{}")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def hub(model_files):
    served = Hub(model_files | {"README.md": b"unwanted", "original/model.safetensors": b"no"})
    yield served
    served.stop()


@pytest.fixture
def data(tmp_path):
    """The volume."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def fetch(hub, data):
    """Fetches within this process, onto the volume; raises what the process would tell."""

    def run(uri="hf://org/tiny", *options):
        where = ("--uri", uri, "--endpoint", hub.url, "--into", data)
        return bring(parse([str(word) for word in (*where, *options)]), ProgressMeter())

    return run


@pytest.fixture
def refused(fetch):
    """Why a fetch fails."""

    def run(*arguments):
        with pytest.raises(FetchError) as caught:
            fetch(*arguments)
        return caught.value

    return run


@dataclass
class Process:
    """The fetching process, running or ended."""

    popen: subprocess.Popen
    port: int
    log: object

    def end(self):
        output, _ = self.popen.communicate(timeout=SECONDS)
        return self.popen.returncode, json.loads(self.log.read_text()), output

    def progress(self):
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/progress", timeout=5) as reply:
                return json.load(reply)
        except URLError:
            return None


@pytest.fixture
def start(hub, data, tmp_path):
    """Starts the process; it is killed in the end if it still runs."""
    started = []

    def run(uri="hf://org/tiny", *options, **environment):
        log, port = tmp_path / "termination-log", _free_port()
        log.write_text("")
        where = ("--uri", uri, "--endpoint", hub.url, "--into", data, "--host", "127.0.0.1")
        last = ("--port", port, "--termination-log", log, *options)
        popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "remoe_functions.fetching", *map(str, (*where, *last))],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(popen)
        return Process(popen, port, log)

    yield run
    for popen in started:
        popen.kill()
        popen.communicate()


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
