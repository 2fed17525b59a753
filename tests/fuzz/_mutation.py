"""Octets spoilt in ways that files are: for seeds, for samples, and for fuzzing where atheris is not installed."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator, Sequence

MOST_BYTES = 1 << 16
_TOKENS = (
    b"\n", b"\r\n", b"\t", b" ", b"'", b'"', b"\\", b"|", b"(", b")", b"[", b"]", b"{", b"}", b",", b"=", b":", b"<",
    b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[31m", b"\xc3", b"\xed\xa0\x80", b"-1", b"NULL", b"nan", b"inf",
    b"9" * 25, b"0x", b"1e400", b"Feb 29", b"2013-02-30 25:61:61", b"\xe2\x80\xae", b"[" * 300, b"(" * 300, b"\\" * 301,
    b"<!DOCTYPE a>", b"&amp;", b"${x}", b"%s", b"../", b"\0" * 40,
)  # fmt: skip
_NUMBERS = (
    b"9" * 5000, b"9223372036854775808", b"18446744073709551616", b"9" * 30, b"4294967296", b"999", b"0", b"-1",
    b"1e400", "²".encode(), "٣٤".encode(), "１２".encode(), b"0" * 20 + b"1",
)  # fmt: skip
"""More digits than Python converts, more than 64 bits hold, and digits that are none in ASCII."""
_NUMBER = re.compile(rb"\d+")
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(octets: bytes, rng: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """The same with a few places cut, doubled, swapped, overwritten, or joined to another of them."""
    out = bytearray(octets[:MOST_BYTES])
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        at, size = rng.randrange(len(out) + 1), rng.choice((1, 2, 4, 8, 20, 100, 1000))
        match rng.randrange(11):
            case 0:
                del out[at : at + size]
            case 1:
                out[at:at] = out[at : at + size] * rng.choice((1, 1, 2, 30))
            case 2 if out:
                out[at % len(out)] ^= 1 << rng.randrange(8)
            case 3:
                out[at : at + 1] = bytes((rng.randrange(256),))
            case 4:
                out[at:at] = rng.choice(_TOKENS)
            case 5:
                token = rng.choice(_TOKENS)
                out[at : at + len(token)] = token
            case 6:
                out[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(_EDGES))
            case 7:
                out[at : at + 2] = struct.pack(rng.choice("<>") + "H", rng.choice(_EDGES) & 0xFFFF)
            case 8:
                del out[at:]
            case 9:
                number = _NUMBER.search(out, at)
                place = slice(*number.span()) if number else slice(at, at)
                out[place] = rng.choice(_NUMBERS)
            case _ if others:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                out[at:] = other[start : start + MOST_BYTES]
    return bytes(out[:MOST_BYTES])


def grown(seeds: Sequence[bytes], count: int, name: str) -> list[bytes]:
    """At least ``count`` inputs: the seeds, then mutations of them, always the same for a name."""
    mutations = endless(seeds, name)
    return [*seeds, *(next(mutations) for _ in range(count - len(seeds)))]


def endless(seeds: Sequence[bytes], name: str) -> Iterator[bytes]:
    """Mutations without end, always the same for a name."""
    rng = random.Random(name)
    while True:
        yield mutated(rng.choice(seeds), rng, seeds)
