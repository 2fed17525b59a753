"""Sizes of files as `ls` lists them, long or with blocks, of one folder or of many."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import Figure, figure, whole
from forensics.loaders.documents._long_listing import LONGEST, MODE, Listing, long_line
from forensics.loaders.documents._places import LEFT_OUT, absolute, flags, typed
from forensics.records import FileSize

_BLOCKS = re.compile(r"^\s*(?:(?P<inode>\d+)\s+)?(?P<blocks>\d+(?:[.,]\d)?[kKMGTPE]?)\s(?P<name>\s*\S.*)$")
_INODE = re.compile(r"^\s*(?P<inode>\d+)\s(?P<name>\S.*)$")
_ROUNDED = re.compile(r"^\s*(?:0|\d+(?:[.,]\d)?[kKMGTPE]|[1-9]\d\d)\s \S|^\s*(?:0|\d+(?:[.,]\d)?[kKMGTPE]) \S+$")
_TOTAL = re.compile(r"^[^\W\d]{3,12} \d+(?:[.,]\d)?[kKMGTPE]?$")
_HEADING = re.compile(r"^(?P<folder>\S.{0,4095}):$")
_TROUBLE = re.compile(r"^(?:\S*/)?ls: ")
_COLUMNS = re.compile(r"\s{2,}|\t")


def _recognise(head: Head) -> float:
    words = typed(head.command, "ls", "ll", "dir")
    own = [line for line in head.lines if line.strip() and len(line) <= LONGEST][:200]
    if not own:
        return 0.0
    long = sum(1 for line in own if MODE.match(line))
    others = sum(
        1 for line in own if _TOTAL.match(line) or _HEADING.match(line) or _TROUBLE.match(line) or LEFT_OUT.match(line)
    )
    if long and (long + others) / len(own) >= 0.7:
        return 0.95
    if words is not None:
        return 0.9
    rounded = [line for line in own if _ROUNDED.match(line)]
    if rounded and len(rounded) + others == len(own) and any(re.match(r"\s*\S*[kKMGTPE]\s", line) for line in rounded):
        return 0.9
    return 0.0


def _read(document: Document) -> None:
    words = typed(document.head.command, "ls", "ll", "dir")
    told = flags(words)
    listing = Listing(document, "ls")
    folder = _folder(document, words, told)
    after_blank = True
    long = any(MODE.match(line) for line in document.lines[:2000] if len(line) <= LONGEST)
    for at, line in enumerate(document.lines):
        if not line.strip():
            after_blank = True
        elif len(line) > LONGEST:
            continue
        elif (found := _HEADING.match(line)) and after_blank and not MODE.match(line) and _heads(document, at):
            folder = absolute(found["folder"].strip("'\""), document.origin.directory)
            document.skip(at)
        elif _TOTAL.match(line) or _TROUBLE.match(line) or LEFT_OUT.match(line):
            document.skip(at)
        elif long:
            if columns := long_line(line, told, "--si" in (words or ())):
                listing.add(at, folder, columns)
        else:
            for columns in _short(line, words, told):
                listing.add(at, folder, columns)
        after_blank = not line.strip() or (after_blank and _TROUBLE.match(line) is not None)
    listing.finish()


def _heads(document: Document, at: int) -> bool:
    """Whether a line that ends in a colon heads a folder: a total, an entry or nothing follows, and no prose."""
    following = next((line for line in document.lines[at + 1 : at + 3] if line.strip()), "")
    return len(following) <= LONGEST and bool(
        not following or _TOTAL.match(following) or MODE.match(following) or not re.search(r":\s", following)
    )


def _folder(document: Document, words: list[str] | None, told: str) -> str | None:
    """The folder whose entries are listed first, where nothing heads it."""
    given = [word.strip("'\"") for word in words or () if not word.startswith("-") and word not in (">", "2>&1")]
    directory = document.origin.directory
    if document.origin.command is None:  # the name of a file that sosreport collected has dots for slashes
        given = [f"/{word[1:].replace('.', '/')}" if re.match(r"^\.[a-z]", word) else word for word in given]
    if len(given) != 1 or "d" in told or re.search(r"[*?\[{]", given[0]):
        return directory
    listed = [line for line in document.lines if line.strip()]
    if len(listed) == 1 and listed[0].rstrip("/*@").endswith(given[0].rstrip("/")):
        return directory  # a file was named, and is listed as it was typed
    if listed and (_TOTAL.match(listed[0]) or not _names(listed[0], given[0])):
        return absolute(given[0], directory)
    return directory


def _names(line: str, given: str) -> bool:
    return line.rstrip("/*@'\"").endswith(given.rstrip("/"))


def _short(line: str, words: list[str] | None, told: str) -> list[dict[str, Any]]:
    """Entries of a line of `ls` without `-l`."""
    if "s" in told or "--size" in (words or ()) or words is None:
        if not (found := _BLOCKS.match(line)):
            return []
        size = figure(found["blocks"].replace(",", "."), _block(words), decimal="--si" in (words or ()))
        said = {} if size is None else bounds("allocated_bytes", size)
        return [{"inode": whole(found["inode"]), "path": _bare(found["name"])} | said]
    if "i" in told:
        found = _INODE.match(line)
        return [{"inode": whole(found["inode"]), "path": _bare(found["name"])}] if found else []
    names = re.split(r",\s", line.strip().removesuffix(",")) if "m" in told else _COLUMNS.split(line.strip())
    return [{"path": _bare(name)} for name in names]


def _bare(name: str) -> str:
    return name.strip().strip("'\"") or name


def _block(words: list[str] | None) -> int:
    size = next((word.partition("=")[2] for word in words or () if word.startswith("--block-size=")), "")
    unit = figure(size if size[:1].isdigit() else f"1{size}") if size else None
    return unit.shown if unit else 1024


def bounds(column: str, size: Figure) -> dict[str, int]:
    """Columns of a size."""
    return {column: size.shown, "low_bytes": size.low, "high_bytes": size.high}


READERS = (
    DocumentFormat(
        name="ls",
        records=(FileSize,),
        reference="GNU coreutils src/ls.c, 5.0 to 9.7; BusyBox coreutils/ls.c; FreeBSD bin/ls",
        recognise=_recognise,
        read=_read,
    ),
)
