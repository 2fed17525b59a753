"""Output of `qemu-img info`, as text and as JSON, of one disk, a chain, or several one after the other."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import skip_left_out, telling, whole
from forensics.loaders.documents._places import absolute, owners
from forensics.loaders.documents._trees import objects
from forensics.records import DiskImage

_FACT = re.compile(
    r"^(?P<key>image|file format|virtual size|disk size|cluster_size|encrypted|backing file(?: format)?"
    r"|cleanly shut down):\s(?P<value>.*)$"
)
_EXACT = re.compile(r"\((?P<bytes>\d{1,18}) bytes\)")
_ROUND = re.compile(r"^(?P<figure>\d{1,12}(?:\.\d{1,6})?)\s?(?P<unit>[KMGTPE]?)(?:i?B|bytes)?$")
_ACTUAL = re.compile(r" \(actual path: (?P<path>.*)\)$")
_UNKNOWN_PATH = " (cannot determine actual path)"
_BELOW = re.compile(
    r"^(?:Snapshot list:|Format specific information:|Child node|Filename specific|ID\s+TAG\s|\d{1,9}\s+\S|\s+\S)"
)
_ERROR = re.compile(r"^qemu-img: Could not open '(?P<path>[^']{1,4096})': (?P<why>.*)$")
_BACKING_ERROR = re.compile(r"Could not open backing file: Could not open '(?P<path>[^']{1,4096})'")
_ASKED = re.compile(r"\bqemu-img info\b.*--backing-chain.*?\s(?P<path>[^\s-]\S*)$")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def size_of(said: str) -> int | None:
    """Octets: exact where they are given, else what the rounded figure stands for.

    Examples:
        >>> size_of("10G (10737418240 bytes)"), size_of("1.2 GiB"), size_of("196K"), size_of("unavailable")
        (10737418240, 1288490189, 200704, None)
    """
    if exact := _EXACT.search(said[:200]):
        return int(exact["bytes"])
    found = _ROUND.match(said[:60].strip())
    if found is None:
        return None
    octets = round(float(found["figure"]) * 1024 ** _POWERS[found["unit"]])
    return octets if octets < 1 << 63 else None


def _row(path: str | None, backing: str | None, directory: str | None) -> dict[str, Any]:
    """Columns that names of files fill; relative ones are those of the folder in which the command was typed."""
    path, backing = (name if not name or ":" in name else absolute(name, directory) for name in (path, backing))
    told = owners(path) if path else {}
    told["image_hash"] = owners(backing).get("image_hash", "") if backing else ""
    return {"path": path, "backing_file": backing, **{key: value for key, value in told.items() if value}}


def _columns(facts: dict[str, str], directory: str | None) -> dict[str, Any]:
    backing = facts.get("backing file") or None
    if backing:
        actual = _ACTUAL.search(backing)
        backing = actual["path"] if actual else backing.removesuffix(_UNKNOWN_PATH)
    return {
        **_row(facts.get("image") or None, backing, directory),
        "format": facts.get("file format") or None,
        "backing_format": facts.get("backing file format") or None,
        "virtual_bytes": size_of(facts.get("virtual size", "")),
        "disk_bytes": size_of(facts.get("disk size", "")),
    }


def _text(document: Document) -> None:
    skip_left_out(document)
    facts: dict[str, str] = {}
    first, end = 0, -1

    def close() -> None:
        if facts:
            document.add(DiskImage, first, end - first, **_columns(facts, document.origin.directory))

    for at, line in enumerate(document.lines):
        told = line[:10_000].rstrip()
        if found := _FACT.match(told):
            if found["key"] == "image" or found["key"] in facts:
                close()
                facts = {}
            if not facts:
                first = at
            facts[found["key"]] = found["value"].strip()
            end = at + 1
        elif error := _ERROR.match(told):
            close()
            facts, end = {}, -1
            backing = _BACKING_ERROR.search(error["why"][:9_000])
            asked = _ASKED.search(document.head.command or "")
            named = (error["path"], backing["path"] if backing else None)
            if backing is None and asked and asked["path"] != error["path"]:
                named = (asked["path"], error["path"])  # --backing-chain: a file below the one that was asked for
            document.add(DiskImage, at, **_row(*named, document.origin.directory), error=error["why"])
        elif facts and end == at and _BELOW.match(told):
            end = at + 1
    close()


def _json(document: Document) -> None:
    skip_left_out(document)
    for found, first, count in objects(document):
        path = found.get("filename")
        if not isinstance(path, str):
            continue
        backing = found.get("full-backing-filename") or found.get("backing-filename")
        names = _row(path, backing if isinstance(backing, str) else None, document.origin.directory)
        document.add(
            DiskImage, first, count, **names,
            format=found.get("format"), backing_format=found.get("backing-filename-format"),
            virtual_bytes=whole(found.get("virtual-size"), (1 << 63) - 1),
            disk_bytes=whole(found.get("actual-size"), (1 << 63) - 1),
        )  # fmt: skip


def _is_text(head: Head) -> float:
    lines = telling(head, 12)
    keys = [found["key"] for line in lines if (found := _FACT.match(line[:10_000]))]
    if keys[:2] == ["image", "file format"]:
        return 0.98
    if lines and _ERROR.match(lines[0][:10_000]):
        return 0.9
    return 0.9 if len(keys) > 2 and "virtual size" in keys else 0.0


def _is_json(head: Head) -> float:
    if head.first.lstrip()[:1] not in ("{", "["):
        return 0.0
    text = "\n".join(head.lines)[:20_000]
    return 0.97 if '"virtual-size"' in text and '"filename"' in text else 0.0


_REFERENCE = "QEMU 0.9 to 9, block/qapi.c, qemu-img.c"
READERS = (
    DocumentFormat("qemu-img", (DiskImage,), _REFERENCE, _is_text, _text),
    DocumentFormat("qemu-img-json", (DiskImage,), _REFERENCE, _is_json, _json),
)
