"""A capture read slice by slice says what it says read whole, event for event, damaged or not."""

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.loaders._reader import Cuts
from forensics.loaders.captures._block import Block, Mark
from forensics.loaders.captures._container import blocks
from tests._captures import Pcapng
from tests.loaders.captures._damage import KINDS, SHAPES, mutate, truth

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plain(event: object) -> object:
    """An event that can be compared."""
    if not isinstance(event, Block):
        return event
    arrays = {name: getattr(event, name) for name in event.__slots__ if name != "buffer"}
    return {name: array.tolist() if hasattr(array, "tolist") else array for name, array in arrays.items()}


def sliced(octets: bytes, every_bytes: int, chunk_bytes: int) -> Iterator[object]:
    """The events of all slices, each read on its own from what the one before knew at its end."""
    mark: Mark | None = None
    while True:
        state = None if mark is None else json.loads(json.dumps(mark.state))
        stream = io.BytesIO(octets[state["base"] if state else 0 :])
        mark = None
        for event in blocks(stream, chunk_bytes=chunk_bytes, cuts=Cuts(every_bytes, state, single=True)):
            mark = event if isinstance(event, Mark) else mark
            yield event
        if mark is None:
            return


def same(octets: bytes, every_bytes: int, chunk_bytes: int) -> int:
    """Compares them with those of the whole; how many cuts there are."""
    whole = list(map(plain, blocks(io.BytesIO(octets), chunk_bytes=chunk_bytes, cuts=Cuts(every_bytes))))
    assert list(map(plain, sliced(octets, every_bytes, chunk_bytes))) == whole
    uncut = list(map(plain, blocks(io.BytesIO(octets), chunk_bytes=chunk_bytes)))
    assert [event for event in whole if not isinstance(event, Mark)] == uncut
    return len(whole) - len(uncut)


@pytest.mark.parametrize("shape", SHAPES)
def test_sound_files(shape: str) -> None:
    octets = truth(shape, 5, 60).octets
    assert same(octets, 1, 300) > 10
    assert abs(same(octets, 4000, 700) - len(octets) // 4000) < 2
    assert same(octets, len(octets), 700) == 0


@relaxed
@given(
    shape=st.sampled_from(SHAPES),
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 9999),
    every_bytes=st.sampled_from([1, 500, 3000]),
    chunk_bytes=st.sampled_from([64, 700]),
)
def test_damaged_files(shape: str, kind: str, seed: int, every_bytes: int, chunk_bytes: int) -> None:
    same(mutate(truth(shape, seed, 30), kind, seed).octets, every_bytes, chunk_bytes)


@pytest.mark.parametrize("shape", ["us-nested", "pcapng"])
def test_many_damages_and_one_longer_than_slices(shape: str) -> None:
    """Behind a damaged place a mebibyte is looked at: only a larger file is cut there."""
    file = truth(shape, 3, 4000)
    octets = bytearray(file.octets)
    for place, length in file.records[50::160]:
        octets[place : place + length // 2] = bytes(length // 2)
    octets[300_000:300_000] = bytes(2_500_000)
    assert same(bytes(octets), 100_000, 65_536) > 3


def test_sections_interfaces_and_what_they_count() -> None:
    file = Pcapng()
    for section in range(4):
        file.section(big_endian=bool(section % 2))
        for number in range(1 + section % 3):
            file.interface(1, 0, [(2, b"eth%d" % number), (9, bytes((9,))), (14, (7).to_bytes(8, "big"))])
        for n in range(40):
            file.packet(10**9 * n, bytes((n,)) * 60, interface=n % 4, options=[(1, b"seen")] if n % 9 == 0 else ())
            if n % 7 == 0:
                file.statistics(10**9 * n, 0, [(5, (n * 3).to_bytes(8, "little"))]).custom(1, b"x" * 9)
            if n % 11 == 0:
                file.simple_packet(bytes(50)).obsolete_packet(5, bytes(44), drops=n)
    for every_bytes in (1, 777, 4096):
        assert same(file.octets, every_bytes, 200) > 2
