"""Files as `find` lists them: `-ls`, `-printf` with the format that was typed, or paths alone."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import figure, whole
from forensics.loaders.documents._long_listing import LONGEST, MODE, Listing, long_line, unescaped
from forensics.loaders.documents._places import absolute, owners, typed
from forensics.loaders.documents._templates import Template, option_value, template, words_of
from forensics.loaders.documents._wall import epoch_ns
from forensics.records import FileSize

_LS = re.compile(r"^\s*\d+\s+\d+\s+[-dlbcpsDC][-rwxsStT]{9}[.+@]?\s+\d+\s.*\s(?:/|\.(?:/|$))")
_PATH = re.compile(r"^(?:/|\./|\.$|~)")
_TROUBLE = re.compile(r"^(?:\S*/)?find: ")
_TYPES = {"f": "file", "d": "folder", "l": "link"}
_EPOCH = r"-?\d{1,11}(?:\.\d+)?"
_DIRECTIVES = {
    "p": ("path", r".+"), "s": ("size", r"\d+"), "k": ("kib", r"\d+"), "b": ("blocks", r"\d+"), "i": ("inode", r"\d+"),
    "n": ("links", r"\d+"), "u": ("owner", r"\S+"), "g": ("", r"\S+"), "y": ("type", r"\w"), "T@": ("modified", _EPOCH),
    "l": ("target", r".*?"), "m": ("", r"\d+"), "M": ("", r"\S+"), "f": ("name", r"[^/]+"), "h": ("folder", r".+"),
    "P": ("path", r".*"), "A@": ("", _EPOCH), "C@": ("", _EPOCH), "U": ("", r"\d+"), "G": ("", r"\d+"),
    "d": ("", r"\d+"),
    "t": ("", r".{24,34}"), "a": ("", r".{24,34}"), "c": ("", r".{24,34}"), "T+": ("", r"\S+"), "TY": ("", r"\d{4}"),
    "Tm": ("", r"\d\d"), "Td": ("", r"\d\d"), "TH": ("", r"\d\d"), "TM": ("", r"\d\d"), "TS": ("", r"[\d.]+"),
    "TT": ("", r"[\d:.]+"), "TF": ("", r"[\d-]+"), "Tc": ("", r".{20,34}"), "TD": ("", r"[\d/]+"), "D": ("", r"\d+"),
}  # fmt: skip


def _form(command: str | None) -> Template | None:
    if typed(command, "find") is None:
        return None
    form = option_value(words_of(command or ""), "-printf")
    return template(form, _DIRECTIVES) if form else None


def _recognise(head: Head) -> float:
    form = _form(head.command)
    if form is not None:
        told = form.share(head.sample)
        return 0.97 if told and told + head.share(_TROUBLE) >= 0.7 else 0.0
    listed = head.share(_LS)
    if listed and listed + head.share(_TROUBLE) >= 0.7:
        return 0.97
    if typed(head.command, "find") is None:
        return 0.0
    if "-print0" in (head.command or "") or "-exec" in (head.command or "") or "-printf" in (head.command or ""):
        return 0.0
    return 0.9 if head.share(_PATH) + head.share(_TROUBLE) >= 0.7 else 0.0


def _read(document: Document) -> None:
    form = _form(document.head.command)
    listing = Listing(document, "find")
    told = form.rows(document.lines) if form else []
    for at, line in enumerate(document.lines):
        if len(line) > LONGEST:
            continue
        if _TROUBLE.match(line):
            document.skip(at)
        elif form is not None:
            if row := told[at]:
                _add(document, at, row)
        elif MODE.match(line):
            if columns := long_line(line, "i"):
                columns["path"] = unescaped(columns["path"])
                listing.add(at, document.origin.directory, columns)
        elif _PATH.match(line):
            listing.add(at, document.origin.directory, {"path": line})
    listing.finish()


def _add(document: Document, at: int, told: dict[str, Any]) -> None:
    path = told.get("path") or "/".join(part for part in (told.get("folder"), told.get("name")) if part)
    path = absolute(path, document.origin.directory)
    sizes: dict[str, Any] = {}
    for name, block in (("kib", 1024), ("blocks", 512)):
        if name in told and (size := figure(told[name], block)):
            sizes |= {"allocated_bytes": size.shown, "low_bytes": size.low, "high_bytes": size.high}
    if "size" in told and (size := figure(told["size"])):
        sizes |= {"size_bytes": size.shown, "low_bytes": size.low, "high_bytes": size.high}
    document.add(
        FileSize, at, path=path or ".", kind=_TYPES.get(told.get("type", ""), "other" if "type" in told else "unknown"),
        owner=told.get("owner"), links=whole(told.get("links")), inode=whole(told.get("inode")), tool="find",
        target=told.get("target") or None, modified_at=epoch_ns(told.get("modified")), **sizes, **owners(path),
    )  # fmt: skip


READERS = (
    DocumentFormat(
        name="find",
        records=(FileSize,),
        reference="GNU findutils find/pred.c and lib/listfile.c, 4.2 to 4.10",
        recognise=_recognise,
        read=_read,
    ),
)
