"""The call a function makes to itself before it says that it is ready."""

from __future__ import annotations

from array import array

from remoe_functions.wire.client import Connection
from remoe_functions.wire.errors import WireError
from remoe_functions.wire.message import PAIR_EXPERT, PAIR_ROW, PAIR_WEIGHT, Call, WireDtype
from remoe_planner.experts import ExpertId

TIMEOUT_SECONDS = 30.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class ProbeError(Exception):
    """The function does not answer its own call."""


def probe(host: str, port: int, *, token: str, expert: ExpertId, hidden_size: int) -> None:
    """Send one row to one expert over the real wire, and wait for the answer.

    Raises:
        ProbeError: no answer, or a refusal.
    """
    row = memoryview(array(PAIR_WEIGHT, [1.0]) * hidden_size).cast("B")
    call = Call(
        call_id=1,
        deadline_seconds=TIMEOUT_SECONDS,
        layer=expert.layer,
        rows=row.cast("f", (1, hidden_size)),
        dtype=WireDtype.FLOAT32,
        answer_dtype=WireDtype.FLOAT32,
        token_rows=memoryview(array(PAIR_ROW, [0])),
        experts=memoryview(array(PAIR_EXPERT, [expert.index])),
        weights=memoryview(array(PAIR_WEIGHT, [1.0])),
    )
    try:
        with Connection.open(
            _EVERYWHERE.get(host, host), port, token=token, timeout_seconds=TIMEOUT_SECONDS
        ) as connection:
            connection.send(call)
            connection.receive(call.call_id, timeout_seconds=TIMEOUT_SECONDS)
    except WireError as error:
        raise ProbeError(f"the function does not answer its own call: {error}") from error
