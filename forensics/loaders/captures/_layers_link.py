"""Link layers: Ethernet, cooked and loopback captures, tags, LLC and SNAP, MPLS labels, ARP."""

from __future__ import annotations

import numpy as np

from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures._layers import Level, Stack
from forensics.loaders.captures._layouts import Array, Rows, pick

_LINK_BITS = np.full(256, lay.TYPED | lay.TAGGED, np.uint32)
"""What follows the link layer -> which of its columns hold a value."""
_LINK_BITS[[lay.SIZED, lay.LOGICAL, lay.IMPOSSIBLE, lay.EITHER_INET, lay.UNTYPED]] = lay.TAGGED
_LINK_BITS[[lay.UNDECODED, lay.BROKEN]] = 0

_MAC = np.uint64(0xFFFF_FFFF_FFFF)
_SAME_AS_ETHERTYPE = (0x000000, 0x0000F8, 0x080007)
"""Organisations whose SNAP protocol ids are EtherTypes: RFC 1042, IEEE 802.1H, AppleTalk."""


def link(level: Level) -> None:
    """Read up to the network header; ``level.kind`` says afterwards what that is."""
    entry = level.kind
    only = entry[0] if len(entry) and (entry == entry[0]).all() else None
    for kind, reader in _READERS.items():
        if only is not None:
            if only == kind:
                reader(level, slice(None))
                break
        elif len(rows := np.flatnonzero(entry == kind)):
            reader(level, rows)
    if level.want <= lay.LINK_COLUMNS and not (level.watches or level.digs):
        return
    _tags(level)
    level.have |= _LINK_BITS[level.kind]
    undecoded = np.flatnonzero(level.kind == lay.UNDECODED)
    if len(undecoded):
        level.blame(undecoded, lay.UNKNOWN)
    _logical_link(level)
    impossible = np.flatnonzero(level.kind == lay.IMPOSSIBLE)
    if len(impossible):
        level.blame(impossible, lay.MALFORMED)
    level.put("ethertype", slice(None), level.ethertype)


def _held(level: Level, rows: Rows, octets: int) -> Rows:
    """The packets whose link header is whole; nothing follows in the others."""
    held = level.holds(rows, octets)
    if held.all():
        return rows
    level.kind[pick(rows, ~held)] = lay.BROKEN
    return pick(rows, held)


def _typed(level: Level, rows: Rows, types: Array) -> None:
    types = types.astype(np.uint16)
    level.ethertype[rows] = types
    level.kind[rows] = lay.KIND.take(types)


def _ethernet(level: Level, rows: Rows) -> None:
    rows = _held(level, rows, lay.ETHERNET.itemsize)
    head = level.headers(rows, lay.ETHERNET)
    if level.wants("eth_dst"):
        level.put("eth_dst", rows, level.book.mac(head["destination"].astype(np.uint64) >> np.uint64(16)))
    if level.wants("eth_src"):
        level.put("eth_src", rows, level.book.mac(head["source"].astype(np.uint64) & _MAC))
    _typed(level, rows, head["type"])
    level.step(rows, lay.ETHERNET.itemsize)


def _cooked(level: Level, rows: Rows) -> None:
    _cooked_capture(level, rows, lay.COOKED)


def _cooked2(level: Level, rows: Rows) -> None:
    _cooked_capture(level, rows, lay.COOKED2)


def _cooked_capture(level: Level, rows: Rows, layout: np.dtype[np.void]) -> None:
    rows = _held(level, rows, layout.itemsize)
    head = level.headers(rows, layout)
    if level.wants("eth_src"):
        six = head["length"] == 6  # what other addresses mean depends on the device
        words = head["source"][six].astype(np.uint64) >> np.uint64(16)
        level.put("eth_src", pick(rows, six), level.book.mac(words))
    types = head["type"].astype(np.uint16)
    _typed(level, rows, types)
    # below 0x0600 stand Linux's own numbers, no lengths; ETH_P_802_2 is one of them (linux/if_ether.h)
    level.kind[pick(rows, types < 0x0600)] = lay.UNTYPED
    level.kind[pick(rows, types == 0x0004)] = lay.LOGICAL
    level.step(rows, layout.itemsize)


def _host_family(level: Level, rows: Rows) -> None:
    rows = _held(level, rows, lay.FAMILY.itemsize)
    head = level.headers(rows, lay.FAMILY)
    little, big = head["little"].astype(np.uint32), head["big"].astype(np.uint32)
    _family(level, rows, np.minimum(little, big))  # all families are small: the other reading is a huge number


def _network_family(level: Level, rows: Rows) -> None:
    rows = _held(level, rows, lay.FAMILY.itemsize)
    _family(level, rows, level.headers(rows, lay.FAMILY)["big"].astype(np.uint32))


def _family(level: Level, rows: Rows, family: Array) -> None:
    # AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS
    either = (family == 2) | (family == 10) | (family == 24) | (family == 28) | (family == 30)
    level.kind[rows] = np.where(either, lay.EITHER_INET, lay.UNTYPED)
    level.step(rows, lay.FAMILY.itemsize)


