"""Dumps with what people and programs rarely write: long runs of backslashes, blanks, row-like texts near damage."""

import pytest

from forensics.loaders.documents import _ledger, _sql_dump
from forensics.records import Instance
from tests.loaders.documents._accounts import read
from tests.loaders.documents._schemas import uuid
from tests.loaders.documents.test_mysqldump import MYSQLDUMP, Row, dump, told, tuples


def named(at: int, name: str) -> Row:
    return (at, uuid(at), None, name, at, 0)


@pytest.mark.parametrize("chunk", [8 << 20, 3001])
def test_runs_of_backslashes_of_any_length(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger, "CHUNK_BYTES", chunk)
    lengths = [*range(1, 9), 31, 32, 33, 63, 64, 65, 127, 128, 1023, 1024, 1025, 5000]
    rows = [
        named(at, "\\" * length + end) for at, (length, end) in enumerate((n, e) for n in lengths for e in ("", "'"))
    ]
    assert told(dump(rows, each=4)) == rows


def test_blanks_around_values() -> None:
    rows = [named(at, f"name {at}") for at in range(9)]
    octets = dump(rows)
    for row in tuples(rows):
        octets = octets.replace(
            row.encode(), row.replace(",", "  ,\t ").replace("(", "( ").replace(")", "\n )").encode()
        )
    assert told(octets) == rows


def test_hurt_rows_among_texts_that_look_like_rows() -> None:
    """Behind the damage, `),(` within a text begins no row."""
    rows = [named(at, "),(" * 40 + f"{at}),(7,'x'") for at in range(300)]
    octets = dump(rows, each=300)
    start = octets.index(b"(1,'")
    for at in range(start, start + 400, 23):
        for hurt in (octets[:at] + b"'" + octets[at + 1 :], octets[:at] + octets[at + 90 :]):
            found = read(MYSQLDUMP, hurt).of(Instance)
            wrong = [row for row in found.select("instance_id", "display_name").rows() if row[1] != rows[row[0]][3]]
            assert len(wrong) <= 2, at
            assert {298, 299} <= set(found["instance_id"])
            assert found.height >= 298 - 6


def test_a_row_that_never_ends() -> None:
    octets = dump([named(1, "one"), named(2, "two")], each=2)
    cut = octets[: octets.index(b"two") + 2] + b"y" * 3_000_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sql_dump, "LONGEST_ROW", 1 << 20)
        patch.setattr(_ledger, "CHUNK_BYTES", 1 << 18)
        found = read(MYSQLDUMP, cut)
    assert found.of(Instance)["instance_id"].to_list() == [1]
    assert sum(stretch.length_bytes for stretch in found.stretches if stretch.kind == "gap") > 3_000_000


def test_one_row_with_a_field_too_many_is_one_reject() -> None:
    rows = [named(at, f"name {at}") for at in range(9)]
    octets = dump(rows, each=9).replace(b"'name 4'", b"'name 4','more'")
    found = read(MYSQLDUMP, octets)
    assert found.of(Instance)["instance_id"].to_list() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert [one.reason for one in found.stretches if one.kind == "reject"] == ["row of instances without 6 fields"]
    assert not [one for one in found.stretches if one.kind == "gap"]
