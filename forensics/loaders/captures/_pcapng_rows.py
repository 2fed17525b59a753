"""Packet blocks of pcapng, many at once: their fields, and which of them carry options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures._chain import Bools, Ints
from forensics.loaders.captures._pcapng_format import OBSOLETE_PACKET, PACKET, SIMPLE_PACKET

NO_COUNT = 0xFFFF
"""Drop count of an obsolete Packet Block that nobody counted."""
HEADER_BYTES = {PACKET: 28, OBSOLETE_PACKET: 28, SIMPLE_PACKET: 12}
TRAILER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of packet blocks, in file order."""

    number: Ints
    """Interface, inside its section."""
    stamp: npt.NDArray[np.uint64]
    timed: Bools
    """False for a Simple Packet Block."""
    captured: Ints
    """As stated; -1 for a Simple Packet Block, which leaves it to the interface."""
    wire: Ints
    header: Ints
    """Octets before the packet."""
    drops: Ints
    """Packets lost before this one, as an obsolete Packet Block says; 0 where it does not."""


def rows(buffer: npt.NDArray[np.uint8], starts: Ints, after: Ints, kinds: Ints, big_endian: Bools) -> Rows:
    """Read the fixed part of packet blocks, whatever their kinds and byte orders."""
    count = len(starts)
    number, captured, wire = np.zeros(count, np.int64), np.full(count, -1), np.zeros(count, np.int64)
    stamp, drops = np.zeros(count, np.uint64), np.zeros(count, np.int64)
    header = np.full(count, HEADER_BYTES[PACKET])
    for big in (False, True):
        order = ">" if big else "<"
        mine = np.flatnonzero((kinds != SIMPLE_PACKET) & (big_endian == big) & (after - starts >= 32))
        if len(mine):
            table = np.ndarray((len(buffer) - 27,), "V20", buffer, 8, (1,))
            words = table[starts[mine]].view(order + "u4").reshape(-1, 5).T.astype(np.int64, order="C")
            number[mine], captured[mine], wire[mine] = words[0], words[3], words[4]
            stamp[mine] = (words[1].astype(np.uint64) << np.uint64(32)) | words[2].astype(np.uint64)
            old = mine[kinds[mine] == OBSOLETE_PACKET]
            if len(old):
                table = np.ndarray((len(buffer) - 11,), "V4", buffer, 8, (1,))
                halves = table[starts[old]].view(order + "u2").reshape(-1, 2).astype(np.int64)
                number[old] = halves[:, 0]
                drops[old] = np.where(halves[:, 1] == NO_COUNT, 0, halves[:, 1])
        simple = np.flatnonzero((kinds == SIMPLE_PACKET) & (big_endian == big) & (after - starts >= 16))
        if len(simple):
            view = np.ndarray((len(buffer) - 11,), order + "u4", buffer, 8, (1,))
            wire[simple] = view[starts[simple]]
            header[simple] = HEADER_BYTES[SIMPLE_PACKET]
    return Rows(number, stamp, kinds != SIMPLE_PACKET, captured, wire, header, drops)


def carriers(
    buffer: npt.NDArray[np.uint8], low: Ints, high: Ints, big_endian: Bools, codes: tuple[int, ...], rounds: int = 12
) -> npt.NDArray[np.int64]:
    """Which option lists may hold one of ``codes``: walked in lock step, since most packets have the same few options.

    Args:
        buffer: The octets.
        low: Index of each list's first option.
        high: Index behind each list.
        big_endian: Byte order of each.
        codes: Option codes that are looked for.
        rounds: Options looked at; longer lists are reported whatever they hold.

    Returns:
        Indices of lists, ascending.
    """
    hits: list[npt.NDArray[np.int64]] = []
    lane = np.flatnonzero(low + 4 <= high)
    place = low[lane]
    for _ in range(rounds):
        if not len(lane):
            break
        first, second = buffer[place].astype(np.int64), buffer[place + 1].astype(np.int64)
        third, fourth = buffer[place + 2].astype(np.int64), buffer[place + 3].astype(np.int64)
        big = big_endian[lane]
        code = np.where(big, first << 8 | second, second << 8 | first)
        length = np.where(big, third << 8 | fourth, fourth << 8 | third)
        hit = np.isin(code, codes)
        hits.append(lane[hit])
        place = place + 4 + (length + 3 & ~3)
        on = ~hit & (code != 0) & (place + 4 <= high[lane])
        lane, place = lane[on], place[on]
    hits.append(lane)
    return np.sort(np.concatenate(hits))
