"""Lines, words and octets of files as `wc` counts them; only where the command line is known."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import whole
from forensics.loaders.documents._places import LEFT_OUT, absolute, flags, owners, typed
from forensics.records import FileSize

_LINE = re.compile(r"^\s*(?P<counts>\d{1,18}(?:\s+\d{1,18}){0,4})(?:\s(?P<path>\S.*))?$")
_TROUBLE = re.compile(r"^(?:\S*/)?wc: ")
_ORDER = "lwmcL"
_LONG = {"--lines": "l", "--words": "w", "--chars": "m", "--bytes": "c", "--max-line-length": "L"}


def _recognise(head: Head) -> float:
    if typed(head.command, "wc") is None:
        return 0.0
    return 0.95 if head.share(_LINE) + head.share(_TROUBLE) >= 0.5 else 0.0


def _read(document: Document) -> None:
    words = typed(document.head.command, "wc") or []
    told = flags(words) + "".join(_LONG.get(word, "") for word in words)
    columns = [letter for letter in _ORDER if letter in told] or ["l", "w", "c"]
    given = re.search(r"<\s*(\S+)", document.head.command or "")
    several = sum(1 for line in document.lines if _LINE.match(line[:8192])) > 1
    for at, line in enumerate(document.lines):
        if _TROUBLE.match(line) or LEFT_OUT.match(line):
            document.skip(at)
            continue
        found = _LINE.match(line) if len(line) < 8192 else None
        counts, path = _counts(found, len(columns)) if found else (None, "")
        if counts is None:
            continue
        path = path or (given[1] if given else "-")
        total = several and path == "total"
        if not total and path != "-":
            path = absolute(path, document.origin.directory)
        said = dict(zip(columns, counts, strict=True))
        size = said.get("c")
        document.add(
            FileSize, at, path=path, kind="total" if total else "file", lines=said.get("l"), size_bytes=size,
            low_bytes=size, high_bytes=size, tool="wc", **({} if total else owners(path)),
        )  # fmt: skip


def _counts(found: re.Match[str], columns: int) -> tuple[list[int] | None, str]:
    """Counts and path; a file whose name begins with digits stands behind its counts all the same."""
    text = found.string.strip()
    parts = text.split(None, columns)
    counts = [count for part in parts[:columns] if (count := whole(part)) is not None]
    if len(counts) < columns:
        return None, ""
    return counts, parts[columns] if len(parts) > columns else ""


READERS = (
    DocumentFormat(
        name="wc",
        records=(FileSize,),
        reference="GNU coreutils src/wc.c, 5.0 to 9.7",
        recognise=_recognise,
        read=_read,
    ),
)
