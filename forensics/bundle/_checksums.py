"""Checksums that follow what they cover, and stay as right or as wrong as they were (RFC 1624)."""

from __future__ import annotations

_ONES = 0xFFFF


def number(octets: bytes | bytearray) -> int:
    """Octets as a number that their sum of 16-bit words is congruent to, modulo 65535."""
    return int.from_bytes(octets + b"\0" if len(octets) % 2 else octets, "big")


def mend(
    new: bytearray, old: bytes, at: int, start: int, end: int, outside: int = 0, *, optional: bool = False
) -> None:
    """Change a checksum by as much as what it covers has changed.

    Args:
        new: The packet with its replacements, and the old checksum.
        old: The packet as it was.
        at: Where the checksum stands.
        start: Where that which it covers begins.
        end: Where it ends; what was not captured did not change.
        outside: By how much the pseudo-header has grown.
        optional: Whether zero means that there is none (UDP, RFC 768).

    Examples:
        >>> old = bytes.fromhex("4500003c1c4640004006b1e6ac100a63ac100a0c")
        >>> new = bytearray(old); new[12:16] = bytes((10, 0, 0, 1)); mend(new, old, 10, 0, 20)
        >>> number(new) % 65535
        0
    """
    if at + 2 > len(new):
        return
    had = int.from_bytes(new[at : at + 2], "big")
    grown = (number(new[start:end]) - number(old[start:end]) + outside) % _ONES
    if not grown or (optional and not had):
        return
    total = ((~had & _ONES) + grown) % _ONES
    made = ~(total or _ONES) & _ONES
    new[at : at + 2] = (made or (_ONES if optional else 0)).to_bytes(2, "big")
