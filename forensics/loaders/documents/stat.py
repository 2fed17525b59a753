"""Files as `stat` shows them, in full or in the format that was typed."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import whole
from forensics.loaders.documents._places import absolute, owners, typed
from forensics.loaders.documents._templates import Template, option_value, template, words_of
from forensics.loaders.documents._wall import NS, epoch_ns, iso_wall, to_utc, told_zone
from forensics.records import FileSize

_FILE = re.compile(r"^\s*File: (?P<name>\S.*)$")
_SIZE = re.compile(r"^\s*Size: (?P<size>\d+)\s+Blocks: (?P<blocks>\d+)\s+IO Block: \d+\s*(?P<type>.*)$")
_DEVICE = re.compile(r"^Device: .*Inode: (?P<inode>\d+)\s+Links: (?P<links>\d+)")
_ACCESS = re.compile(r"^Access: \(\d+/\S+\)\s+Uid: \(\s*\d+/\s*(?P<owner>\S+)\)")
_MODIFY = re.compile(r"^Modify: (?P<at>\d{4}-.*)$")
_OTHER = re.compile(r"^\s*(?:Access|Change|Birth|Context): |^\s*(?:ID: |Block size: |Blocks: Total|Inodes: Total)")
_TROUBLE = re.compile(r"^(?:\S*/)?stat: ")
_KINDS = (("regular", "file"), ("directory", "folder"), ("symbolic link", "link"))
_STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}"
_DIRECTIVES = {
    "n": ("path", r".+"), "N": ("named", r".+"), "s": ("size", r"\d+"), "b": ("blocks", r"\d+"), "B": ("block", r"\d+"),
    "i": ("inode", r"\d+"), "h": ("links", r"\d+"), "U": ("owner", r"\S+"), "F": ("type", r"[a-z ]+"),
    "Y": ("epoch", r"\d+(?:\.\d+)?"), "y": ("at", _STAMP), "a": ("", r"\d+"), "A": ("", r"\S+"), "f": ("", r"\w+"),
    "d": ("", r"\w+"), "D": ("", r"\w+"), "u": ("", r"\d+"), "g": ("", r"\d+"), "G": ("", r"\S+"), "o": ("", r"\d+"),
    "m": ("", r"\S+"), "C": ("", r"\S+"), "t": ("", r"\w+"), "T": ("", r"\w+"), "x": ("", _STAMP), "z": ("", _STAMP),
    "w": ("", rf"(?:{_STAMP}|-)"), "X": ("", r"\d+(?:\.\d+)?"), "Z": ("", r"\d+(?:\.\d+)?"),
    "W": ("", r"\d+(?:\.\d+)?"),
}  # fmt: skip


def _form(command: str | None) -> Template | None:
    if typed(command, "stat") is None:
        return None
    form = option_value(words_of(command or ""), "-c", "--format", "--printf")
    return template(form, _DIRECTIVES) if form else None


def _recognise(head: Head) -> float:
    if form := _form(head.command):
        told = form.share(head.sample)
        return 0.97 if told and told + head.share(_TROUBLE) >= 0.7 else 0.0
    lines = [line for line in head.lines if line.strip() and not _TROUBLE.match(line)][:2]
    return 0.97 if len(lines) >= 2 and _FILE.match(lines[0][:8192]) and _SIZE.match(lines[1]) else 0.0


def _read(document: Document) -> None:
    form = _form(document.head.command)
    rows: list[tuple[int, int, dict[str, Any], int | None, int | None]] = []
    if form is not None:
        for at, told in enumerate(form.rows(document.lines)):
            if told is not None:
                rows.append((at, 1, told, *iso_wall(told.get("at"))))
            elif _TROUBLE.match(document.lines[at]):
                document.skip(at)
    else:
        rows = _blocks(document)
    local = to_utc(document.origin, [wall if offset is None else None for _, _, _, wall, offset in rows])
    if any(at is not None for at in local):
        told_zone(document)
    for (at, count, told, wall, offset), moved in zip(rows, local, strict=True):
        stated = moved if wall is None or offset is None else wall - offset * NS
        _add(document, at, count, told, stated)


def _blocks(document: Document) -> list[tuple[int, int, dict[str, Any], int | None, int | None]]:
    rows: list[tuple[int, int, dict[str, Any], int | None, int | None]] = []
    told: dict[str, Any] = {}
    start = -1
    wall = offset = None

    def end(at: int) -> None:
        if "size" in told:
            rows.append((start, at - start, dict(told), wall, offset))
        elif start >= 0:
            document.skip(start, at - start)  # of a file system: stat -f

    last = 0
    for at, line in enumerate(document.lines):
        line = line[:8192]
        if found := _FILE.match(line):
            if start >= 0:
                end(last + 1)
            told, start, wall, offset = {}, at, None, None
            told = {"named": found["name"].strip()}
        elif start >= 0 and (found := _SIZE.match(line) or _DEVICE.match(line) or _ACCESS.match(line)):
            told |= found.groupdict()
        elif start >= 0 and (found := _MODIFY.match(line)):
            wall, offset = iso_wall(found["at"])
        elif _TROUBLE.match(line):
            document.skip(at)
            continue
        elif start < 0 or not _OTHER.match(line):
            if start >= 0:
                end(last + 1)
            start = -1
            continue
        last = at
    if start >= 0:
        end(last + 1)
    return rows


def _add(document: Document, at: int, count: int, told: dict[str, Any], modified: int | None) -> None:
    target = told.get("target")
    path = told.get("path") or ""
    if named := told.get("named"):
        path, _, target = (_bare(part) for part in named.partition(" -> "))
    path = absolute(path, document.origin.directory)
    size, blocks = whole(told.get("size")), whole(told.get("blocks"))
    block = whole(told.get("block")) or 512
    modified = epoch_ns(told.get("epoch")) if modified is None else modified
    allocated = None if blocks is None else blocks * block
    said = told.get("type")
    kind = "unknown" if said is None else next((kind for word, kind in _KINDS if word in said), "other")
    bound = size if size is not None else allocated
    document.add(
        FileSize, at, count, path=path, kind=kind, size_bytes=size, allocated_bytes=allocated, low_bytes=bound,
        high_bytes=bound, owner=told.get("owner"), inode=whole(told.get("inode")), links=whole(told.get("links")),
        modified_at=modified, target=target or None, tool="stat", **owners(path),
    )  # fmt: skip


def _bare(name: str) -> str:
    """A name without the quotes that `stat` puts around it, and that changed from release to release."""
    return name[1:-1] if len(name) > 2 and name[0] in "`‘'\"" and name[-1] in "’'\"" else name


READERS = (
    DocumentFormat(
        name="stat",
        records=(FileSize,),
        reference="GNU coreutils src/stat.c, 5.3 to 9.7",
        recognise=_recognise,
        read=_read,
    ),
)
