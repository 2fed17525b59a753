"""A stream read in chunks: each chunk a buffer that whoever gets it may keep."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from forensics.loaders._lent import lent

CHUNK_BYTES = 16 << 20
"""Large enough that a chunk's fixed costs vanish, small enough that four of them are nothing."""
_KEPT_BYTES: Final = 1 << 20
"""Room for what a chunk takes over from the one before; more is rare."""


class Source(Protocol):
    """The part of `forensics.evidence.Stream` that a container needs."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer as far as there is something; 0 only at the end."""


class Window:
    """The part of a stream that is in memory: a buffer, and where it lies.

    A buffer is filled once and never written again while anything looks into it; then its memory, whose pages are
    there already, serves another chunk. What the next chunk needs of it is copied.
    """

    def __init__(self, source: Source, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._source = source
        self._live: bool = getattr(source, "live", False)
        """Whether to go on with what there is, because the rest of a chunk may take hours to come."""
        self._chunk_bytes = max(int(chunk_bytes), 64)
        self._spare: list[npt.NDArray[np.uint8]] = []
        self.buffer: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self.base = 0
        """Offset of ``buffer[0]`` in the stream."""
        self.ended = False
        """The stream has nothing after the buffer's last octet."""

    def __len__(self) -> int:
        return len(self.buffer)

    def advance(self, keep_from: int, at_least: int = 0) -> None:
        """Take a new buffer: what the old one holds from ``keep_from`` on, and the next chunk.

        Args:
            keep_from: Index in the buffer of the first octet still wanted.
            at_least: Octets that the new buffer must hold unless the stream ends before.
        """
        self._take(keep_from, max(len(self.buffer) - keep_from + self._chunk_bytes, at_least), at_least)

    def begin(self, base: int, size: int) -> None:
        """Take a first buffer of exactly this size; the stream is at its offset ``base``."""
        self._take(0, size, size)
        self.base = base

    def _take(self, keep_from: int, size: int, at_least: int) -> None:
        kept = self.buffer[keep_from:]
        fresh = self._memory(size)
        fresh[: len(kept)] = kept
        view, filled = fresh.data, len(kept)
        while filled < size and not self.ended:
            got = self._source.readinto(view[filled:])
            if got:
                filled += got
                if self._live and filled >= at_least:
                    break
            else:
                self.ended = True
        if filled < size // 2:  # do not let a short tail hold a whole chunk's memory
            fresh = fresh[:filled].copy()
        view.release()
        self.buffer = fresh[:filled]
        self.buffer.flags.writeable = False
        self.base += keep_from

    def _memory(self, size: int) -> npt.NDArray[np.uint8]:
        usual = self._chunk_bytes + min(self._chunk_bytes, _KEPT_BYTES)
        if size > usual:
            return np.empty(size, np.uint8)
        owner = self._spare.pop() if self._spare else np.empty(usual, np.uint8)
        return lent(owner, self._spare.append)[:size]
