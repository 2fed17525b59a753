"""The chain of records in a buffer, and their headers, by ``forensics/kernels/packets.c``."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CDLL, byref, c_int32, c_int64
from typing import Final

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures._kernel import Bounds, Stride, pointers

Ints = npt.NDArray[np.int64]

LANES: Final = 16
"""Places from which a buffer is walked in turn: as many loads as a core has under way at once, and some."""
LANE_BYTES: Final = 64 << 10
_LEAST_ROOM, _USUAL_BYTES = 4096, 64


def walk(kernel: CDLL, buffer: npt.NDArray[np.uint8], stride: Stride, heads: Ints, end: int) -> tuple[Ints, int]:
    """Walk the chain of records from the first head on.

    Args:
        kernel: The compiled functions.
        buffer: The octets.
        stride: The format.
        heads: Places in ascending order, 1 to `LANES`: of the first record, and of others as far as one can guess.
        end: Records that start here or later are left; before it, a record's fixed part is always in the buffer.

    Returns:
        Starts of the records of the true chain, ascending, and where the next one would start. That may be before
        ``end`` where there are a great many.
    """
    lanes = len(heads)
    room = max(_LEAST_ROOM, (end - int(heads[0])) // _USUAL_BYTES)
    starts, bounds = np.empty(room, np.int64), np.append(heads, end)
    landed, counts = np.empty(lanes, np.int64), np.empty(lanes, np.int64)
    here = c_int64()
    count = kernel.packets_walk(
        *(buffer.ctypes.data, end, stride, bounds.ctypes.data, lanes, landed.ctypes.data, counts.ctypes.data),
        *(starts.ctypes.data, room, here),
    )
    return starts[:count], here.value


def fields(kernel: CDLL, buffer: npt.NDArray[np.uint8], starts: Ints, big_endian: bool, swapped: bool | None) -> Ints:
    """Seconds, fraction, captured and wire length of pcap records, one row each.

    Args:
        kernel: The compiled functions.
        buffer: The octets.
        starts: Where the records start; 16 octets of each are in the buffer.
        big_endian: Their byte order.
        swapped: Whether the wire length comes first; None where the greater one is the wire length.
    """
    columns = np.empty((4, len(starts)), np.int64)
    starts = np.ascontiguousarray(starts)
    kernel.packets_fields(
        *(buffer.ctypes.data, starts.ctypes.data, len(starts), big_endian),
        *(-1 if swapped is None else swapped, columns.ctypes.data),
    )
    return columns


def sound(kernel: CDLL, columns: Sequence[Ints], after: Ints, size: int, bounds: Bounds) -> tuple[int, bool]:
    """How many pcap records from the first on are sound, and whether one of them is older than the one before it.

    Args:
        kernel: The compiled functions.
        columns: What `fields` gave.
        after: Where each record ends.
        size: Octets of the buffer.
        bounds: What records may say.
    """
    back = c_int32()
    count = kernel.packets_sound(pointers(columns), after.ctypes.data, len(after), size, byref(bounds), byref(back))
    return count, bool(back.value)
