"""Memory of a host as the kernel tells it in `/proc/meminfo`."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.records import ProcessMemory

_LINE = re.compile(r"^(?P<name>[A-Z][\w()]{1,40}):\s+(?P<size>\d{1,15})(?P<unit> kB)?\s*$")
_COLUMNS = {
    "MemTotal": "total_bytes", "MemFree": "free_bytes", "MemAvailable": "available_bytes", "Cached": "cached_bytes",
    "Buffers": "buffers_bytes", "SwapTotal": "swap_total_bytes",
}  # fmt: skip


def _recognise(head: Head) -> float:
    return 0.98 if head.first.startswith("MemTotal:") and head.share(_LINE) >= 0.9 else 0.0


def _read(document: Document) -> None:
    values: dict[str, int] = {}
    lines: list[int] = []

    def end() -> None:
        if "total_bytes" in values:
            free = values.pop("swap_free", None)
            total = values.get("swap_total_bytes")
            used = None if free is None or total is None else total - free
            count = lines[-1] - lines[0] + 1
            document.add(ProcessMemory, lines[0], count, tool="meminfo", swap_used_bytes=used, **values)
        values.clear()
        lines.clear()

    for at, line in enumerate(document.lines):
        if found := _LINE.match(line[:200]):
            if found["name"] == "MemTotal":
                end()
            lines.append(at)
            size = int(found["size"]) * (1024 if found["unit"] else 1)
            if found["name"] in _COLUMNS:
                values[_COLUMNS[found["name"]]] = size
            elif found["name"] == "SwapFree":
                values["swap_free"] = size
    end()


READERS = (
    DocumentFormat(
        name="meminfo",
        records=(ProcessMemory,),
        reference="Linux fs/proc/meminfo.c, 2.6 to 6.12",
        recognise=_recognise,
        read=_read,
    ),
)
