"""Transformers alone: `generate` on the whole checkpoint in one process, nothing of ours in it."""

from __future__ import annotations

import sys
from pathlib import Path

from evaluation.rivals.rival import Rival

# The fastest of transformers' own ways on a CPU, if only by a few per cent before "eager";
# "batched_mm" copies an expert's weights for each token and takes a hundred times as long a prompt.
EXPERTS = "grouped_mm"
SERVER = Path(__file__).with_name("transformers_server.py")


class TransformersAlone(Rival):
    """Plain `generate`: bfloat16, scaled-dot-product attention, a dynamic cache, batch one."""

    name = "transformers alone"

    def __init__(self, *, threads: int = 2, experts: str = EXPERTS) -> None:
        super().__init__(threads=threads)
        self.experts = experts

    @property
    def settings(self) -> str:
        return f"bfloat16, sdpa, experts {self.experts}, {self.threads} threads"

    def prepare(self, model_dir: Path) -> None:
        """Nothing: it reads the checkpoint as it is."""

    def command(self, model_dir: Path, port: int) -> list[str]:
        options = {
            "--model": model_dir,
            "--port": port,
            "--threads": self.threads,
            "--experts": self.experts,
        }
        words = [str(word) for pair in options.items() for word in pair]
        return [sys.executable, str(SERVER), *words]
