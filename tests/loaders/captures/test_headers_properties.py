"""What must hold for any octets: no exception, never a wrong value, the same answer whoever asks for how much."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from forensics.errors import UnknownColumnError
from forensics.loaders.captures import _headers, _layers, _numpy_engine
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._headers import decode
from tests.loaders.captures._decoding import COLUMNS, Given, block, frame
from tests.loaders.captures._packets import samples

LINK_TYPES = (0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 9, 147)
STRUCTURE = [
    name for name in COLUMNS if name not in ("decode_status", "payload_offset_bytes", "inner_payload_offset_bytes")
]
"""What does not depend on where a packet lies in its file."""


def assert_nulls_or_same(full: pl.DataFrame, less: pl.DataFrame) -> None:
    """Every value of ``less`` is null or that of the same row of ``full``."""
    for name in STRUCTURE:
        mine, whole = less.get_column(name), full.get_column(name)
        wrong = mine.is_not_null() & mine.ne_missing(whole)
        assert not wrong.any(), (name, int(wrong.arg_max() or 0), mine.filter(wrong)[0], whole.filter(wrong)[0])


@pytest.mark.parametrize("name", samples())
def test_cutting_a_packet_anywhere_never_makes_another_value(name: str) -> None:
    link_type, octets = samples()[name]
    cuts: list[Given] = [(link_type, octets[:size], len(octets)) for size in range(len(octets) + 1)]
    whole: list[Given] = [(link_type, octets)] * len(cuts)
    less = frame(cuts)
    assert_nulls_or_same(frame(whole), less)
    assert less.get_column("decode_status")[-1] == ("unknown" if name == "usb" else "cut" if "oct" in name else "ok")
    assert set(less.get_column("decode_status")) <= {"ok", "cut", "unknown"}


def noise(seed: int, n: int) -> list[Given]:
    """Samples with damaged octets, and plain noise, of every link type."""
    rng = np.random.default_rng(seed)
    known = list(samples().values())
    found: list[Given] = []
    for number in range(n):
        if number % 4:
            link_type, octets = known[int(rng.integers(len(known)))]
            damaged = bytearray(octets)
            for _ in range(int(rng.integers(1, 5))):
                if damaged:
                    damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
            octets = bytes(damaged)
        else:
            link_type = LINK_TYPES[int(rng.integers(len(LINK_TYPES)))]
            octets = rng.bytes(int(rng.integers(0, 200)))
        found.append((link_type, octets, len(octets) + int(rng.integers(3)) * 20))
    return found


def test_damaged_packets_are_decoded_without_an_exception_and_stay_monotone() -> None:
    packets = noise(1, 6000)
    rng = np.random.default_rng(2)
    cuts: list[Given] = [
        (packet[0], packet[1][: int(rng.integers(len(packet[1]) + 1))], packet[2])  # type: ignore[misc]
        for packet in packets
    ]
    assert_nulls_or_same(frame(packets), frame(cuts))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(LINK_TYPES), st.binary(max_size=120)), max_size=8))
def test_any_octets_are_decoded(packets: list[Given]) -> None:
    found = frame(packets)
    assert found.height == len(packets)
    known = found.filter(~pl.Series([packet[0] in (9, 147) for packet in packets], dtype=pl.Boolean))
    assert "unknown" not in set(known.get_column("decode_status"))


def test_each_column_is_the_same_whoever_asks_for_it() -> None:
    packets = [*samples().values(), *noise(3, 1500)]
    given_block, all_of_it = block(packets), frame(packets)
    for name in COLUMNS:
        assert_frame_equal(decode(given_block, [name]), all_of_it.select(name))


def test_each_packet_is_the_same_whoever_stands_beside_it() -> None:
    packets = [*samples().values(), *noise(4, 400)]
    given_block = block(packets)
    together = decode(given_block, COLUMNS)
    rows = np.flatnonzero(np.random.default_rng(5).random(len(packets)) < 0.3)
    assert_frame_equal(decode(given_block, COLUMNS, rows=rows), together[rows])
    for row in range(0, len(packets), 7):
        assert_frame_equal(decode(given_block, COLUMNS, rows=np.array([row])), together[row])
    assert decode(given_block, COLUMNS, rows=np.zeros(0, np.int64)).schema == together.schema


def test_windows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    packets = [*samples().values(), *noise(6, 600)]
    whole = frame(packets)
    monkeypatch.setattr(_headers, "engine", lambda: _numpy_engine.decode)
    for size in (1, 7, 64):
        monkeypatch.setattr(_numpy_engine, "WINDOW", size)
        assert_frame_equal(frame(packets), whole)
    assert _layers.WINDOW > 64


def test_a_block_without_packets_has_all_columns() -> None:
    found = decode(block([]), COLUMNS)
    assert found.height == 0
    assert found.schema == frame([(1, b"")]).schema


def test_a_packet_larger_than_any_length_field() -> None:
    link_type, octets = samples()["ipv4 offloaded"]
    row = frame([(link_type, octets + bytes(200_000))]).row(0, named=True)
    assert row["ip_bytes"] == len(octets) + 200_000 - 14
    assert row["payload_bytes"] == row["ip_bytes"] - 40


@pytest.mark.parametrize(("stack", "column"), [(b"\x81\x00\x00\x05", "vlan_ids"), (b"\x88\x47", "mpls_labels")])
def test_a_tower_of_tags_or_labels_is_malformed(stack: bytes, column: str) -> None:
    row = frame([(1, bytes(12) + stack * 100_000)]).row(0, named=True)
    assert (row[column], row["decode_status"]) == (None, "malformed")


def test_two_hundred_tags_are_read() -> None:
    octets = bytes(12) + b"\x81\x00\x00\x05" * 200 + b"\x88\xcc"
    row = frame([(1, octets)]).row(0, named=True)
    assert row["vlan_ids"] == [5] * 200
    assert row["ethertype"] == 0x88CC


def test_a_book_that_is_full_starts_anew() -> None:
    packets = [*samples().values(), *noise(7, 300)]
    book = AddressBook(capacity=3)
    for _ in range(3):
        assert_frame_equal(decode(block(packets), COLUMNS, book=book), frame(packets))


def test_unknown_columns_are_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownColumnError, match=r"no header column sport\nHint: .*src_port"):
        decode(block([]), ["src", "sport"])


def test_decoding_does_not_import_pandas() -> None:
    program = (
        "import sys; from tests.loaders.captures._decoding import frame;"
        "from tests.loaders.captures._packets import samples; frame(list(samples().values()));"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": "."}).returncode == 0
