"""Network layer: IPv4 with options and fragments, IPv6 with its extension headers."""

from __future__ import annotations

import numpy as np

from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures._layers import Level
from forensics.loaders.captures._layouts import Array, Rows, pick

_NO_NEXT_HEADER = 59
_FRAGMENT_HEADER = 44
_AUTHENTICATION_HEADER = 51
_JUMBO = 0xC204  # type and length of the option, RFC 2675 section 2


def either(level: Level) -> None:
    """Tell IPv4 from IPv6 where nothing but the packet itself does."""
    rows = np.flatnonzero(level.kind == lay.EITHER_INET)
    rows = rows[level.holds(rows, 1)]
    version = level.headers(rows, lay.OCTET)["octet"] >> 4
    level.kind[rows[version == 4]] = lay.INET
    level.kind[rows[version == 6]] = lay.INET6
    level.blame(rows[(version != 4) & (version != 6)], lay.MALFORMED)


def network(level: Level) -> list[Rows]:
    """Read the IP headers; gives the packets in which a transport header follows, by version."""
    if (level.kind == lay.EITHER_INET).any():
        either(level)
    return [_ipv4(level, _of_kind(level, lay.INET)), _ipv6(level, _of_kind(level, lay.INET6))]


def _of_kind(level: Level, kind: int) -> Rows:
    same = level.kind == kind
    return slice(None) if same.all() else np.flatnonzero(same)


def _sound(level: Level, rows: Rows, head: Array, sound: Array) -> tuple[Rows, Array]:
    """Leave out packets whose header contradicts itself."""
    if sound.all():
        return rows, head
    level.blame(pick(rows, ~sound), lay.MALFORMED)
    return pick(rows, sound), head[sound]


def _ipv4(level: Level, rows: Rows) -> Rows:
    rows = level.holding(rows, lay.IPV4.itemsize)
    head = level.headers(rows, lay.IPV4)
    total = head["length"].astype(np.int64)
    size = (head["version"] & np.uint8(15)).astype(np.int64) * 4
    sound = (head["version"] >> 4 == 4) & (size >= lay.IPV4.itemsize) & ((total >= size) | (total == 0))
    if not sound.all():
        total, size = total[sound], size[sound]
    rows, head = _sound(level, rows, head, sound)
    if not len(head):
        return np.zeros(0, np.int64)
    at = level.at[rows]
    if not total.all():  # a host that leaves segmentation to its interface writes 0, as tshark knows too
        total = np.where(total == 0, level.wire[rows] - at, total)
    level.narrow(rows, at + total)
    fragment = head["fragment"].astype(np.uint16)
    offset = (fragment & np.uint16(0x1FFF)) << np.uint16(3)
    more = (fragment & np.uint16(0x2000)) != 0
    level.put("ip_version", rows, 4)
    level.put("ip_bytes", rows, total)
    level.put("ttl", rows, head["ttl"])
    level.put("ip_id", rows, head["id"])
    if level.wants("dont_fragment"):
        level.put("dont_fragment", rows, (fragment & np.uint16(0x4000)) != 0)
    level.put("more_fragments", rows, more)
    level.put("fragment_offset_bytes", rows, offset)
    protocol = head["protocol"].astype(np.uint8)
    level.protocol[rows] = protocol
    level.put("protocol", rows, protocol)
    if level.wants("src"):
        level.put("src", rows, level.book.ipv4(head["source"].astype(np.uint64)))
    if level.wants("dst"):
        level.put("dst", rows, level.book.ipv4(head["destination"].astype(np.uint64)))
    level.mark(rows, lay.IP | lay.TOTAL | lay.IPV4_ONLY | lay.FRAGMENT | lay.PROTOCOL)
    if (size > lay.IPV4.itemsize).any():
        held = level.holds(rows, size)
        rows, size, offset, more = pick(rows, held), size[held], offset[held], more[held]
    level.step(rows, size)
    if not fragment.any() or not (more | (offset != 0)).any():
        return rows
    level.fragmented[rows] = more
    level.payload(pick(rows, offset != 0), 0)  # it has no transport header: all of it is payload
    return pick(rows, offset == 0)


