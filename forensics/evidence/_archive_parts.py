"""What an archive consists of: members and the octets around them, told in order as a stream goes by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from forensics.evidence._stream import Stream

_LOOK_BYTES = 1 << 16
_MOST_STEPS_BACK = 64
"""A damaged length leads past members that are sound; each return costs a new pass where the archive is compressed."""


class Member(NamedTuple):
    """One member, as its header tells."""

    name: bytes
    offset_bytes: int
    """Where its data starts in the archive, decompressed."""
    stored_bytes: int
    """Octets of it that the archive holds."""
    size_bytes: int
    """Octets that it has; ``stored_bytes`` unless it is compressed."""
    modified_ns: int
    method: str = ""
    """How it is compressed inside the archive; empty where it is not."""
    checksum: int | None = None
    """CRC-32 of its octets."""
    refusal: str | None = None
    """Why it cannot be read."""


class Part(NamedTuple):
    """A stretch of an archive. All of them, in order, cover it exactly."""

    offset_bytes: int
    length_bytes: int
    kind: str
    """``framing``, ``padding`` or ``gap``, as `forensics.records.Span` has it."""
    reason: str
    member: Member | None = None
    """The member whose header starts there."""


Parts = Iterator[Part]


class Tape:
    """An archive as it goes by: forwards, and now and then back to where a wrong length was followed.

    Args:
        opened: Opens it at its first octet.
    """

    def __init__(self, opened: Callable[[], Stream]) -> None:
        self._opened = opened
        self._stream = opened()
        self._steps_back = 0

    @property
    def offset(self) -> int:
        """Octets that went by."""
        return self._stream.offset

    def peek(self, size: int = _LOOK_BYTES) -> bytes:
        """The next octets, fewer only at the end."""
        return self._stream.peek(size)

    def read(self, size: int) -> bytes:
        """Take the next octets, fewer only at the end."""
        return self._stream.read(size)

    def skip(self, size: int) -> int:
        """Let octets go by; how many there were."""
        return self._stream.skip(size)

    def back(self, offset: int) -> bool:
        """Go back; False where that was done too often, and the tape stays where it is."""
        if self._steps_back >= _MOST_STEPS_BACK:
            return False
        self._steps_back += 1
        self._stream.close()
        self._stream = self._opened()
        return self.skip(offset) == offset

    def close(self) -> None:
        """Close what was opened."""
        self._stream.close()
