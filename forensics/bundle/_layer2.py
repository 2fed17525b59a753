"""What switches and bonds say to each other, with its addresses and names replaced."""

from __future__ import annotations

from forensics.bundle._dhcp import opaque
from forensics.bundle._pseudonyms import Pseudonyms
from forensics.bundle._text import Text

_MST_NAME, _MST_BRIDGE, _MST_FIRST, _MST_BYTES = 39, 95, 102, 16
_LACP_SYSTEMS, _LACP_BYTES = (6, 26), 110
_CHASSIS, _PORT, _PORT_TEXT, _SYSTEM, _DESCRIPTION, _MANAGEMENT, _OWN = 1, 2, 4, 5, 6, 8, 127


def _mac(data: bytearray, at: int, end: int, own: Pseudonyms) -> None:
    if at + 6 <= end:
        data[at : at + 6] = own.mac(bytes(data[at : at + 6]))


def bpdu(data: bytearray, start: int, end: int, own: Pseudonyms | None) -> int:
    """A spanning-tree message: the bridges' MACs, and the region's name (IEEE 802.1Q, 14.4)."""
    if own is None:
        return end
    if start + 4 < end and data[start + 3] in (0, 2):
        for at in (start + 7, start + 19):
            _mac(data, at, end, own)
        if data[start + 2] >= 3 and start + _MST_FIRST <= end:
            field = bytes(data[start + _MST_NAME : start + _MST_NAME + 32])
            name = field.rstrip(b"\0")
            made = bytes(97 + octet % 26 for octet in own.key.octets("region", name, len(name)))
            data[start + _MST_NAME : start + _MST_NAME + 32] = made.ljust(32, b"\0")
            _mac(data, start + _MST_BRIDGE, end, own)
            for at in range(start + _MST_FIRST, end - _MST_BYTES + 1, _MST_BYTES):
                _mac(data, at + 3, end, own)
    return end


def lacp(data: bytearray, start: int, own: Pseudonyms | None) -> int:
    """A message of a bond: both systems' MACs (IEEE 802.1AX, 6.4.2)."""
    end = min(start + _LACP_BYTES, len(data))
    if start < end and data[start] != 1:
        return start + 1
    for at in _LACP_SYSTEMS if own is not None else ():
        assert own is not None
        if start + at + 6 > end:
            return start + at
        _mac(data, start + at, end, own)
    return end


def lldp(data: bytearray, start: int, own: Pseudonyms | None, text: Text) -> int:
    """An announcement (IEEE 802.1AB, 8.4)."""
    at, end = start, len(data)
    while at + 2 <= end:
        head = int.from_bytes(data[at : at + 2], "big")
        kind, value = head >> 9, at + 2
        after = value + (head & 0x1FF)
        if kind == 0:
            return at + 2
        if after > end:
            return at if own is not None else end
        if own is not None:
            _tlv(data, kind, value, after, own, text)
        at = after
    return at


def _tlv(data: bytearray, kind: int, start: int, end: int, own: Pseudonyms, text: Text) -> None:
    if kind in (_CHASSIS, _PORT) and end - start > 1:
        what = data[start]
        if what == (4 if kind == _CHASSIS else 3) and end - start == 7:
            _mac(data, start + 1, end, own)
        elif what == (5 if kind == _CHASSIS else 4):
            _address(data, start + 1, end, own)
        else:
            data[start + 1 : end] = text.fixed(bytes(data[start + 1 : end]))
    elif kind in (_PORT_TEXT, _SYSTEM, _DESCRIPTION):
        data[start:end] = text.fixed(bytes(data[start:end]))
    elif kind == _MANAGEMENT and end - start > 2:
        _address(data, start + 1, min(start + 1 + data[start], end), own)
    elif kind == _OWN and bytes(data[start : start + 3]) not in (b"\x00\x80\xc2", b"\x00\x12\x0f"):
        opaque(data, start + 4, end, own)
    elif kind == _OWN and bytes(data[start : start + 4]) == b"\x00\x80\xc2\x03":  # the name of a VLAN
        data[start + 7 : end] = text.fixed(bytes(data[start + 7 : end]))


def _address(data: bytearray, start: int, end: int, own: Pseudonyms) -> None:
    family, size = data[start], end - start - 1
    if family == 1 and size == 4:
        made = own.ipv4(int.from_bytes(data[start + 1 : end], "big")).to_bytes(4, "big")
    elif family == 2 and size == 16:
        made = own.ipv6(int.from_bytes(data[start + 1 : end], "big")).to_bytes(16, "big")
    elif family == 6 and size == 6:
        made = own.mac(bytes(data[start + 1 : end]))
    else:
        made = own.key.octets("opaque", bytes(data[start + 1 : end]), size)
    data[start + 1 : end] = made
