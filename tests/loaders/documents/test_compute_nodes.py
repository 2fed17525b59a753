"""The file `compute_nodes` of a shared instances folder (formats.md 5.5)."""

import io
from datetime import UTC, datetime

import polars as pl
import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Batch, Origin
from forensics.loaders._registry import pick
from forensics.loaders.documents.compute_nodes import READERS
from forensics.records import ServiceState

(READER,) = READERS
TEXT = '{"cc12": 1360892418.123456, "dair-ua-c03": 1360888800, "c1.example.org": 1360800000.5}'


def read(text: str, **origin: object) -> tuple[pl.DataFrame, list[Batch]]:
    """Rows, and the batches they came in."""
    stream = stream_of(io.BytesIO(text.encode()), "x")
    batches = list(READER.batches(stream, Origin("nfs/compute_nodes", **origin)))  # type: ignore[arg-type]
    found = [batch.rows[ServiceState] for batch in batches if ServiceState in batch.rows]
    return ServiceState.validate(pl.concat(found) if found else ServiceState.empty()), batches


def rejects(batches: list[Batch]) -> list[int | None]:
    """Lines that were not understood."""
    return [stretch.position for batch in batches for stretch in batch.stretches if stretch.kind == "reject"]


@pytest.mark.parametrize("text", [TEXT, TEXT + "\n", TEXT.replace(", ", ",\n    ").replace("{", "{\n    ") + "\n"])
def test_each_node_was_up_when_it_last_wrote(text: str) -> None:
    rows, batches = read(text, modified_ns=1_700_000_000 * 10**9)
    assert rows["service_host"].to_list() == ["cc12", "dair-ua-c03", "c1.example.org"]
    assert rows["seen_at"].to_list() == [
        datetime(2013, 2, 15, 1, 40, 18, 123456, UTC),
        datetime(2013, 2, 15, 0, 40, tzinfo=UTC),
        datetime(2013, 2, 14, 0, 0, 0, 500000, UTC),
    ]
    assert (rows["ts"] == rows["seen_at"]).all()
    told = rows.select("state", "told_by", "ts_basis", "service").unique().rows()
    assert told == [("up", "compute_nodes", "stated", "nova-compute")]
    assert rows["message"][0] == '"cc12": 1360892418.123456'
    assert rejects(batches) == []
    assert READER.likeness(text.encode(), "nfs/instances/compute_nodes") == 1.0
    assert READER.likeness(text.encode(), "$ cat /var/lib/nova/instances/compute_nodes") == 1.0
    assert READER.likeness(text.encode(), "notes.txt") == 0.9


def test_a_fraction_is_not_rounded() -> None:
    rows, _ = read('{"a": 1360892418.0000001}')
    assert rows["seen_at"].dt.epoch("ns")[0] == 1360892418000000100


def test_a_file_that_ends_early_keeps_what_it_has() -> None:
    rows, _ = read(TEXT[:60])
    assert rows["service_host"].to_list() == ["cc12", "dair-ua-c03"]
    _, batches = read('{\n"cc12": 1360892418.1,\n"dair": 13608\n')
    assert rejects(batches) == [3]


def test_an_empty_one() -> None:
    assert read("{}\n")[0].is_empty()
    assert READER.likeness(b"{}\n", "instances/compute_nodes") == 0.95
    assert READER.likeness(b"{}\n", "x.json") == 0.0


@pytest.mark.parametrize(
    "text",
    [
        '{"cc12": "1360892418"}',
        '{"cc12": 1360892418.1, "name": "x"}',
        '{"cc12": 1360892418.1, "inner": {"a": 1360892418}}',
        '{"count": 12}',
        '{"rows": 1360892418, "seconds": 3}',
        '[{"cc12": 1360892418.1}]',
        '{"cc12": 1360892418.1} trailing',
        "",
        "Feb 15 01:40:18 cc12 x: y",
        "{" * 60_000,
        '{"' + "a" * 60_000,
        '{"' + "\\a" * 30_000,
    ],
)
def test_other_documents(text: str) -> None:
    assert READER.likeness(text.encode(), "x.json") == 0.0


def test_a_large_cluster() -> None:
    text = "{" + ", ".join(f'"node-{n:05}.example.org": {1360892418 + n}.25' for n in range(5000)) + "}"
    assert READER.likeness(text.encode()[:65536], "x") == 0.9
    assert read(text)[0].height == 5000


@pytest.mark.parametrize("name", ["nfs/compute_nodes", "cc12/var/lib/nova/instances/compute_nodes", "x.json"])
def test_it_is_picked(name: str) -> None:
    assert pick(TEXT.encode(), name) is READER
