"""ICMPv6 with its addresses replaced: neighbour discovery and multicast listeners (RFC 4861, 3810)."""

from __future__ import annotations

from typing import Protocol


class Packet(Protocol):
    """What a packet is asked for here."""

    old: bytes
    new: bytearray

    def mac(self, at: int) -> None: ...
    def ipv6(self, at: int) -> None: ...


_OPTIONS_AT = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}
_ADDRESSES_AT = {130: (8,), 131: (8,), 132: (8,), 135: (8,), 136: (8,), 137: (8, 24)}
_SOURCE, _TARGET, _PREFIX, _MTU, _SERVERS = 1, 2, 3, 5, 25


def neighbour(packet: Packet, at: int, end: int) -> int:
    """Replace what a message tells; where it ends, as far as it is kept."""
    kind = packet.old[at] if at < end else None
    if kind == 143:
        return _listeners(packet, at, end)
    if kind not in _OPTIONS_AT and kind not in _ADDRESSES_AT:
        return min(at + 8, end)
    for place in _ADDRESSES_AT.get(kind, ()):
        if at + place + 16 > end:
            return at + place
        packet.ipv6(at + place)
    place = at + _OPTIONS_AT.get(kind, 24)
    while kind in _OPTIONS_AT and place + 8 <= end:
        size = packet.old[place + 1] * 8
        if not size or place + size > end or not _option(packet, place, packet.old[place], size):
            break
        place += size
    return min(place, end)


def _option(packet: Packet, at: int, kind: int, size: int) -> bool:
    """Replace an option; False for one that we do not know, behind which nothing is kept."""
    if kind in (_SOURCE, _TARGET) and size == 8:
        packet.mac(at + 2)
    elif kind == _PREFIX and size == 32:
        packet.ipv6(at + 16)
    elif kind == _SERVERS:
        for place in range(at + 8, at + size - 15, 16):
            packet.ipv6(place)
    else:
        return kind == _MTU
    return True


def _listeners(packet: Packet, at: int, end: int) -> int:
    place = at + 8
    for _ in range(int.from_bytes(packet.old[at + 6 : at + 8], "big")):
        if place + 20 > end:
            break
        after = place + 20 + 16 * int.from_bytes(packet.old[place + 2 : place + 4], "big") + 4 * packet.old[place + 1]
        if after > end:
            break
        for address in range(place + 4, after - 15, 16):
            packet.ipv6(address)
        place = after
    return min(place, end)
