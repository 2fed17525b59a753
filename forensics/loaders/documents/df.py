"""File systems and how full they are, as `df` shows them."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import figure
from forensics.loaders.documents._places import flags, typed
from forensics.records import FileSize

_HEADING = re.compile(
    r"^Filesystem\s+(?:Type\s+)?(?P<unit>\d+[KMGT]?B?-blocks|\dK-blocks|Size|Inodes|1024-blocks)\s+(?:Used|IUsed)\s+"
    r"(?:Avail(?:able)?|IFree)\s+(?:Use%|Capacity|IUse%)\s+Mounted on\s*$"
)
_ROW = re.compile(
    r"^(?P<device>\S.*?)?\s+(?:(?P<type>[a-z][\w.]*)\s+)?(?P<size>[\d.,]+[kKMGTPE]?|-)\s+(?P<used>[\d.,]+[kKMGTPE]?|-)\s+"
    r"(?P<free>-?[\d.,]+[kKMGTPE]?|-)\s+(?P<share>\d+%|-)\s+(?P<mount>\S.*)$"
)
_DECIMAL = re.compile(r"\s\d+(?:[.,]\d)?k\s")
"""Only a unit of 1000 is written small (human_readable of gnulib's human.c)."""
_TROUBLE = re.compile(r"^(?:\S*/)?df: ")


def _recognise(head: Head) -> float:
    return 0.97 if _HEADING.match(head.first[:400]) else 0.0


def _read(document: Document) -> None:
    unit: int | None = None
    words = typed(document.head.command, "df") or []
    decimal = "--si" in words or "H" in flags(words) or document.head.share(_DECIMAL) > 0
    inodes = wrapped = False
    for at, line in enumerate(document.lines):
        line = line[:1024]
        if found := _HEADING.match(line):
            inodes = found["unit"] == "Inodes"
            blocks = figure(found["unit"].removesuffix("-blocks").removesuffix("B"))
            unit, wrapped = (blocks.shown if blocks else 1), False
            document.skip(at)
        elif _TROUBLE.match(line) or inodes:
            document.skip(at)
        elif unit is None:
            continue
        elif found := _ROW.match(line):
            start = at - 1 if wrapped and not found["device"] else at
            size, used = (figure(found[name].replace(",", "."), unit, decimal=decimal) for name in ("size", "used"))
            document.add(
                FileSize, start, at - start + 1, path=found["mount"], kind="mount", tool="df",
                size_bytes=size.shown if size else None, allocated_bytes=used.shown if used else None,
                low_bytes=used.low if used else None, high_bytes=used.high if used else None,
            )  # fmt: skip
            wrapped = False
        elif re.fullmatch(r"\S+", line):  # a long device name stands on a line of its own
            wrapped = True


READERS = (
    DocumentFormat(
        name="df",
        records=(FileSize,),
        reference="GNU coreutils src/df.c, 5.0 to 9.7",
        recognise=_recognise,
        read=_read,
    ),
)
