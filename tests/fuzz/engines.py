"""The compiled kernel beside the reference engine: the same columns of any packets, the same records of any capture."""

from __future__ import annotations

from dataclasses import replace

from forensics.loaders.captures import _kernel
from tests.fuzz import Target
from tests.fuzz.captures import blocks as pcapng_seeds
from tests.fuzz.captures import classic
from tests.loaders.captures import _decoding, _packets
from tests.loaders.captures._engines import same, same_records

LINK_TYPES = (1, 101, 113, 276, 228, 229, 0, 108, 12, 127)


def packets(*inputs: bytes) -> None:
    """One octet for the link type, then packets: two octets for how long each is, and how much of it is kept."""
    if _kernel.kernel() is None:
        return
    listed: list[_decoding.Given] = []
    for data in inputs:
        at = 1
        while at + 2 <= len(data) and at < 20_000:
            size, cut = data[at] * 2, data[at + 1] % 32
            octets = data[at + 2 : at + 2 + size]
            kept = octets[: len(octets) - cut] if data[at + 1] & 128 else octets
            listed.append((LINK_TYPES[data[0] % len(LINK_TYPES)], kept, len(octets)))
            at += 2 + size
    given = _decoding.block(listed, between=b"", base_offset=inputs[0][0] if inputs[0] else 0)
    # memory that ends with the last packet: what is read behind it shows in a sanitizer
    given = replace(given, buffer=given.buffer.copy())
    same(given)
    same(given, _decoding.COLUMNS[len(inputs[0]) % 7 :: 7])


def packet_seeds() -> list[bytes]:
    """Every kind of packet by itself, and all of a link type together."""
    seeds = []
    for place, link_type in enumerate(LINK_TYPES):
        mine = [octets for kind, octets in _packets.samples().values() if kind == link_type]
        parts = [bytes(((len(octets) + 1) // 2, 0)) + octets + bytes(len(octets) % 2) for octets in mine]
        seeds += [bytes((place,)) + part for part in [*parts, b"".join(parts)]]
    return seeds


def records(data: bytes) -> None:
    """Octets as a capture: the same records and the same damage, in one chunk and in many."""
    if _kernel.kernel() is None:
        return
    for chunk in (1 << 24, 64 + len(data) // 3):
        same_records(data, chunk)


TARGETS = (
    Target("engines-packets", packets, packet_seeds, lambda inputs: packets(*inputs)),
    Target("engines-records", records, lambda: [*classic(), *pcapng_seeds()]),
)
