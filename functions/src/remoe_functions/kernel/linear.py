"""A plain linear layer in bfloat16 for few rows, where reading its weights is all the work.

By addresses, since its caller's arrays are of a library that is not imported here. Many rows are
better off with that library's own product.
"""

from __future__ import annotations

from dataclasses import dataclass

from remoe_functions.kernel.layout import LINEAR
from remoe_functions.kernel.library import library
from remoe_functions.kernel.machine import InstructionSet

MOST_ROWS = 64
MOST_THREADS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """`y = x @ W.T + bias`, sums in float32; whoever makes it keeps the arrays alive.

    Attributes:
        weights: address of bfloat16 [outputs, inputs], dense.
        bias: address of bfloat16 [outputs], or 0 for none.
        inputs: width of a row.
        outputs: width of an answer.
        threads: 1 to 256, the caller's among them.
        instructions: the code path.
    """

    weights: int
    bias: int
    inputs: int
    outputs: int
    threads: int
    instructions: InstructionSet

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= MOST_THREADS:
            raise ValueError(f"threads must be 1 to {MOST_THREADS}, got {self.threads}")
        if self.weights == 0 or min(self.inputs, self.outputs) < 1:
            raise ValueError(f"weights must be a matrix, got {self.outputs} by {self.inputs}")

    def forward(self, rows: int, count: int, out: int) -> None:
        """Compute `count` rows.

        Args:
            rows: address of bfloat16 [count, inputs], dense.
            count: 1 to MOST_ROWS.
            out: address of bfloat16 [count, outputs], dense, to write into.

        Raises:
            ValueError: too many rows.
            MemoryError: no memory for a copy of the rows.
        """
        if not 1 <= count <= MOST_ROWS:
            raise ValueError(f"count must be 1 to {MOST_ROWS}, got {count}")
        call = LINEAR.pack(
            self.weights,
            self.bias,
            rows,
            out,
            count,
            self.inputs,
            self.outputs,
            self.threads,
            self.instructions.number,
        )
        if library().remoe_linear(call):
            raise MemoryError("no memory for the rows of a linear layer")
