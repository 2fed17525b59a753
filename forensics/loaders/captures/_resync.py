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
DIES, LIVES, ENDS = 1, 2, 3
"""Fate of a chain: breaks off, runs out of what was read, ends exactly where the source ends."""


Taken = Callable[[int], bool]


class Repairable(Framing, Protocol):
    """A framing that also knows what hints at a chain's place."""

    def related(self, places: Ints, after: Ints) -> Bools:
        """Whether a record and the one it points to can be neighbours."""

    def restored(self, place: int) -> list[int]:
        """Where the record after the one at ``place`` may start, if only a part of its header is damaged."""

    def nested(self, low: int, places: list[int], end: int, before: int | None, taken: Taken) -> int:
        """How many of the first ``places`` belong to a capture that a packet carries.

        Args:
            low: Index from which on the octets were not understood.
            places: First records of the chain that lives, ascending.
            end: Where that chain ends.
            before: The last sound record before the damage.
            taken: Says whether a sound record of this buffer starts at a place.
        """

    def inside(self, low: int, place: int, resumed: int) -> bool:
        """Whether a packet that ends before ``resumed`` seems to hold the record at ``place``."""


@dataclass(frozen=True, slots=True)
class Chains:
    """All chains in a region of a buffer. Lists, because they are searched one by one."""

    low: int
    high: int
    places: list[int]
    fates: list[int]
    depths: list[int]
    ends: list[int]
    """Where the last record of the place's chain ends."""
    joins: list[int]
    """Index of the last record of the place's chain: what joins it is one chain."""
    afters: list[int]
    """Index of the next record of the chain, or its own."""


def chains(framing: Repairable, buffer: npt.NDArray[np.uint8], low: int, high: int, ended: bool) -> Chains:
    """Find the places in ``[low, high)`` that look like records, and how far the chain from each lives."""
    places = likely(framing, buffer, low, high)
    if not len(places):
        return Chains(low, high, [], [], [], [], [], [])
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
    return Chains(
        low, high, places.tolist(), fate[last].tolist(), (depth + 1 + extra[last]).tolist(), after[last].tolist(), last.tolist(),
        link.tolist(),
    )  # fmt: skip


def resume(
    framing: Repairable, found: Chains, low: int, broken: int, before: int | None, *, cut: bool, taken: Taken
) -> int | None:
    """Say where sound records go on.

    Args:
        framing: The format.
        found: The chains of a region that contains what follows.
        low: Records are looked for from here on: inside the last one before the damage, whose length may be false.
        broken: Where a record should start, and none does.
        before: The last sound record, None where there is none.
        cut: The record at ``broken`` looks whole, but the source ends inside it.
        taken: Says whether a sound record of this buffer starts at a place.

    Returns:
        Index in the buffer of the next sound record; before ``broken`` where the last record is not what it says.
        None where there is none in the region.
    """
    places, fates, depths, ends = found.places, found.fates, found.depths, found.ends
    first = bisect_left(places, broken + 1 if cut else low)
    start: int | None = None
    living = _living(found, first, (ENDS,) if cut else (ENDS, LIVES))
    if living is not None:
        if places[living] >= broken and not cut:
            for hint in framing.restored(broken):
                i = bisect_left(places, hint)
                if i < len(places) and places[i] == hint and found.joins[i] == found.joins[living]:
                    return hint
        line = [living]  # the chain from its first record on, one after the other
        while found.afters[line[-1]] != line[-1] and len(line) < LINE:
            line.append(found.afters[line[-1]])
        skipped = framing.nested(low, [places[i] for i in line], ends[living], before, taken)
        if skipped < len(line):
            start = places[line[skipped]]
    if cut:
        return start
    # A stretch of sound records that ends at a second damaged place, before the chain that lives begins.
    until = start if start is not None else found.high
    for i in range(bisect_left(places, broken), len(places)):
        if places[i] >= until:
            break
        if depths[i] > 1 and ends[i] <= until and not framing.inside(broken, places[i], until):
            return places[i]
    return start


def _living(found: Chains, first: int, fates: tuple[int, ...]) -> int | None:
    """The first place that leads to the end of what was read; one record alone must end exactly there."""
    for fate in fates:
        for i in range(first, len(found.places)):
            if found.fates[i] == fate and (fate == ENDS or found.depths[i] > 1):
                return i
    return None
