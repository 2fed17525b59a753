"""Memory that serves again: a fresh page costs as much as reading what is put into it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forensics.loaders._lent import lent

_LEAST_BYTES = 1 << 18
_KEPT_BYTES = 64 << 20
"""What lies ready may be so much."""
_spare: dict[int, list[npt.NDArray[np.uint8]]] = {}


def memory(size: int) -> npt.NDArray[np.uint8]:
    """Octets of no particular value. When nothing looks into them any more, they serve for another piece."""
    if size < _LEAST_BYTES:
        return np.empty(size, np.uint8)
    step = 1 << (size.bit_length() - 3)
    usual = -(-size // step) * step
    try:
        owner = _spare[usual].pop()
    except LookupError:
        owner = np.empty(usual, np.uint8)
    return lent(owner, _put_back)[:size]


def whole_numbers(rows: int, count: int) -> npt.NDArray[np.int64]:
    """The same as rows of 64-bit numbers."""
    return memory(8 * rows * count).view(np.int64).reshape(rows, count)


def _put_back(owner: npt.NDArray[np.uint8]) -> None:
    if sum(len(spare) * size for size, spare in _spare.copy().items()) + len(owner) <= _KEPT_BYTES:
        _spare.setdefault(len(owner), []).append(owner)
