"""Transport layer: TCP, UDP and SCTP, ICMP with what it quotes, and the tunnels that carry other packets."""

from __future__ import annotations

import numpy as np

from forensics.loaders.captures import _layouts as lay
from forensics.loaders.captures._layers import Level
from forensics.loaders.captures._layouts import Array, Rows, pick

_ICMP, _TCP, _UDP, _GRE, _ICMPV6, _SCTP = 1, 6, 17, 47, 58, 132

_ECHOES = np.zeros((2, 256), bool)
"""Messages with an identifier and a sequence number: RFC 792, RFC 950; RFC 4443."""
_ECHOES[0, [0, 8, 13, 14, 15, 16, 17, 18]] = True
_ECHOES[1, [128, 129]] = True
_ERRORS = np.zeros((2, 256), bool)
"""Messages that quote a packet: RFC 792; RFC 4443."""
_ERRORS[0, [3, 4, 5, 11, 12]] = True
_ERRORS[1, [1, 2, 3, 4]] = True
_MSS = 2  # RFC 9293 section 3.2
_SYN = 0x002
_VXLAN_PORTS = (4789, 8472)  # RFC 7348; Linux before the assignment
_GENEVE_PORT = 6081
_BRIDGED = 0x6558  # transparent Ethernet bridging
_ERSPAN, _ERSPAN_III = 0x88BE, 0x22EB


def transport(level: Level, rows: Rows) -> None:
    """Read the transport headers of packets that begin their datagram."""
    protocol = level.protocol[rows]
    for number, reader in _READERS.items():
        same = protocol == number
        if same.any():
            reader(level, rows if same.all() else pick(rows, same))


def quoted_ports(level: Level, rows: Rows) -> None:
    """Ports of quoted packets: RFC 792 promises eight octets of what follows the IP header, and no more."""
    protocol = level.protocol[rows]
    rows = level.holding(pick(rows, (protocol == _TCP) | (protocol == _UDP) | (protocol == _SCTP)), lay.UDP.itemsize)
    _ports(level, rows, level.headers(rows, lay.UDP))


def _ports(level: Level, rows: Rows, head: Array, groups: np.uint32 = lay.PORTS) -> None:
    level.put("src_port", rows, head["source"])
    level.put("dst_port", rows, head["destination"])
    level.mark(rows, groups)


def _tcp(level: Level, rows: Rows) -> None:
    rows = level.holding(rows, lay.TCP.itemsize)
    head = level.headers(rows, lay.TCP)
    flags = head["flags"].astype(np.uint16)
    size = (flags >> np.uint16(12)).astype(np.int64) * 4
    sound = (size >= lay.TCP.itemsize) & (level.at[rows] + size <= level.declared[rows])
    if not sound.all():
        level.blame(pick(rows, ~sound), lay.MALFORMED)
        rows, head, flags, size = pick(rows, sound), head[sound], flags[sound], size[sound]
    _ports(level, rows, head, lay.PORTS | lay.TCP_FIXED)
    level.put("tcp_flags", rows, flags & np.uint16(0x0FFF))
    level.put("tcp_seq", rows, head["sequence"])
    level.put("tcp_ack", rows, head["acknowledgement"])
    level.put("tcp_window", rows, head["window"])
    level.payload(rows, size)
    if level.wants("tcp_mss"):
        opening = ((flags & np.uint16(_SYN)) != 0) & (size > lay.TCP.itemsize)
        if opening.any():
            _segment_size(level, pick(rows, opening), size[opening])
    if level.watches:
        level.holds(rows, size)


def _segment_size(level: Level, rows: Rows, size: Array) -> None:
    """Find the option among all the others. Only an opening segment may have it."""
    at = level.at[rows]
    stop = np.minimum(at + size, level.stop[rows])
    at += lay.TCP.itemsize
    while len(at):  # at most 40 times: each option has an octet at least
        more = at < stop
        rows, at, stop = pick(rows, more), at[more], stop[more]
        head = level.octets.at(at, lay.TCP_OPTION)
        kind = head["kind"]
        length = np.where(kind == 1, np.uint8(1), head["length"]).astype(np.int64)
        found = (kind == _MSS) & (length == 4) & (at + 4 <= stop)
        level.put("tcp_mss", pick(rows, found), head["value"][found])
        level.mark(pick(rows, found), lay.MSS)
        # the length of an option that is cut stands beyond the captured octets
        on = (kind != 0) & ~found & (length >= 1) & ((kind == 1) | ((length >= 2) & (at + 2 <= stop)))
        rows, at, stop = pick(rows, on), at[on] + length[on], stop[on]


