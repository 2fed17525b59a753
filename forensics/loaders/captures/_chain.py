"""The exact chain of records in a buffer, walked from many places at once.

Each record says where the next one starts, so the chain is serial by nature. It is walked in lock step from
guessed places and then proven: a stretch counts only when the one before it lands exactly on its start.
A wrong guess costs time, never truth.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures import _compiled_chain
from forensics.loaders.captures._kernel import Stride, kernel

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SEGMENT_BYTES = 64 << 10
"""One lane each: small enough for lanes that fill numpy's vectors, large enough to hold many records."""
FEW_LANES = 24
"""With fewer lanes a plain loop is faster than numpy's fixed costs."""


Tell = tuple[int, int, int]
"""An octet that gives a record away: its place in the record, and the least and greatest value that it may have."""


class Framing(Protocol):
    """How the records of a format follow each other in one buffer."""

    least_bytes: int
    """Octets of a record that must be there to know its length."""
    look_bytes: int
    """How many octets from each guessed place on are searched for a record."""

    @property
    def stride(self) -> Stride:
        """The same for the compiled walk."""

    @property
    def tells(self) -> tuple[tuple[Tell, ...], ...]:
        """What records start with: alternatives, the most frequent first."""

    def length_at(self, place: int) -> int:
        """Length of the record that starts at ``place``, as it says itself; at least 1."""

    def lengths(self, places: Ints) -> Ints:
        """The same for many places."""

    def credible(self, places: Ints) -> Bools:
        """Whether what starts there looks very much like a record; False where its header is not all there."""


def likely(framing: Framing, buffer: npt.NDArray[np.uint8], low: int, high: int) -> Ints:
    """Places in ``[low, high)`` at which a credible record starts, ascending."""
    found = []
    high = min(high, len(buffer) - framing.least_bytes + 1)
    for alternative in framing.tells:
        if high <= low:
            break
        mask = np.ones(high - low, np.bool_)
        for shift, least, greatest in alternative:
            mask &= _between(buffer[low + shift : high + shift], least, greatest)
        found.append(np.flatnonzero(mask) + low)
    places = np.unique(np.concatenate(found)) if len(found) > 1 else (found or [np.empty(0, np.int64)])[0]
    return places[framing.credible(places)]


def _between(octets: npt.NDArray[np.uint8], least: int, greatest: int) -> Bools:
    """Octets in ``[least, greatest]``; the difference wraps around, so that one comparison tells."""
    if least == greatest:
        same: Bools = octets == least
        return same
    span = octets if least == 0 else octets - np.uint8(least)
    within: Bools = span <= greatest - least
    return within


def serial(framing: Framing, place: int, limit: int, size: int, most: int) -> tuple[list[int], int]:
    """Walk the chain with a plain loop.

    Args:
        framing: The format.
        place: First record.
        limit: Records that start here or later are left.
        size: Octets in the buffer.
        most: Records to walk at most.

    Returns:
        Starts, and where the next record would start.
    """
    starts = []
    last = min(limit - 1, size - framing.least_bytes)
    length_at = framing.length_at
    while place <= last and most:
        starts.append(place)
        place += length_at(place)
        most -= 1
    return starts, place


