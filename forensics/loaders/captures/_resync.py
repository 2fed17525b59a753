"""Where sound records go on after a damaged place.

Every place that looks like a record's start is linked with the place that it points to. True records form one chain
that lives to the end of what was read; what merely looks like a record, or is one of a capture that a packet carries,
points into the middle of something and dies. So the chain that lives longest is followed, from its first record on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures._chain import Bools, Framing, Ints, likely

REGION_BYTES = 1 << 20
"""What is searched at a time: four of the longest usual records."""
LINE = 512
"""Records of a capture inside a packet that are told from those of the file."""
TRIES = 256
"""Chains that are looked at one by one, so that no input makes this slow."""
NONE = 1 << 62
DIES, LIVES, ENDS = 1, 2, 3
"""Fate of a chain: breaks off, runs out of what was read, ends exactly where the source ends."""


Recent = Callable[[], Ints]


class Repairable(Framing, Protocol):
    """A framing that also knows what hints at a chain's place."""

    def related(self, places: Ints, after: Ints) -> Bools:
        """Whether a record and the one it points to can be neighbours."""

    def restored(self, place: int, *, timely: bool = False) -> list[int]:
        """Where the record after the one at ``place`` may start, if only a part of its header is damaged.

        With ``timely``, a header says nothing unless its time is that of the other records.
        """

    def disproved(self, place: int, resumed: int) -> bool:
        """Whether the record at ``place`` lied about its length, now that the next sound one is known."""

    def nested(
        self, low: int, line: Callable[[], list[int]], first: int, end: int, before: int | None, recent: Recent
    ) -> int:
        """How many records of the chain that lives belong to a capture that a packet carries.

        Args:
            low: Index from which on the octets were not understood.
            line: Gives the chain's first records, ascending.
            first: The first of them.
            end: Where that chain ends.
            before: The last sound record before the damage.
            recent: Gives the starts of the last sound records of this buffer.
        """

    def inside(self, low: int, place: int, resumed: int) -> bool:
        """Whether a packet that ends before ``resumed`` seems to hold the record at ``place``."""


@dataclass(frozen=True, slots=True)
class Chains:
    """All chains in a region of a buffer. Lists, because they are searched one by one."""

    low: int
    high: int
    places: list[int]
    depths: list[int]
    ends: list[int]
    """Where the last record of the place's chain ends."""
    joins: list[int]
    """Index of the last record of the place's chain: what joins it is one chain."""
    afters: list[int]
    """Index of the next record of the chain, or its own."""
    ending: list[int]
    """Index of the first record from here on whose chain ends where the source ends; `NONE` where there is none."""
    leading: list[int]
    """The same for chains of two records or more that run out of what was read."""


def chains(framing: Repairable, buffer: npt.NDArray[np.uint8], low: int, high: int, ended: bool) -> Chains:
    """Find the places in ``[low, high)`` that look like records, and how far the chain from each lives."""
    places = likely(framing, buffer, low, high)
    if not len(places):
        return Chains(low, high, [], [], [], [], [], [NONE], [NONE])
    size = len(buffer)
    after = places + framing.lengths(places)
    index = np.searchsorted(places, after)
    found = index < len(places)
    found[found] = places[index[found]] == after[found]
    found[found] = framing.related(places[found], after[found])
    own = np.arange(len(places))
    link = np.where(found, index, own)
    fate = np.full(len(places), DIES)
    fate[after + framing.least_bytes > size] = LIVES
    extra = np.zeros(len(places), np.int64)
    outside = (after >= high) & (after + framing.least_bytes <= size)
    if outside.any():  # the next record stands behind the region, but can be looked at
        beyond = np.flatnonzero(outside)
        good = framing.credible(after[beyond]) & framing.related(places[beyond], after[beyond])
        fate[beyond[good]] = LIVES
        extra[beyond[good]] = 1
    if ended:
        fate[after == size] = ENDS
        fate[(after < size) & (after + framing.least_bytes > size) & ~found] = LIVES  # a header that is cut short
    depth = np.where(found, 1, 0)
    last = link.copy()
    while True:  # each round doubles the stride, so that long chains cost little
        further = last[last]
        if np.array_equal(further, last):
            break
        depth = depth + depth[last]
        last = further
    depth = depth + 1 + extra[last]
    fate = fate[last]
    return Chains(
        low,
        high,
        places.tolist(),
        depth.tolist(),
        after[last].tolist(),
        last.tolist(),
        link.tolist(),
        _first_from(fate == ENDS),
        _first_from((fate == LIVES) & (depth > 1)),
    )