def _tags(level: Level) -> None:
    pending = np.flatnonzero(level.kind == lay.STACKED)
    for depth in range(lay.DEPTH):
        if not len(pending):
            return
        held = level.holds(pending, lay.TAG.itemsize)
        if not held.all():
            level.kind[pending[~held]] = lay.BROKEN  # half a stack would be a wrong stack
            pending = pending[held]
        head = level.headers(pending, lay.TAG)
        if not level.want.isdisjoint(lay.TAG_LISTS):
            words = head["control"].astype(np.uint16)
            level.tags.append(Stack(pending + level.first, depth, words, level.ethertype[pending]))
        _typed(level, pending, head["type"])
        level.step(pending, lay.TAG.itemsize)
        pending = pending[level.kind[pending] == lay.STACKED]
    level.blame(pending, lay.MALFORMED)
    level.kind[pending] = lay.BROKEN


def _logical_link(level: Level) -> None:
    """IEEE 802.3 frames: their length, and the EtherType where a SNAP header gives one."""
    sized = np.flatnonzero(level.kind == lay.SIZED)
    if len(sized):
        until = level.at[sized] + level.ethertype[sized]
        level.narrow(sized, np.minimum(until, level.declared[sized]))
    rows = np.flatnonzero((level.kind == lay.SIZED) | (level.kind == lay.LOGICAL))
    rows = rows[level.holds(rows, 3)]
    if not len(rows):
        return
    first = level.headers(rows, lay.LLC)
    rows = rows[(first["sap"] == 0xAAAA) & (first["control"] == 3)]
    rows = rows[level.holds(rows, lay.SNAP.itemsize)]
    head = level.headers(rows, lay.SNAP)
    types = head["type"].astype(np.uint16)
    same = np.isin(head["organisation"] & np.uint32(0xFFFFFF), _SAME_AS_ETHERTYPE) & (types >= 0x0600)
    rows, types = rows[same], types[same]
    level.step(rows, lay.SNAP.itemsize)
    _typed(level, rows, types)
    level.mark(rows, lay.TYPED)


def labels(level: Level) -> None:
    """MPLS: read down to the bottom of the stack, and guess at what follows as routers do, from its first digit."""
    rows = np.flatnonzero(level.kind == lay.LABELS)
    pending = rows
    for depth in range(lay.DEPTH):
        if not len(pending):
            break
        held = level.holds(pending, lay.WORD.itemsize)
        if not held.all():
            level.kind[pending[~held]] = lay.BROKEN
            pending = pending[held]
        words = level.headers(pending, lay.WORD)["word"].astype(np.uint32)
        if level.wants("mpls_labels"):
            level.labels.append(Stack(pending + level.first, depth, words >> np.uint32(12)))
        level.step(pending, lay.WORD.itemsize)
        bottom = (words & np.uint32(0x100)) != 0  # RFC 3032 section 2.1
        whole = pending[bottom]
        level.mark(whole, lay.LABELLED)
        level.kind[whole] = lay.EITHER_INET
        pending = pending[~bottom]
    level.blame(pending, lay.MALFORMED)
    level.kind[pending] = lay.BROKEN
    _pseudowires(level, rows)


def _pseudowires(level: Level, rows: Array) -> None:
    """Leave alone what is no IP packet under labels: pseudowires begin with another digit (RFC 4928)."""
    rows = rows[level.kind[rows] == lay.EITHER_INET]
    rows = rows[level.holds(rows, 1)]
    digit = level.headers(rows, lay.OCTET)["octet"] >> 4
    level.kind[rows[(digit != 4) & (digit != 6)]] = lay.NOTHING


def resolution(level: Level) -> None:
    """ARP between Ethernet and IPv4 addresses (RFC 826); other kinds have no columns but the operation."""
    rows = np.flatnonzero(level.kind == lay.RESOLUTION)
    rows = rows[level.holds(rows, lay.RESOLVER.itemsize)]
    if not len(rows):
        return
    fixed = level.headers(rows, lay.RESOLVER)
    hardware, protocol = fixed["hardware"].astype(np.int64), fixed["address"].astype(np.int64)
    whole = level.holds(rows, lay.RESOLVER.itemsize + 2 * (hardware + protocol))
    rows, fixed = rows[whole], fixed[whole]
    hardware, protocol = hardware[whole], protocol[whole]
    level.put("arp_op", rows, fixed["operation"])
    level.mark(rows, lay.ARP_HEADER)
    usual = (hardware == 6) & (protocol == 4) & (fixed["protocol"] == 0x0800)
    rows = rows[usual]
    head = level.headers(rows, lay.ARP)
    book = level.book
    for name, word in (("arp_sender_mac", head["sender_mac"]), ("arp_target_mac", head["target_mac"])):
        if level.wants(name):
            words = word.astype(np.uint64)
            level.put(name, rows, book.mac(words >> np.uint64(16) if "sender" in name else words & _MAC))
    for name, word in (("arp_sender_ip", head["sender_ip"]), ("arp_target_ip", head["target_ip"])):
        if level.wants(name):
            level.put(name, rows, book.ipv4(word.astype(np.uint64)))


_READERS = {
    lay.FRAME: _ethernet,
    lay.COOKED_FRAME: _cooked,
    lay.COOKED2_FRAME: _cooked2,
    lay.HOST_FAMILY: _host_family,
    lay.NETWORK_FAMILY: _network_family,
}