def walk(framing: Framing, buffer: npt.NDArray[np.uint8], place: int, limit: int) -> tuple[Ints, int]:
    """Walk the chain from ``place`` up to the first record that starts at ``limit`` or later.

    Args:
        framing: The format, over this buffer.
        buffer: The octets.
        place: First record; its start is taken for true.
        limit: Index in the buffer.

    Returns:
        Starts of the records, ascending, and where the next record would start, which may be before ``limit``
        where there are a great many. What the records say of their length is followed blindly: the caller judges
        whether they are sound.
    """
    size = len(buffer)
    end = min(limit, size - framing.least_bytes + 1)
    if place < end and (compiled := kernel()) is not None:
        lanes = min((end - place) // _compiled_chain.LANE_BYTES, _compiled_chain.LANES)
        heads = _heads(framing, buffer, place, end, lanes) if lanes > 1 else np.array([place], np.int64)
        return _compiled_chain.walk(compiled, buffer, framing.stride, heads, end)
    lanes = (end - place) // SEGMENT_BYTES
    heads = _heads(framing, buffer, place, end, lanes) if lanes >= FEW_LANES else np.empty(0, np.int64)
    if len(heads) < FEW_LANES:
        found, place = serial(framing, place, limit, size, size)
        return np.array(found, np.int64), place
    bounds = np.append(heads[1:], end)
    landed = heads.copy()
    active = np.arange(len(heads))
    here = heads
    steps, owners, turns = [], [], []
    turn = 0
    while len(active) >= FEW_LANES:
        steps.append(here)
        owners.append(active)
        turns.append(np.full(len(here), turn))
        turn += 1
        after = here + framing.lengths(here)
        on = after < bounds[active]
        if on.all():
            here = after
        else:
            landed[active[~on]] = after[~on]
            active, here = active[on], after[on]
    for lane, start in zip(active.tolist(), here.tolist(), strict=True):
        found, landed[lane] = serial(framing, start, int(bounds[lane]), size, size)
        steps.append(np.array(found, np.int64))
        owners.append(np.full(len(found), lane))
        turns.append(np.arange(turn, turn + len(found)))
    starts, owner = _by_lane(np.concatenate(steps), np.concatenate(owners), np.concatenate(turns), len(heads))
    if np.array_equal(landed[:-1], heads[1:]):
        return starts, int(landed[-1])
    return _prove(framing, heads, landed, starts, owner, end, size)


def _by_lane(met: Ints, owner: Ints, turn: Ints, lanes: int) -> tuple[Ints, Ints]:
    """Records in the order of the file, from records as the lanes met them, turn by turn; and their lanes."""
    counts = np.bincount(owner, minlength=lanes)
    first = np.cumsum(counts) - counts
    starts = np.empty_like(met)
    starts[first[owner] + turn] = met
    return starts, np.repeat(np.arange(lanes), counts)


def _heads(framing: Framing, buffer: npt.NDArray[np.uint8], place: int, end: int, lanes: int) -> Ints:
    """Guess where each lane's first record starts: the first credible place after its cut that leads to another."""
    stride = (end - place) // lanes
    width = min(framing.look_bytes, stride, end - place - (lanes - 1) * stride)
    mask = np.ones((lanes - 1, width), np.bool_)
    for shift, least, greatest in framing.tells[0][:4]:  # the others cost more than they save
        first = place + stride + shift
        octets = np.lib.stride_tricks.as_strided(buffer[first:], mask.shape, (stride, 1), writeable=False)
        mask &= _between(octets, least, greatest)
    lane, inside = np.divmod(np.flatnonzero(mask), width)
    places = place + (lane + 1) * stride + inside
    good = framing.credible(places)
    places, lane = places[good], lane[good]
    good = framing.credible(places + framing.lengths(places))
    places, lane = places[good], lane[good]
    _, first_of_lane = np.unique(lane, return_index=True)
    return np.concatenate([np.array([place], np.int64), places[first_of_lane]])


def _prove(
    framing: Framing, heads: Ints, landed: Ints, starts: Ints, owner: Ints, end: int, size: int
) -> tuple[Ints, int]:
    """Keep the lanes that the true chain reaches, and walk the stretches between them one by one."""
    kept = np.zeros(len(heads), np.bool_)
    between: list[int] = []
    kept[0] = True
    place = int(landed[0])
    while place < end:
        lane = int(np.searchsorted(heads, place))
        if lane < len(heads) and heads[lane] == place:
            kept[lane] = True
            place = int(landed[lane])
            continue
        until = int(heads[lane]) if lane < len(heads) else end
        found, place = serial(framing, place, until, size, size)
        between += found
    return np.sort(np.concatenate([starts[kept[owner]], np.array(between, np.int64)])), place
