"""Every capture of the public collection gives, row by row, what tshark gives; what differs is explained below."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from forensics.evidence import stream_of
from forensics.loaders.captures._container import Block, Loss, blocks
from tests._evidence import evidence_root
from tests.loaders.captures._reading import read, rows

COLUMNS = (
    *("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len"),
    *("frame.section_number", "frame.interface_id", "frame.interface_name", "frame.comment"),
)

EXPLAINED = {
    # file, or * for all: column, tshark's value, ours, why ours is right
    ("*", "frame.interface_name", "unknown", ""): "the interface has no if_name option; tshark invents the word",
    ("pcapng-suite/suite__le_difficult_test201.pcapng", "frame.interface_name", "eth0", "silly ethernet interface 2"): (
        "interface 0 of section 2 is named so by its own description; tshark 4.0 looks in section 1"
    ),
    ("pcapng-suite/suite__le_difficult_test202.pcapng", "frame.interface_name", "eth0", "silly ethernet interface 2"): (
        "as in test201"
    ),
}
NO_PACKETS = {
    "damaged/libpcap__pcap-invalid-version-1.pcap": "pcap: major version 1 unsupported",
    "damaged/libpcap__shb-option-too-long.pcapng": "block's two lengths differ",
    "damaged/lnav__dhcp-trunc.pcapng": "cut short: block ends after 193 of 348 octets",
}


def captures() -> list[str]:
    try:
        root = evidence_root() / "pcap"
    except pytest.skip.Exception:
        return []
    return sorted(path.relative_to(root).as_posix() for path in root.glob("*/*"))


def said(value: str) -> str:
    """A value as tshark writes it: control characters escaped."""
    return value.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


@pytest.mark.parametrize("name", captures() or ["none"])
def test_rows_equal_tshark(name: str) -> None:
    root = evidence_root()
    with (root / "expected" / "tshark" / f"{name}.tsv").open(newline="\n") as table:
        expected = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    with Path(root / "pcap" / name).open("rb") as file:
        events = list(blocks(stream_of(file, name)))
    found = [row for event in events if isinstance(event, Block) for row in rows(event)]
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        ns = "" if row.ts is None else f"{row.ts // 10**9}.{row.ts % 10**9:09}"
        ours = (str(row.position), ns, str(row.wire), str(row.captured))
        sections = (str(row.interface.section), str(row.interface.number), row.interface.name or "", row.comment or "")
        for column, value in zip(COLUMNS, ours + sections, strict=True):
            if column in COLUMNS[4:7] and not wanted["frame.section_number"]:
                continue  # tshark knows no interfaces of a classic file
            if said(value) != wanted[column]:
                difference = (column, wanted[column], said(value))
                assert ("*", *difference) in EXPLAINED or (name, *difference) in EXPLAINED, (name, row.position)
    if name in NO_PACKETS:
        assert [event.reason for event in events if getattr(event, "kind", "") == "gap"] == [NO_PACKETS[name]]
    else:
        assert not [event for event in events if getattr(event, "kind", "") == "gap"]


@pytest.mark.parametrize("name", [name for name in captures() if not name.endswith(".gz")] or ["none"])
def test_every_octet_is_accounted_for(name: str) -> None:
    octets = (evidence_root() / "pcap" / name).read_bytes()
    whole = read(octets)
    whole.accounts_for(len(octets))
    assert read(octets, 512).rows == whole.rows


def test_losses_that_the_suite_states() -> None:
    path = evidence_root() / "pcap" / "pcapng-suite" / "suite__le_advanced_test102.pcapng"
    with path.open("rb") as file:
        losses = [event for event in blocks(stream_of(file, path.name)) if isinstance(event, Loss)]
    assert [(loss.count, loss.position) for loss in losses] == [(10, 4), (1, 6), (42, 6)]
