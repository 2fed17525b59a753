"""A DHCP message with its addresses, ids and names replaced, octet for octet in its place (RFC 2131, 2132)."""

from __future__ import annotations

from forensics.bundle._pseudonyms import Pseudonyms
from forensics.bundle._text import Text, client_id

_ADDRESSES = frozenset(
    (1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 21, 28, 32, 33, 41, 42, 44, 45, 48, 49, 50, 54, 65, 68, 69, 70, 71, 72, 73)
) | {74, 75, 76, 85, 112, 118, 136, 138, 150}
_TEXTS = frozenset((12, 14, 15, 17, 18, 40, 47, 56, 60, 62, 64, 66, 67, 77, 81, 86, 87, 100, 101, 114, 119, 120, 252))
_PLAIN = frozenset((2, 13, 19, 20, 22, 23, 24, 25, 26, 27, 29, 30, 31, 34, 35, 36, 37, 38, 39, 46, 51, 52, 53, 55, 57))
_PLAIN |= {58, 59, 80, 93, 94, 108, 116}
"""Numbers, flags and lists of codes."""
_ROUTES = (121, 249)
_CLIENT_ID, _RELAY = 61, 82
_RELAY_ADDRESSES = (5, 11)  # link selection (RFC 3527), server identifier override (RFC 5107)


def rewrite(data: bytearray, start: int, end: int, own: Pseudonyms, text: Text) -> None:
    """Replace what a message tells; what is no option that we know is filled from the key."""
    end = min(end, len(data))
    for at in range(start + 12, start + 28, 4):
        addresses(data, at, min(at + 4, end), own)
    hardware = data[start + 2] if start + 2 < end else 0
    if hardware == 6 and start + 34 <= end:
        data[start + 28 : start + 34] = own.mac(bytes(data[start + 28 : start + 34]))
    elif hardware:
        opaque(data, start + 28, min(start + 44, end), own)
    for low, high in ((44, 108), (108, 236)):
        field = bytes(data[start + low : min(start + high, end)])
        if field.strip(b"\0"):
            data[start + low : start + low + len(field)] = text.fixed(field)
    at = start + 240
    while at + 1 < end and data[at] != 255:
        code = data[at]
        if code == 0:
            at += 1
            continue
        value, after = at + 2, min(at + 2 + data[at + 1], end)
        _option(data, code, value, after, own, text)
        at = after


def _option(data: bytearray, code: int, start: int, end: int, own: Pseudonyms, text: Text) -> None:
    if code in _ADDRESSES:
        addresses(data, start, end, own)
    elif code in _TEXTS:
        data[start:end] = text.fixed(bytes(data[start:end]))
    elif code == _CLIENT_ID:
        data[start:end] = client_id(own, bytes(data[start:end]))
    elif code in _ROUTES:
        _routes(data, start, end, own)
    elif code == _RELAY:
        _relay(data, start, end, own, text)
    elif code not in _PLAIN:
        opaque(data, start, end, own)


def _routes(data: bytearray, start: int, end: int, own: Pseudonyms) -> None:
    """Classless static routes: as many octets of a network as its mask has (RFC 3442)."""
    at = start
    while at < end:
        bits = min(data[at], 32)
        size = -(-bits // 8)
        network = bytes(data[at + 1 : min(at + 1 + size, end)])
        made = own.ipv4(int.from_bytes(network.ljust(4, b"\0"), "big")) >> (32 - bits) << (32 - bits) if bits else 0
        data[at + 1 : at + 1 + len(network)] = made.to_bytes(4, "big")[: len(network)]
        addresses(data, at + 1 + size, min(at + 5 + size, end), own)
        at += 5 + size


def _relay(data: bytearray, start: int, end: int, own: Pseudonyms, text: Text) -> None:
    at = start
    while at + 1 < end:
        value, after = at + 2, min(at + 2 + data[at + 1], end)
        if data[at] in _RELAY_ADDRESSES:
            addresses(data, value, after, own)
        elif after - value == 8 and data[value : value + 2] == b"\0\6":  # remote id of a switch: a MAC
            data[value + 2 : after] = own.mac(bytes(data[value + 2 : after]))
        else:
            data[value:after] = text.fixed(bytes(data[value:after]))
        at = after


def addresses(data: bytearray, start: int, end: int, own: Pseudonyms) -> None:
    """A list of IPv4 addresses; one of which a part is missing is emptied."""
    for at in range(start, end - 3, 4):
        data[at : at + 4] = own.ipv4(int.from_bytes(data[at : at + 4], "big")).to_bytes(4, "big")
    torn = max(0, end - start) % 4
    data[end - torn : end] = bytes(torn)


def opaque(data: bytearray, start: int, end: int, own: Pseudonyms) -> None:
    """Octets of which nobody knows what they tell."""
    field = bytes(data[start:end])
    data[start : start + len(field)] = own.key.octets("opaque", field, len(field))
