"""What all compressed formats share: octets to look ahead into, members to find, and gaps where none decode."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

STEP_BYTES = 1 << 16
"""Compressed octets that a decoder is given at once."""
OUTPUT_BYTES = 1 << 20
"""Decompressed octets that a decoder may return at once: there is no limit to a ratio, only to a step."""
HISTORY_BYTES = 1 << 16
"""Compressed octets that can be looked at again, because damage shows later than it occurs."""
PADDING = "padding"
"""First word of the reason of a gap that is no damage: zero octets after the last member."""
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where compressed data could not be decoded, and why."""

    reason: str


Pieces = Iterator[bytes | Gap]
Member = Generator[bytes | Gap, None, bool]
"""Pieces of one member; True at the end if the member was whole, so that the next one must follow it."""


class Input:
    """Compressed octets: they can be looked at before they are taken, and the last ones taken again.

    Args:
        pull: Gives exactly as many octets as it is asked for, fewer only at the end.
        again: Gives an independent input that starts at an offset, where the source allows it.
    """

    def __init__(self, pull: Callable[[int], bytes], again: Callable[[int], Input] | None = None) -> None:
        self._pull = pull
        self.again = again
        self._data = b""
        self._at = 0
        self._base = 0

    @property
    def offset(self) -> int:
        """Octets taken so far."""
        return self._base + self._at

    def ahead(self, size: int) -> bytes:
        """The next ``size`` octets, fewer only at the end; they are not taken."""
        missing = self._at + size - len(self._data)
        if missing > 0:
            old = max(self._at - HISTORY_BYTES, 0)
            self._data = self._data[old:] + self._pull(max(missing, _CHUNK_BYTES))
            self._at -= old
            self._base += old
        return self._data[self._at : self._at + size]

    def skip(self, size: int) -> None:
        """Take octets that were looked at."""
        self._at = min(self._at + size, len(self._data))

    def rewind(self, offset: int) -> None:
        """Go back to ``offset``, or as near to it as the history reaches."""
        self._at = max(offset - self._base, 0)


class Format(Protocol):
    """A compressed format: how its members look, and how one is decoded."""

    @property
    def name(self) -> str: ...
    @property
    def magic(self) -> bytes: ...
    @property
    def suffixes(self) -> tuple[str, ...]: ...

    def likely(self, head: bytes) -> bool:
        """Whether a member can start with these octets (512, fewer at the end)."""
        ...

    def member(self, source: Input) -> Member:
        """Decode one member. The source is left behind it, or at the octet that does not decode."""
        ...


def decoded(form: Format, source: Input) -> Pieces:
    """All members of a source, one after another, with a gap wherever something is not decodable."""
    whole = False
    furthest = 0
    lost: _Lost | None = None
    while head := source.ahead(512):
        start = source.offset
        if start == 0 or (whole and head.startswith(form.magic)) or form.likely(head):
            attempt = _Attempt(form.member(source))
            for piece in attempt:
                if lost is not None:
                    yield lost.until(start)
                    lost = None
                yield piece
            if attempt.whole:
                whole = True
                continue
            failed = source.offset
            if not source.ahead(1):
                return  # cut off: the member has said so
            # What decoded before the octet that fails may have been damaged already, and have swallowed the start of
            # the next member. Going back once is enough, and more often would take quadratic time on hostile data.
            back = start + 1 if start >= furthest else furthest
            source.rewind(max(back, failed - HISTORY_BYTES))
            furthest = max(failed, furthest)
            whole = False
        else:
            failed = start
        if lost is None:
            lost = _Lost(form.name, failed, padding=whole)
        whole = False
        lost.padding &= _to_next_member(form, source)
    if lost is not None:
        yield lost.until(source.offset, end=True)


class _Attempt:
    """Iterates over the pieces of a member, and knows afterwards whether it was whole."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.whole = False

    def __iter__(self) -> Pieces:
        self.whole = yield from self._member


@dataclass(slots=True)
class _Lost:
    """A stretch of compressed octets without a member, of which the end is yet to be found."""

    name: str
    since: int
    padding: bool

    def until(self, offset: int, *, end: bool = False) -> Gap:
        if self.padding:
            return Gap(
                f"{PADDING}: {offset - self.since} zero octets after the {self.name} member before octet {self.since}"
            )
        there = f"to the end at octet {offset}" if end else f"on, read on at octet {offset}"
        return Gap(f"{self.name} data is not decodable from octet {self.since} {there}")


def _to_next_member(form: Format, source: Input) -> bool:
    """Go to the next place where a member starts, or to the end; whether all octets passed over are zero."""
    zero = True
    while True:
        window = source.ahead(HISTORY_BYTES)
        at = window.find(form.magic)
        while at >= 0 and not form.likely(window[at : at + 512]):
            at = window.find(form.magic, at + 1)
        last = len(window) < HISTORY_BYTES
        # A member whose first 512 octets reach beyond the window is judged in the next one.
        found = at >= 0 and (last or at <= len(window) - 512)
        passed = at if found else len(window) if last else len(window) - 511
        zero = zero and not window[:passed].strip(b"\0")
        source.skip(passed)
        if found or last:
            return zero
