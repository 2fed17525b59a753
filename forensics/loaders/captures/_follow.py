"""Records followed through a stream, chunk by chunk, across damaged places; no octet is left unaccounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from forensics.loaders._reader import Cuts
from forensics.loaders.captures._chain import Bools, Ints, walk
from forensics.loaders.captures._resync import REGION_BYTES, Chains, Repairable, chains, resume
from forensics.loaders.captures._window import Window

BROKEN, SOUND, MORE, DONE = 0, 1, 2, 3
"""What can be said of the record at a place: damaged, sound, not all there yet, or that the source ends there."""
CAREFUL_RECORDS = 32
"""Records taken one by one after a damaged place, since the next one may not be far."""


CAREFUL_BYTES = 4096
"""How far the fast walk goes after them; each time all is well, four times as far."""


RECENT_RECORDS = 1024
"""How far back a record is searched for its double."""


class RecordFraming(Repairable, Protocol):
    """A framing that can tell sound records from damaged ones."""

    def verdict(self, place: int, ended: bool) -> int:
        """`BROKEN`, `SOUND`, `MORE` or `DONE`; ``ended`` says that the source ends with the buffer."""

    def sound(self, starts: Ints, after: Ints) -> int:
        """How many of these records, from the first on, are surely sound; ``after`` is where each one ends."""

    def accept(self, place: int) -> None:
        """Remember the time of the record at ``place``: the next ones are measured by it."""

    def trouble(self, place: int, ended: bool) -> str:
        """What is wrong with the record at ``place``, for people."""

    def leave(self, recent: Ints) -> None:
        """Remember what the next buffer needs of this one's last records."""

    def runs_out(self, place: int) -> bool:
        """Whether the record at ``place`` looks whole, but ends behind the buffer."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A damaged stretch, by its offsets in the source."""

    low: int
    high: int
    reason: str
    record: int
    """How many records of the run stand before it."""


@dataclass(frozen=True, slots=True)
class Run:
    """The sound records of one buffer."""

    framing: RecordFraming
    base: int
    starts: Ints
    after: Ints
    after_gap: Bools
    gaps: list[Gap]
    mark: Mapping[str, Any] | None = None
    """What was known before the first of them, where the source may be cut there."""


class _Pile:
    """What has been found in a buffer so far."""

    def __init__(self, base: int, after_gap: bool) -> None:
        self.base = base
        self.chunks: list[Ints] = []
        self.ends: list[Ints] = []
        self.singles: list[int] = []
        self.single_ends: list[int] = []
        self.marks: list[int] = []
        self.gaps: list[Gap] = []
        self.count = 0
        self.after_gap = after_gap

    def _mark(self) -> None:
        if self.after_gap:
            self.marks.append(self.count)
            self.after_gap = False

    def add(self, start: int, after: int) -> None:
        self._mark()
        self.singles.append(start)
        self.single_ends.append(after)
        self.count += 1

    def extend(self, starts: Ints, after: Ints) -> None:
        self._mark()
        self._flush()
        self.chunks.append(starts)
        self.ends.append(after)
        self.count += len(starts)

    def _flush(self) -> None:
        if self.singles:
            self.chunks.append(np.array(self.singles, np.int64))
            self.ends.append(np.array(self.single_ends, np.int64))
            self.singles, self.single_ends = [], []

    def drop_last(self) -> None:
        """Take the last record back, and what is known of the place before it."""
        if self.singles:
            self.singles.pop()
            self.single_ends.pop()
        else:
            self.chunks[-1] = self.chunks[-1][:-1]
            self.ends[-1] = self.ends[-1][:-1]
            if not len(self.chunks[-1]):
                self.chunks.pop()
                self.ends.pop()
        self.count -= 1
        if self.marks and self.marks[-1] == self.count:
            self.marks.pop()
            self.after_gap = True

    def recent(self) -> Ints:
        """Starts of the last records."""
        self._flush()
        parts: list[Ints] = []
        count = 0
        for chunk in reversed(self.chunks):
            parts.append(chunk[count - RECENT_RECORDS :])
            count += len(parts[-1])
            if count >= RECENT_RECORDS:
                break
        return _joined(parts[::-1])

    def run(self, framing: RecordFraming, mark: Mapping[str, Any] | None) -> Run:
        self._flush()
        marks = np.zeros(self.count, np.bool_)
        marks[np.array(self.marks, np.int64)] = True
        return Run(framing, self.base, _joined(self.chunks), _joined(self.ends), marks, self.gaps, mark)


def _joined(chunks: list[Ints]) -> Ints:
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks or [np.empty(0, np.int64)])


