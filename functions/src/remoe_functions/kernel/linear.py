"""A linear layer for few rows, where reading its weights is all the work; normed rows if wished.

By addresses, since its caller's arrays are of a library that is not imported here. Many rows are
better off with that library's own product.
"""

from __future__ import annotations

from dataclasses import dataclass

from remoe_functions.kernel.layout import LINEAR, Format
from remoe_functions.kernel.library import library
from remoe_functions.kernel.machine import InstructionSet
from remoe_functions.kernel.norm import NO_NORM, Norm

MOST_THREADS = 256
STEP_FORMATS = (Format.BF16, Format.F32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """`y = norm(x) @ W.T + bias`, sums in float32; whoever makes it keeps the arrays alive.

    Attributes:
        weights: address of [outputs, inputs], dense.
        format: of the weights, BF16 or F32.
        bias: address of float32 [outputs], or 0 for none.
        norm: what rows go through first.
        inputs: width of a row.
        outputs: width of an answer.
        wide: rows and answers are float32 instead of bfloat16.
        threads: 1 to 256, the caller's among them.
        instructions: the code path.
    """

    weights: int
    format: Format = Format.BF16
    bias: int
    norm: Norm = NO_NORM
    inputs: int
    outputs: int
    wide: bool = False
    threads: int
    instructions: InstructionSet

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= MOST_THREADS:
            raise ValueError(f"threads must be 1 to {MOST_THREADS}, got {self.threads}")
        if self.weights == 0 or min(self.inputs, self.outputs) < 1:
            raise ValueError(f"weights must be a matrix, got {self.outputs} by {self.inputs}")
        if self.format not in STEP_FORMATS:
            raise ValueError(f"format must be BF16 or F32, got {self.format.name}")

    def forward(self, rows: int, count: int, out: int) -> None:
        """Compute `count` rows.

        Args:
            rows: address of [count, inputs], dense.
            count: 1 and more.
            out: address of [count, outputs], dense, to write into.

        Raises:
            ValueError: no rows.
            MemoryError: no memory for a copy of the rows.
        """
        if count < 1:
            raise ValueError(f"count must be >= 1, got {count}")
        call = LINEAR.pack(
            self.weights,
            self.bias,
            self.norm.packed,
            rows,
            out,
            count,
            self.inputs,
            self.outputs,
            self.format,
            self.wide,
            self.threads,
            self.instructions.number,
        )
        if library().remoe_linear(call):
            raise MemoryError("no memory for the rows of a linear layer")
