"""Arrow arrays over numpy's memory, which must not be written again: columns that polars takes as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from forensics.loaders.lines._text import VIEW, Bools, Bytes

INSTANT = pa.timestamp("ns", "UTC")


def bits(valid: Bools) -> Bytes | None:
    """A bitmap of what is valid, None where all is."""
    return None if valid.all() else np.packbits(valid, bitorder="little")


def numbers(values: npt.NDArray[np.generic], valid: Bytes | None = None, kind: pa.DataType | None = None) -> pa.Array:
    """A column of whole numbers, or of instants; ``valid`` is a bitmap."""
    mask = None if valid is None else pa.py_buffer(valid)
    kind = pa.from_numpy_dtype(values.dtype) if kind is None else kind
    return pa.Array.from_buffers(kind, len(values), [mask, pa.py_buffer(np.ascontiguousarray(values))])


def strings(views: Bytes, valid: Bytes | None, octets: Bytes) -> pa.Array:
    """A column of views of sixteen octets into a text."""
    mask = None if valid is None else pa.py_buffer(valid)
    return pa.Array.from_buffers(VIEW, len(views) // 16, [mask, pa.py_buffer(views), pa.py_buffer(octets)])


def spelled(words: Sequence[str], codes: npt.NDArray[np.integer]) -> pa.Array:
    """The word of each row, by its place in the list."""
    table = np.zeros((len(words), 4), np.int32)
    octets = b"\0" * 12
    for row, word in zip(table, (word.encode() for word in words), strict=True):
        row[0] = len(word)
        if len(word) <= 12:
            row[1:] = np.frombuffer(word.ljust(12, b"\0"), np.int32)
        else:
            row[1], row[3] = np.frombuffer(word[:4], np.int32)[0], len(octets)
            octets += word
    numbers_ = table.view(np.complex128).ravel()  # the one kind of number that has sixteen octets everywhere
    first = codes[:1]
    views = np.repeat(numbers_[first], len(codes)) if (codes == first).all() else numbers_.take(codes)
    return strings(views.view(np.uint8), None, np.frombuffer(octets, np.uint8))


def constant(word: str, count: int) -> pa.Array:
    """One word in each of so many rows."""
    return spelled([word], np.broadcast_to(np.uint8(0), count))
