"""Reads a document with the format that is picked for it, among all there are, and gives its rows as plain values."""

from __future__ import annotations

from typing import Any

from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.records import Record
from tests.loaders.documents._accounts import Read, read

TAKEN = 1_360_917_618_000_000_000
COMMON = ("ts", "ts_basis", "host", "source", "position", "offset_bytes", "length_bytes")


def picked(text: str, name: str = "x", command: str | None = None) -> str | None:
    """Name of the format that a document is taken for."""
    reader = pick(text.encode()[:65_536], f"$ {command}" if command else name)
    return reader.name if reader else None


def done(text: str, name: str = "x", command: str | None = None) -> Read:
    """All that the format which is picked reads of a document of host cc12; every octet is accounted for."""
    octets = text.encode()
    reader = pick(octets[:65_536], f"$ {command}" if command else name)
    assert reader is not None, "no format knows it"
    return read(reader, octets, Origin(name, host="cc12", command=command, taken_ns=TAKEN, taken_basis="command"))


def rows(text: str, record: type[Record], name: str = "x", command: str | None = None) -> list[dict[str, Any]]:
    """Rows of one record: what they say, without what is null and without what every row has."""
    frame = done(text, name, command).of(record).drop(COMMON, strict=False)
    return [{key: value for key, value in row.items() if value is not None} for row in frame.to_dicts()]


def rejects(text: str, name: str = "x", command: str | None = None) -> list[int | None]:
    """Lines that were not understood: where each run of them begins."""
    return [one.position for one in done(text, name, command).stretches if one.kind == "reject"]