class Follower:
    """Follows the records of one source.

    Args:
        window: The stream; its first chunk is read.
        framing: Makes the format's framing for a buffer.
        first: Offset of the first record, which is the length of the file header.
        cuts: Where to say what is known, and what to go on from; the window begins there.
        state: What the framings remember of the buffers before, as plain values.
    """

    def __init__(
        self,
        window: Window,
        framing: Callable[[npt.NDArray[np.uint8]], RecordFraming],
        first: int,
        cuts: Cuts = Cuts(0),  # noqa: B008 - frozen
        state: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._window = window
        self._make = framing
        self._place = first
        self._before: int | None = None
        """Index of the last sound record, while it can still be taken back."""
        self._least = 1 if first else 0
        """No record starts before this index."""
        self._open: tuple[int, str] | None = None
        """Offset and reason of a gap whose end is not found yet."""
        self._after_gap = False
        self._every, self._due, self._state = cuts.every_bytes, cuts.every_bytes, state
        if cuts.mark is not None:
            self._place, self._least, self._after_gap = (cuts.mark[name] for name in ("place", "least", "after_gap"))
            self._open = None if cuts.mark["open"] is None else tuple(cuts.mark["open"])
            self._pass()

    def _pass(self) -> None:
        self._due = (self._window.base // self._every + 1) * self._every

    def _mark(self) -> Mapping[str, Any] | None:
        """All that is known before a buffer is read, where one is due; whoever goes on takes the same buffer."""
        window = self._window
        if not self._every or window.base < self._due or window.ended:
            return None
        self._pass()
        known = {"base": window.base, "size": len(window), "place": self._place, "least": self._least}
        return {**known, "after_gap": self._after_gap, "open": self._open and [*self._open], **self._state()}

    def runs(self) -> Iterator[Run]:
        """Yield what each buffer holds.

        All records and gaps put together cover the source from its first record to its end. The file header
        belongs to the first gap where that gap begins at offset 0.
        """
        done = False
        while not done:
            pile = _Pile(self._window.base, self._after_gap)
            framing = self._make(self._window.buffer)
            mark = self._mark()
            wanted = self._read(framing, pile)
            done = wanted < 0
            if not done and self._before is not None:
                pile.drop_last()
            self._after_gap = pile.after_gap
            framing.leave(pile.recent())
            yield pile.run(framing, mark)
            if not done:
                self._advance(wanted)

    def _advance(self, wanted: int) -> None:
        """Read on, and keep the last sound record in view: the next one may yet disprove it."""
        keep = self._place if self._before is None else self._before
        if self._before is None:
            keep = min(keep, self._least)
        keep = min(keep, len(self._window))
        self._window.advance(keep, wanted - keep)
        self._place -= keep
        self._least = max(0, self._least - keep)
        if self._before is not None:
            self._place, self._before = 0, None

    def _read(self, framing: RecordFraming, pile: _Pile) -> int:
        """Read a buffer to its end.

        Returns:
            How many octets of the buffer's place are wanted to go on; -1 where the source is done.
        """
        window, size = self._window, len(self._window)
        careful, budget = 0, size
        found: Chains | None = None
        while True:
            if self._open is None and not careful:
                starts, last = walk(framing, window.buffer, self._place, min(size, self._place + budget))
                after = np.append(starts[1:], last)
                count = framing.sound(starts, after)
                if count:
                    self._before = int(starts[count - 1])
                    self._place = int(after[count - 1])
                    pile.extend(starts[:count], after[:count])
                    framing.accept(self._before)
                if count == len(starts):
                    budget *= 4
                    if count and self._place < size - framing.least_bytes:
                        continue
                else:
                    careful, budget = CAREFUL_RECORDS, CAREFUL_BYTES
            if self._open is None:
                state = framing.verdict(self._place, window.ended)
                if state == SOUND:
                    after_it = self._place + framing.length_at(self._place)
                    pile.add(self._place, after_it)
                    framing.accept(self._place)
                    self._before, self._place = self._place, after_it
                    careful = max(0, careful - 1)
                    continue
                if state == DONE:
                    return -1
                if state == MORE:
                    length = framing.length_at(self._place) if self._place + framing.least_bytes <= size else 0
                    return self._place + length + framing.least_bytes
                if not window.ended and size - self._place < REGION_BYTES:
                    return self._place + REGION_BYTES
            if found is None or found.low > self._place or found.high < min(size, self._place + REGION_BYTES // 2):
                low = self._least if self._before is None else self._before + 1
                high = min(size, self._place + REGION_BYTES)
                found = chains(framing, window.buffer, min(low, self._place), high, window.ended)
            state = self._resume(framing, pile, found)
            if state == DONE:
                return -1
            if state == MORE:
                return self._place + REGION_BYTES
            careful, budget = CAREFUL_RECORDS, CAREFUL_BYTES

    def _resume(self, framing: RecordFraming, pile: _Pile, found: Chains) -> int:
        """Find where records go on, and account for what lies between."""
        window, broken = self._window, self._place
        low = self._least if self._before is None else max(self._least, self._before + 1)
        cut = self._open is None and window.ended and framing.runs_out(broken)
        resumed = resume(
            framing, found, low, broken, self._before, cut=cut, lost=self._open is not None, recent=pile.recent
        )
        reason = self._open[1] if self._open else framing.trouble(broken, window.ended)
        begin = self._open[0] if self._open else window.base + broken
        if resumed is None:
            self._open = (begin, reason)
            self._before = None
            if found.high < len(window) or not window.ended:
                self._place = self._least = max(broken, min(found.high, len(window) - framing.least_bytes + 1))
                return MORE if self._place + REGION_BYTES // 2 >= len(window) and not window.ended else BROKEN
            self._close(pile, begin, window.base + len(window), reason)
            return DONE
        if self._before is not None and (resumed < broken or framing.disproved(self._before, resumed)):
            begin = window.base + self._before
            pile.drop_last()
            reason = "record whose length is false: the next sound one starts elsewhere"
        elif resumed < broken:
            begin = 0  # inside the file header: some of it is missing
        self._close(pile, begin, window.base + resumed, reason)
        self._before, self._place = None, resumed
        self._least = resumed + 1
        return SOUND

    def _close(self, pile: _Pile, low: int, high: int, reason: str) -> None:
        self._open = None
        if high > low:
            pile.gaps.append(Gap(low, high, reason, pile.count))
            pile.after_gap = True