def _udp(level: Level, rows: Rows) -> None:
    rows = level.holding(rows, lay.UDP.itemsize)
    head = level.headers(rows, lay.UDP)
    length = head["length"].astype(np.int64)
    sound = (length >= lay.UDP.itemsize) | (length == 0)
    if not sound.all():
        level.blame(pick(rows, ~sound), lay.MALFORMED)
        rows, head, length = pick(rows, sound), head[sound], length[sound]
    _ports(level, rows, head)
    at, declared = level.at[rows], level.declared[rows]
    until = np.where(length == 0, declared, at + length)  # 0: a jumbogram, or left to the interface
    over = until > declared
    if over.any():  # right in a first fragment, whose datagram is longer; a contradiction in a whole one
        until = np.minimum(until, declared)
        wrong = over & ~level.fragmented[rows]
        level.blame(pick(rows, wrong), lay.MALFORMED)
        right = pick(rows, ~wrong)
        level.payload(right, lay.UDP.itemsize, until[~wrong])
    else:
        level.payload(rows, lay.UDP.itemsize, until)
    if not level.digs:
        return
    port = head["destination"].astype(np.uint16)
    vxlan = (port == _VXLAN_PORTS[0]) | (port == _VXLAN_PORTS[1])
    if vxlan.any():
        carrying = pick(rows, vxlan)
        level.narrow(carrying, until[vxlan])
        _vxlan(level, carrying)
    geneve = port == _GENEVE_PORT
    if geneve.any():
        carrying = pick(rows, geneve)
        level.narrow(carrying, until[geneve])
        _geneve(level, carrying)


def _sctp(level: Level, rows: Rows) -> None:
    rows = level.holding(rows, 12)  # RFC 9260 section 3.1
    _ports(level, rows, level.headers(rows, lay.UDP))
    level.payload(rows, 12)


def _icmp(level: Level, rows: Rows) -> None:
    _message(level, rows, 0)


def _icmpv6(level: Level, rows: Rows) -> None:
    _message(level, rows, 1)


def _message(level: Level, rows: Rows, family: int) -> None:
    rows = level.holding(rows, lay.ICMP.itemsize)
    head = level.headers(rows, lay.ICMP)
    kind = head["type"].astype(np.uint8)
    level.put("icmp_type", rows, kind)
    level.put("icmp_code", rows, head["code"])
    level.mark(rows, lay.ICMP_KIND)
    level.payload(rows, lay.ICMP.itemsize)
    echo = _ECHOES[family].take(kind)
    echoes = pick(rows, echo)
    level.put("icmp_id", echoes, head["id"][echo])
    level.put("icmp_seq", echoes, head["sequence"][echo])
    level.mark(echoes, lay.ICMP_ECHO)
    if family:
        big = kind == 2  # packet too big, RFC 4443 section 3.2
        mtu = head["word"][big]
    else:
        big = (kind == 3) & (head["code"] == 4)  # fragmentation needed, RFC 1191 section 4
        mtu = head["sequence"][big]
    level.put("icmp_mtu", pick(rows, big), mtu)
    level.mark(pick(rows, big), lay.ICMP_MTU)
    error = _ERRORS[family].take(kind)
    if error.any() and level.quoting:
        errors = pick(rows, error)
        at = level.at[errors] + lay.ICMP.itemsize
        level.quotes.append(level.inside(errors, at, lay.EITHER_INET))


def _vxlan(level: Level, rows: Rows) -> None:
    base = lay.UDP.itemsize
    rows = pick(rows, level.holds(rows, base + lay.VXLAN.itemsize))
    head = level.octets.at(level.at[rows] + base, lay.VXLAN)
    valid = (head["flags"] & np.uint8(0x08)) != 0  # the port alone proves nothing: the I flag must be set
    rows, head = pick(rows, valid), head[valid]
    _tunnel(level, rows, lay.VXLAN_WORD, head["vni"].astype(np.uint32) >> np.uint32(8))
    level.tunnelled.append(level.inside(rows, level.at[rows] + base + lay.VXLAN.itemsize, lay.FRAME))