def _first_from(chosen: Bools) -> list[int]:
    """Index of the first that is chosen, from each place on; one more than there are places."""
    index = np.where(np.append(chosen, True), np.append(np.arange(len(chosen)), NONE), NONE)
    first: list[int] = np.minimum.accumulate(index[::-1])[::-1].tolist()
    return first


def resume(
    framing: Repairable,
    found: Chains,
    low: int,
    broken: int,
    before: int | None,
    *,
    cut: bool,
    lost: bool,
    recent: Recent,
) -> int | None:
    """Say where sound records go on.

    Args:
        framing: The format.
        found: The chains of a region that contains what follows.
        low: Records are looked for from here on: inside the last one before the damage, whose length may be false.
        broken: Where a record should start, and none does.
        before: The last sound record, None where there is none.
        cut: The record at ``broken`` looks whole, but the source ends inside it.
        lost: No record is known to start at ``broken``: the search goes on there.
        recent: Gives the starts of the last sound records of this buffer.

    Returns:
        Index in the buffer of the next sound record; before ``broken`` where the last record is not what it says.
        None where there is none in the region.
    """
    places, depths, ends = found.places, found.depths, found.ends
    first = bisect_left(places, broken + 1 if cut else low)
    living = found.ending[first]
    if living == NONE and not cut:
        living = found.leading[first]
    if cut:
        return None if living == NONE else _without_nested(framing, found, living, low, before, recent)
    if living == NONE or places[living] >= broken:
        # A stretch of sound records that ends at a second damaged place, before the chain that lives begins.
        until = places[living] if living != NONE else found.high
        for i in range(bisect_left(places, max(low, broken)), min(len(places), first + TRIES)):
            if places[i] >= until:
                break
            if depths[i] > 1 and ends[i] <= until and not framing.inside(broken, places[i], until):
                return places[i]
    if living == NONE:
        return None
    for hint in [] if lost else _hints(framing, broken, before, places[living]):
        i = bisect_left(places, hint)
        if i < len(places) and places[i] == hint >= low and found.joins[i] == found.joins[living]:
            return hint
    return _without_nested(framing, found, living, low, before, recent)


def _hints(framing: Repairable, broken: int, before: int | None, living: int) -> list[int]:
    """Where records may go on, by what a damaged header still says: that of the last record, or the one behind it.

    Where sound records seem to begin inside the last one, there may be no header behind it.
    """
    last = [] if before is None else [hint for hint in framing.restored(before) if framing.disproved(before, hint)]
    return last + framing.restored(broken, timely=living < broken or not framing.inside(broken, living, living))


def _without_nested(
    framing: Repairable, found: Chains, living: int, low: int, before: int | None, recent: Recent
) -> int | None:
    """The first record of a chain that is not one of a capture inside a packet."""

    def line() -> list[int]:
        chain = [living]
        while found.afters[chain[-1]] != chain[-1] and len(chain) < LINE:
            chain.append(found.afters[chain[-1]])
        return [found.places[i] for i in chain]

    skipped = framing.nested(low, line, found.places[living], found.ends[living], before, recent)
    if not skipped:
        return found.places[living]
    places = line()
    return places[skipped] if skipped < len(places) else None
