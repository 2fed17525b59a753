"""A pcapng file, as blocks of packet records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from forensics.loaders._reader import Cuts, Stretch
from forensics.loaders.captures._block import Block, Interface, Loss, Mark
from forensics.loaders.captures._chain import Bools, Ints
from forensics.loaders.captures._follow import Follower, Run
from forensics.loaders.captures._instants import instants
from forensics.loaders.captures._pcapng_format import (
    COUNTED,
    EPB_DROPS,
    INTERFACE,
    ISB_DROPS,
    MAX_INTERFACES,
    OPT_COMMENT,
    PACKET,
    PACKETS,
    SECTION,
    STATISTICS,
    block_name,
    interface,
    options,
    text,
    unknown_interface,
)
from forensics.loaders.captures._pcapng_framing import PcapngFraming
from forensics.loaders.captures._pcapng_rows import TRAILER_BYTES, Rows, carriers, rows
from forensics.loaders.captures._window import Window

Event = Block | Stretch | Loss
_MOST_MARKED = 4096
"""Interfaces above which a file is not cut any more: each cut names all of them."""


@dataclass
class _File:
    """What the blocks so far say of the ones to come."""

    big_endian: bool
    interfaces: list[Interface] = field(default_factory=list)
    """All of them, over all sections."""
    section: int = 0
    table: list[int] = field(default_factory=list)
    """Index of each interface that the section has described, by its number there."""
    frames: int = 0
    """Frames that Wireshark has counted so far."""
    drops: dict[tuple[int, int], int] = field(default_factory=dict)
    """Last drop counter of an interface, by interface and option."""
    after_gap: bool = False
    unknown: int | None = None
    """Index of the entry that stands for every interface without a sound description."""

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> _File:
        """What `state` was made of."""
        known = [Interface(**(told | {"units": tuple(told["units"])})) for told in state["interfaces"]]
        drops = {(index, code): count for index, code, count in state["drops"]}
        return cls(**{**state, "interfaces": known, "drops": drops, "table": [*state["table"]]})

    def state(self) -> dict[str, Any]:
        """All of it as plain values."""
        drops = [[*which, count] for which, count in self.drops.items()]
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        known = [asdict(one) | {"units": [*one.units]} for one in self.interfaces]
        return told | {"interfaces": known, "drops": drops, "table": [*self.table]}

    def open_section(self) -> None:
        self.section += 1
        self.table = []

    def describe(self, body: bytes, big_endian: bool) -> None:
        self.table.append(len(self.interfaces))
        self.interfaces.append(interface(body, big_endian, max(1, self.section), len(self.table) - 1))

    def undescribed(self) -> int:
        if self.unknown is None:
            self.unknown = len(self.interfaces)
            self.interfaces.append(unknown_interface(max(1, self.section), 0))
        return self.unknown


@dataclass
class _Part:
    """The blocks of one run, and what is worked out about them on the way."""

    run: Run
    framing: PcapngFraming
    big: Bools
    kinds: Ints
    frames: Ints
    """Frame number of each block, or of the last frame before it."""


def blocks(window: Window, big_endian: bool, cuts: Cuts) -> Iterator[Event | Mark]:
    """Read a pcapng file.

    Args:
        window: The stream, its first chunk read.
        big_endian: Byte order of its first section.
        cuts: Where it is cut.
    """
    state = _File(big_endian) if cuts.mark is None else _File.of(cuts.mark["pcapng"])

    def framing(buffer: npt.NDArray[np.uint8]) -> PcapngFraming:
        return PcapngFraming(buffer, state.big_endian)

    for run in Follower(window, framing, 0, cuts).runs():
        if run.mark is not None and len(state.interfaces) <= _MOST_MARKED:
            yield Mark({**run.mark, "pcapng": state.state()})
        yield from _decode(run, state)


def _decode(run: Run, state: _File) -> Iterator[Event]:
    framing = run.framing
    assert isinstance(framing, PcapngFraming)
    big = np.full(len(run.starts), framing.at_first)
    for place, order in framing.turns:
        big[np.searchsorted(run.starts, place) :] = order
    kinds = np.where(big, framing.view(True)[run.starts], framing.view(False)[run.starts]).astype(np.int64)
    packet = np.isin(kinds, PACKETS)
    frames = state.frames + np.cumsum(packet | np.isin(kinds, COUNTED))
    part = _Part(run, framing, big, kinds, frames)
    for gap in run.gaps:
        frame = int(frames[gap.record - 1]) if gap.record else state.frames
        yield Stretch(gap.low, gap.high - gap.low, "gap", gap.reason, frame or None)
    tables, cuts = [state.table], [0]
    for row, event in _others(part, np.flatnonzero(~packet), state):
        if event is not None:
            yield event
        elif state.table is not tables[-1]:
            tables.append(state.table)
            cuts.append(row)
    at = np.flatnonzero(packet)
    yield from _packets(part, at, np.searchsorted(np.array(cuts), at, "right") - 1, tables, state)
    if len(frames):
        state.frames = int(frames[-1])
        state.big_endian = bool(big[-1])


def _others(part: _Part, rows_at: Ints, state: _File) -> Iterator[tuple[int, Stretch | Loss | None]]:
    """Take in what is no packet. A section that begins is told by an event of None."""
    run, octets = part.run, part.framing.buffer
    low = high = 0
    said = ""
    for row in rows_at.tolist():
        start, after, kind = int(run.starts[row]), int(run.after[row]), int(part.kinds[row])
        name = block_name(kind)
        if said and (start != high or name != said):
            yield row, Stretch(low + run.base, high - low, "framing", said)
            low = start
        elif not said:
            low = start
        said, high = name, after
        if kind == SECTION:
            state.open_section()
            yield row, None
        elif kind == INTERFACE:
            state.describe(octets[start + 8 : after - TRAILER_BYTES].tobytes(), bool(part.big[row]))
        elif kind == STATISTICS:
            body = octets[start + 8 : after - TRAILER_BYTES].tobytes()
            for loss in _statistics(body, bool(part.big[row]), int(part.frames[row]), state):
                yield row, loss
    if said:
        yield 0, Stretch(low + run.base, high - low, "framing", said)


def _statistics(body: bytes, big_endian: bool, frame: int, state: _File) -> Iterator[Loss]:
    """Losses that an Interface Statistics Block adds to those of the one before: its counters only grow."""
    if len(body) < 12:
        return
    number, high, low = np.frombuffer(body, (">" if big_endian else "<") + "u4", 3).tolist()
    if number >= len(state.table):
        return
    index = state.table[number]
    found = state.interfaces[index]
    stamp = high << 32 | low
    ns, valid = instants(np.array([stamp], np.uint64), found.units[0], found.units[1], found.offset_s)
    ts = int(ns[0]) if stamp and valid is None else None  # writers that have no time leave zeros
    for code, value in options(body[12:], big_endian):
        if code in ISB_DROPS and len(value) == 8:
            count = int.from_bytes(value, "big" if big_endian else "little")
            before = state.drops.get((index, code), 0)
            state.drops[index, code] = count
            more = count - before if count >= before else count
            if more:
                yield Loss(ts, frame or None, ISB_DROPS[code], more)


def _packets(part: _Part, at: Ints, section: Ints, tables: list[list[int]], state: _File) -> Iterator[Event]:
    """Hand on the packet blocks.

    Args:
        part: The run.
        at: Which of its blocks hold packets.
        section: Index into ``tables`` of each of those.
        tables: Interfaces of each section that the run touches.
        state: What was known before.
    """
    run = part.run
    starts, after = run.starts[at], run.after[at]
    found = rows(part.framing.buffer, starts, after, part.kinds[at], part.big[at])
    counts = np.array([len(table) for table in tables])
    flat = np.array([index for table in tables for index in table] or [0], np.int64)
    described = found.number < counts[section]
    which = flat[np.where(described, (np.cumsum(counts) - counts)[section] + found.number, 0)]
    if not described.all():
        which[~described] = state.undescribed()
    snaps = np.array([known.snap_bytes for known in state.interfaces] or [0], np.int64)[which] if len(at) else which
    room = after - starts - found.header - TRAILER_BYTES
    kept = np.minimum(np.minimum(found.wire, np.where(snaps > 0, snaps, room)), room)
    captured = np.where(found.captured < 0, kept, found.captured)
    sound = (room >= 0) & (captured >= 0) & (captured <= room) & (found.number < MAX_INTERFACES)
    for row in at[~sound].tolist():
        low, high = int(run.starts[row]), int(run.after[row])
        yield Stretch(low + run.base, high - low, "gap", "packet block contradicts itself", int(part.frames[row]))
    marks = _marks(run.after_gap, at, sound, state)
    keep = np.flatnonzero(sound)
    if len(keep):
        yield from _block(part, at[keep], _taken(found, keep), captured[keep], which[keep], marks, state)


def _taken(found: Rows, keep: Ints) -> Rows:
    return Rows(*(getattr(found, name)[keep] for name in Rows.__slots__))


def _marks(after_gap: Bools, at: Ints, sound: Bools, state: _File) -> Bools:
    """Which packets are the first after damage: the blocks between may hold no packet."""
    good = at[sound]
    marks = np.zeros(len(good), np.bool_)
    events = np.concatenate([np.flatnonzero(after_gap), at[~sound], np.zeros(int(state.after_gap), np.int64)])
    first = np.searchsorted(good, events)
    marks[first[first < len(good)]] = True
    state.after_gap = bool((first >= len(good)).any())
    return marks


def _block(
    part: _Part, at: Ints, found: Rows, captured: Ints, which: Ints, marks: Bools, state: _File
) -> Iterator[Block | Loss]:
    run = part.run
    starts, after = run.starts[at], run.after[at]
    ts, timed = np.zeros(len(at), np.int64), found.timed.copy()
    for index in np.unique(which).tolist():
        mine = np.flatnonzero(which == index)
        known = state.interfaces[index]
        if not known.described:
            timed[mine] = False
            continue
        ts[mine], valid = instants(found.stamp[mine], known.units[0], known.units[1], known.offset_s)
        if valid is not None:
            timed[mine] &= valid
    ts[~timed] = 0
    first = starts + found.header + (captured + 3 & ~3)
    comments: dict[int, str] = {}
    losses = [(row, int(found.drops[row])) for row in np.flatnonzero(found.drops).tolist()]
    with_options = carriers(part.framing.buffer, first, after - TRAILER_BYTES, part.big[at], (OPT_COMMENT, EPB_DROPS))
    for row in with_options.tolist():
        octets = part.framing.buffer[first[row] : after[row] - TRAILER_BYTES].tobytes()
        big, said = bool(part.big[at[row]]), []
        for code, value in options(octets, big):
            if code == OPT_COMMENT:
                said.append(text(value))
            elif code == EPB_DROPS and len(value) == 8 and part.kinds[at[row]] == PACKET:
                losses.append((row, int.from_bytes(value, "big" if big else "little")))
        if said:
            comments[row] = "\n".join(said)
    yield Block(
        buffer=part.framing.buffer,
        base_offset=run.base,
        start=starts + found.header,
        captured=captured,
        wire=found.wire,
        ts=ts,
        ts_valid=None if timed.all() else timed,
        record_offset=starts + run.base,
        record_length=after - starts,
        position=part.frames[at],
        link_type=np.array([known.link_type for known in state.interfaces], np.uint16)[which],
        interface_id=which.astype(np.uint32),
        after_gap=marks,
        interfaces=tuple(state.interfaces),
        comments=comments,
    )
    for row, count in losses:
        if count:
            when = int(ts[row]) if timed[row] else None
            yield Loss(when, int(part.frames[at[row]]), "packets lost before this one", count)