def _geneve(level: Level, rows: Rows) -> None:
    base = lay.UDP.itemsize
    rows = pick(rows, level.holds(rows, base + lay.GENEVE.itemsize))
    head = level.octets.at(level.at[rows] + base, lay.GENEVE)
    valid = head["options"] >> 6 == 0  # the only version there is
    rows, head = pick(rows, valid), head[valid]
    _tunnel(level, rows, lay.GENEVE_WORD, head["vni"].astype(np.uint32) >> np.uint32(8))
    size = (head["options"] & np.uint8(0x3F)).astype(np.int64) * 4 + base + lay.GENEVE.itemsize
    held = level.holds(rows, size)
    _carried(level, pick(rows, held), size[held], head["type"][held].astype(np.uint16))


def _gre(level: Level, rows: Rows) -> None:
    rows = level.holding(rows, lay.GRE.itemsize)
    head = level.headers(rows, lay.GRE)
    flags, types = head["flags"].astype(np.uint16), head["type"].astype(np.uint16)
    checksum, routing, key, sequence = ((flags & np.uint16(bit)) != 0 for bit in (0x8000, 0x4000, 0x2000, 0x1000))
    size = lay.GRE.itemsize + 4 * ((checksum | routing).astype(np.int64) + key + sequence)
    held = level.holds(rows, size)
    rows, types, size = pick(rows, held), types[held], size[held]
    plain = (flags[held] & np.uint16(7)) == 0  # version 1 is PPTP, whose key is a length and a call (RFC 2637)
    checksum, routing, key, sequence = (flag[held] for flag in (checksum, routing, key, sequence))
    _tunnel(level, rows, lay.GRE_WORD, None)
    keyed = key & plain
    at = level.at[pick(rows, keyed)] + lay.GRE.itemsize + 4 * (checksum | routing)[keyed]
    _tunnel(level, pick(rows, keyed), lay.GRE_WORD, level.octets.at(at, lay.WORD)["word"].astype(np.uint32))
    plain &= ~routing  # RFC 2784 did away with source routes
    rows, types, size, sequence = pick(rows, plain), types[plain], size[plain], sequence[plain]
    mirrored = ((types == _ERSPAN) & sequence) | (types == _ERSPAN_III)
    if mirrored.any():
        _mirrored(level, pick(rows, mirrored), types[mirrored], size[mirrored])
    straight = ~mirrored
    _carried(level, pick(rows, straight), size[straight], types[straight])


def _mirrored(level: Level, rows: Rows, types: Array, size: Array) -> None:
    """ERSPAN (draft-foschiano-erspan-03): type II has a header of 8 octets, III one of 12 and perhaps 8 more."""
    third = types == _ERSPAN_III
    held = level.holds(rows, size + np.where(third, 12, 8))
    rows, types, size, third = pick(rows, held), types[held], size[held], third[held]
    at = level.at[rows] + size
    version = level.octets.at(at, lay.OCTET)["octet"] >> 4
    size += np.where(third, 12, 8)
    last = level.octets.at(at + 11, lay.OCTET)["octet"]
    size += np.where(third & ((last & np.uint8(1)) != 0), 8, 0)  # the O flag announces a subheader
    right = version == np.where(third, 2, 1)
    rows, types, size = pick(rows, right), types[right], size[right]
    held = level.holds(rows, size)
    _carried(level, pick(rows, held), size[held], types[held])


def _tunnel(level: Level, rows: Rows, word: int, number: Array | None) -> None:
    level.tunnel[rows] = word
    level.mark(rows, lay.TUNNEL)
    if number is not None:
        level.put("tunnel_id", rows, number)
        level.mark(rows, lay.TUNNEL_ID)


def _carried(level: Level, rows: Rows, size: Array, types: Array) -> None:
    """Go into packets that a tunnel header gives an EtherType."""
    framed = (types == _BRIDGED) | (types == _ERSPAN) | (types == _ERSPAN_III)
    entry = lay.KIND.take(types)
    entry[types < 0x0600] = lay.UNTYPED
    entry[framed] = lay.FRAME
    level.tunnelled.append(level.inside(rows, level.at[rows] + size, entry, types))


_READERS = {_TCP: _tcp, _UDP: _udp, _ICMP: _icmp, _ICMPV6: _icmpv6, _SCTP: _sctp, _GRE: _gre}
