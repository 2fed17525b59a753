"""Archives of shoebox (formats.md 4.7)."""

import struct

import pytest

from forensics.loaders.documents import shoebox
from tests.loaders.documents._notifications import INSTANCE, dumps, legacy, read

READER = shoebox.READERS[0]


def record(text: str, order: str = "<") -> bytes:
    """A record as shoebox packs it, with one pair of metadata."""
    raw, metadata = text.encode(), b"sourcenova"
    blocks = struct.pack(f"{order}iii", 4, 6, 4) + metadata, struct.pack(f"{order}i", len(raw)) + raw
    head = struct.pack(f"{order}ih", 0x69867884, 1) + struct.pack(f"{order}iii", len(blocks[0]), len(blocks[1]), 0)
    return head + b"".join(blocks)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("chunk", [64, 1000, 1 << 20])
def test_records_of_either_octet_order(order: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoebox, "CHUNK_BYTES", chunk)
    data = b"".join(
        record(dumps(legacy(number=n, payload={"instance_id": INSTANCE, "n": "é" * n})), order) for n in range(9)
    )
    rows, stretches, _ = read(READER, data)
    assert rows["instance"].to_list() == [INSTANCE] * 9
    assert rows["position"].to_list() == list(range(1, 10))
    assert not stretches
    assert READER.likeness(data, "x") == 1


@pytest.mark.parametrize("chunk", [64, 1 << 20])
def test_damage_costs_what_is_damaged(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoebox, "CHUNK_BYTES", chunk)
    good = record(dumps(legacy()))
    rows, stretches, _ = read(READER, good + b"noise" * 50 + good + good[:100])
    assert rows.height == 2
    assert {one.kind for one in stretches} == {"reject"}
    huge = bytearray(good)
    struct.pack_into("<i", huge, 10, 1 << 30)
    rows, stretches, _ = read(READER, bytes(huge) + good)
    assert rows.height == 1
    assert stretches[0].kind == "reject"
    rows, _, _ = read(READER, record("cut {") + good[:17])
    assert rows.height == 1  # a record whose JSON is no notification is still a record


def test_nothing_else_is_taken_for_one() -> None:
    for data in (b"", b"\x84\x78", b"{}", struct.pack("<ih", 0x69867884, 2)):
        assert READER.likeness(data, "x") == 0
        read(READER, data)