def _ipv6(level: Level, rows: Rows) -> Rows:
    rows = level.holding(rows, lay.IPV6.itemsize)
    head = level.headers(rows, lay.IPV6)
    rows, head = _sound(level, rows, head, head["version"] >> 4 == 6)
    if not len(head):
        return np.zeros(0, np.int64)
    at = level.at[rows]
    length = head["length"].astype(np.int64)
    following = head["next"].astype(np.uint8)
    # an empty payload is only said where nothing follows: else a jumbogram, or segmentation left to the interface
    unsaid = (length == 0) & (following != _NO_NEXT_HEADER)
    total = np.where(unsaid, level.wire[rows] - at, length + lay.IPV6.itemsize)
    level.narrow(rows, at + total)
    level.put("ip_version", rows, 6)
    level.put("ip_bytes", rows, total)
    level.put("ttl", rows, head["hops"])
    book = level.book
    if level.wants("src"):
        level.put("src", rows, book.ipv6(head["source_high"].astype("u8"), head["source_low"].astype("u8")))
    if level.wants("dst"):
        level.put("dst", rows, book.ipv6(head["destination_high"].astype("u8"), head["destination_low"].astype("u8")))
    jumbo = unsaid & (following == 0)  # the length may stand in an option: not known before that is read
    level.mark(rows, lay.IP)
    level.mark(pick(rows, ~jumbo) if jumbo.any() else rows, lay.TOTAL)
    level.step(rows, lay.IPV6.itemsize)
    level.protocol[rows] = following
    later = np.zeros(level.n, bool)
    if lay.EXTENDS.take(following).any():
        rows = _extensions(level, rows, pick(rows, jumbo), later)
    level.put("protocol", rows, level.protocol[rows])
    level.mark(rows, lay.PROTOCOL)
    return pick(rows, ~later[rows]) if later.any() else rows


def _extensions(level: Level, rows: Rows, unsaid: Rows, later: Array) -> Rows:
    """Walk the extension headers; gives the packets whose transport protocol is known.

    ``later`` becomes true for the packets that do not begin their datagram.
    """
    known = np.zeros(level.n, bool)
    known[rows] = True
    untold = np.zeros(level.n, bool)
    untold[unsaid] = True
    pending = np.flatnonzero(known & lay.EXTENDS.take(level.protocol))
    for _ in range(lay.DEPTH):
        if not len(pending):
            break
        held = level.holds(pending, lay.EXTENSION.itemsize)
        known[pending[~held]] = False
        pending = pending[held]
        head = level.headers(pending, lay.EXTENSION)
        kind = level.protocol[pending]
        words = head["length"].astype(np.int64)
        size = np.where(kind == _AUTHENTICATION_HEADER, 4 * words + 8, 8 * words + 8)  # RFC 4302 section 2.2
        size[kind == _FRAGMENT_HEADER] = lay.EXTENSION.itemsize
        held = level.holds(pending, size)
        known[pending[~held]] = False
        pending, head, kind, size = pending[held], head[held], kind[held], size[held]
        first = (kind == 0) & untold[pending]
        if first.any():
            untold[pending] = False
            level.mark(pending[first], lay.TOTAL)
            jumbo = first & (head["option"] == _JUMBO)
            _jumbograms(level, pending[jumbo], head["word"][jumbo].astype(np.int64))
        level.protocol[pending] = head["next"]
        level.step(pending, size)
        same = kind == _FRAGMENT_HEADER
        if same.any():
            _fragments(level, pending[same], head[same], later)
        pending = pending[lay.EXTENDS.take(level.protocol[pending])]
        # a later fragment repeats what its datagram begins with, but does not hold it
        known[pending[later[pending]]] = False
        pending = pending[~later[pending]]
    if len(pending):
        level.blame(pending, lay.MALFORMED)
        known[pending] = False
    return np.flatnonzero(known)


def _jumbograms(level: Level, rows: Array, length: Array) -> None:
    """Take the length from the option; it counts from the end of the fixed header, where ``at`` stands still."""
    huge = length > 0xFFFF  # RFC 2675 section 3: any other length has its place in the fixed header
    level.blame(rows[~huge], lay.MALFORMED)
    rows, length = rows[huge], length[huge]
    level.put("ip_bytes", rows, length + lay.IPV6.itemsize)
    level.narrow(rows, level.at[rows] + length)


def _fragments(level: Level, rows: Array, head: Array, later: Array) -> None:
    field = head["fragment"].astype(np.uint16)
    more = (field & np.uint16(1)) != 0
    level.put("ip_id", rows, head["word"])
    level.put("fragment_offset_bytes", rows, field & np.uint16(0xFFF8))
    level.put("more_fragments", rows, more)
    level.mark(rows, lay.FRAGMENT)
    level.fragmented[rows] = more
    beyond = rows[field >= 8]
    later[beyond] = True
    level.payload(beyond, 0)
