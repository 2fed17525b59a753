"""Memory of a host or a process as collectd's plugin csv keeps it: one file a series and day."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._wall import epoch_ns
from forensics.records import ProcessMemory

_PLACE = re.compile(
    r"(?:^|/)(?:(?P<host>[^/]+)/)?(?P<plugin>[a-z_]+)(?:-(?P<what>[^/]+))?/(?P<type>[a-z_]+)(?:-(?P<item>[^/]+?))?-\d{4}-\d\d-\d\d$"
)
_ROW = re.compile(r"^(?P<epoch>\d{9,10}(?:\.\d{1,9})?)(?P<values>(?:,(?:-?nan|-?[\d.]+(?:e[+-]?\d{1,3})?))+)$")
_HOST_FIGURES = {
    ("memory", "used"): "used_bytes", ("memory", "free"): "free_bytes", ("memory", "cached"): "cached_bytes",
    ("memory", "buffered"): "buffers_bytes", ("memory", "available"): "available_bytes",
    ("swap", "used"): "swap_used_bytes",
}  # fmt: skip
_PROCESS_FIGURES = {"ps_rss": "resident_bytes", "ps_vm": "virtual_bytes"}


def _recognise(head: Head) -> float:
    if not head.first.startswith("epoch,") or not _PLACE.search(head.name):
        return 0.0
    return 0.98 if head.share(_ROW) >= 0.5 or len(head.lines) <= 2 else 0.0


def _read(document: Document) -> None:
    place = _PLACE.search(document.origin.source)
    column, process, host = None, None, None
    if place is not None:
        host = place["host"] if place["host"] not in ("csv", "collectd") else None
        column = _HOST_FIGURES.get((place["type"], place["item"] or ""))
        if place["plugin"] == "processes" and place["what"]:
            column, process = _PROCESS_FIGURES.get(place["type"]), place["what"]
    for at, line in enumerate(document.lines):
        if line.startswith("epoch,"):
            document.skip(at)
        elif found := _ROW.match(line[:400]):
            size = _whole(found["values"].split(",")[1])
            if column is None or size is None:
                document.skip(at)
                continue
            document.add(
                ProcessMemory, at, ts=epoch_ns(found["epoch"]), ts_basis="stated", host=host or document.origin.host,
                process=process, tool="collectd", **{column: size},
            )  # fmt: skip


def _whole(text: str) -> int | None:
    try:
        value = Decimal(text)
        return int(value) if value.is_finite() and 0 <= value < 1 << 62 else None
    except (InvalidOperation, ValueError):
        return None


READERS = (
    DocumentFormat(
        name="collectd-csv",
        records=(ProcessMemory,),
        reference="collectd src/csv.c, 4.0 to 5.12",
        recognise=_recognise,
        read=_read,
        chunked=True,
    ),
)
