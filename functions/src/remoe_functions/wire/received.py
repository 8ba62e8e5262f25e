"""What came: calls and answers that still lie in the frame they were received into.

Nothing is taken apart before somebody looks: native code is told where the arrays lie, and only
whoever wants them as numbers has numpy, and waits for its import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remoe_functions.wire.header import HEADER_BYTES, Header
from remoe_functions.wire.message import PAIR_EXPERT, PAIR_ROW, PAIR_WEIGHT, WireDtype

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FrameBytes = bytearray  # a whole received frame, its header first
DTYPES = {int(dtype): dtype for dtype in WireDtype}
_WEIGHT_BYTES, _ROW_BYTES, _EXPERT_BYTES = 4, 4, 2


class ReceivedCall:
    """A `Call` as it came: `rows` and the arrays of pairs are views of `data`.

    Attributes:
        data: the frame; the receiver's own, to keep or to overwrite.
        call_id: as in `Call`, like those that follow.
        deadline_seconds: as in `Call`; finite.
        layer: as in `Call`.
        dtype: what the numbers in `rows` are.
        answer_dtype: what the numbers of the answer shall be.
        shape: (n, hidden) of `rows`.
        pair_count: pairs of row and expert; what they name is not checked.
        weights_at: where in `data` the weights of the pairs begin ...
        token_rows_at: ... and their token rows ...
        rows_at: ... and the rows ...
        experts_at: ... and the experts of the pairs.
    """

    __slots__ = (
        *("answer_dtype", "call_id", "data", "deadline_seconds", "dtype", "experts_at", "layer"),
        *("pair_count", "rows_at", "shape", "token_rows_at", "weights_at"),
    )

    def __init__(self, header: Header, data: FrameBytes) -> None:
        self.data = data
        self.call_id = header.call_id
        self.deadline_seconds = header.seconds
        self.layer = header.layer
        self.dtype = DTYPES[header.code]
        self.answer_dtype = DTYPES[header.answer_code]
        self.shape = header.rows, header.hidden
        self.pair_count = pairs = header.pairs
        self.weights_at = HEADER_BYTES
        self.token_rows_at = HEADER_BYTES + pairs * _WEIGHT_BYTES
        self.rows_at = self.token_rows_at + pairs * _ROW_BYTES
        self.experts_at = len(data) - pairs * _EXPERT_BYTES

    @property
    def rows(self) -> NDArray[Any]:
        """[n, hidden]."""
        return _array(self.data, self.shape, self.dtype.format, self.rows_at)

    @property
    def token_rows(self) -> NDArray[np.uint32]:
        """[p]."""
        return _array(self.data, (self.pair_count,), PAIR_ROW, self.token_rows_at)

    @property
    def experts(self) -> NDArray[np.uint16]:
        """[p]."""
        return _array(self.data, (self.pair_count,), PAIR_EXPERT, self.experts_at)

    @property
    def weights(self) -> NDArray[np.float32]:
        """[p]."""
        return _array(self.data, (self.pair_count,), PAIR_WEIGHT, self.weights_at)


class ReceivedAnswer:
    """An `Answer` as it came: `rows` are a view of the frame.

    Attributes:
        call_id: as in `Answer`, like those that follow.
        dtype: what the numbers in `rows` are.
        shape: (n, hidden) of `rows`.
        busy_seconds: how long the function computed.
    """

    __slots__ = ("_data", "busy_seconds", "call_id", "dtype", "shape")

    def __init__(self, header: Header, data: FrameBytes) -> None:
        self._data = data
        self.call_id = header.call_id
        self.dtype = DTYPES[header.code]
        self.shape = header.rows, header.hidden
        self.busy_seconds = header.seconds

    @property
    def rows(self) -> NDArray[Any]:
        """[n, hidden] in the call's dtype."""
        return _array(self._data, self.shape, self.dtype.format, HEADER_BYTES)


def _array(data: FrameBytes, shape: tuple[int, ...], code: str, begin: int) -> NDArray[Any]:
    import numpy as np

    return np.ndarray(shape, code, data, begin)
