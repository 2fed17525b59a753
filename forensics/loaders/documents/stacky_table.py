"""Tables of notifications as the command `stacky` prints them, and the same as CSV."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from typing import Any

import polars as pl

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._stacky import (
    OF_HEADING,
    REFERENCE,
    SHOW,
    Found,
    asked_for,
    is_list,
    is_other,
    row_of,
    what_of,
)
from forensics.records import Notification

_RULE = re.compile(r"^\+(?:-+\+)+$")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d(?:\.\d{1,9})?$")
_SAID = re.compile(
    r"^(?:Events related to (?P<uuid>\S+)|No results|All Deployments|Deployment id: \d+|Event name: \S+|"
    r"Polling every \d+ seconds)$"
)


def _cells(line: str) -> list[str] | None:
    """Cells of a line of a table or of CSV."""
    if len(line) > 1 << 16:
        return None
    text = line.strip()
    if text.startswith("|") and text.endswith("|"):
        return [cell.strip() for cell in text[1:-1].split("|")]
    if text.startswith(("#,", '"#"', "?,", '"?"')) or text[:1].isdecimal():
        try:
            return next(csv.reader([text]), None)
        except csv.Error:  # a carriage return inside
            return None
    return None


def _titles(cells: list[str] | None) -> tuple[str, ...] | None:
    """Headings that StackTach gives its tables; the third of `stacky watch` is the day."""
    if not cells:
        return None
    titles = tuple(cells)
    watched = titles[:2] == ("#", "?") and len(titles) == 6 and _DAY.match(titles[2]) is not None
    return titles if watched or is_list(titles) or is_other(titles) or titles == SHOW else None


def _recognise(head: Head) -> float:
    for at, line in enumerate(head.lines[:12]):
        titles = _titles(_cells(line)) if "|" in line or "," in line else None
        if titles is None:
            text = line.strip()
            if text and not _RULE.match(text) and not _SAID.match(text):
                return 0.0
            continue
        if titles == SHOW:  # others print such tables, too
            return 0.97 if any(re.match(r"\|\s*Req ID\s*\|", one) for one in head.lines[at : at + 20]) else 0.0
        return 0.97 if is_list(titles) or len(titles) > 2 or titles[0] != "#" else 0.0
    return 0.0


def _read(document: Document) -> None:
    found = Found()
    places: list[tuple[int, int]] = []
    asked = asked_for(document.origin.command or document.origin.source)
    titles: tuple[str, ...] | None = None
    day, clock, count = date.min, "", 0
    at = 0
    while at < len(document.lines):
        line = document.lines[at].strip()
        cells = _cells(line)
        said = _SAID.match(line)
        if said or _RULE.match(line):
            asked = asked_for(said["uuid"]) if said and said["uuid"] else asked
            document.skip(at)
        elif (new := _titles(cells)) is not None:
            if titles is not None and is_list(titles):
                found.sizes.append(count)
            titles, count = new, 0
            day = date.fromisoformat(new[2]) if len(new) == 6 else day
            clock = "" if len(new) == 6 else clock
            document.skip(at)
            if titles == SHOW:
                at = _show(document, at, found, places)
                titles = None
        elif titles is not None and cells is not None and len(cells) == len(titles):
            if is_other(titles):
                found.others[what_of(titles)] += 1
                document.skip(at)
            elif len(titles) == 6:
                if _CLOCK.match(cells[2]):
                    day += timedelta(days=1 if cells[2] < clock and clock > "12" > cells[2] else 0)
                    clock = cells[2]
                    found.rows.append({"id": cells[0], "mark": cells[1], "when": f"{day} {clock}",
                                       "deployment": cells[3], "event": cells[4], "instance": cells[5]})  # fmt: skip
                    places.append((at, 1))
            elif cells[0].isdecimal():
                found.rows.append(row_of(titles, cells, asked))
                places.append((at, 1))
                count += 1
        at += 1
    if titles is not None and is_list(titles):
        found.sizes.append(count)
    _add(document, found, places)


def _add(document: Document, found: Found, places: list[tuple[int, int]]) -> None:
    note = found.note()
    if note:
        document.facts["note"] = note
    if not places:
        return
    lines = pl.DataFrame(places, schema={"line": pl.Int64, "count": pl.Int64}, orient="row")
    nowhere = lines.select(
        source=pl.col("line").cast(pl.String), position="line", offset_bytes="line", length_bytes="line"
    )
    rows = found.frame(nowhere).drop("source", "position", "offset_bytes", "length_bytes")
    rows = rows.with_columns(pl.selectors.datetime().dt.epoch("ns"))
    document.add_frame(Notification, pl.concat([lines, rows], how="horizontal"))


def _show(document: Document, at: int, found: Found, places: list[tuple[int, int]]) -> int:
    """One row, a key and a value a line, with the notification itself below it; gives the last line of it."""
    row: dict[str, Any] = {}
    start, rules = at, 0
    while at + 1 < len(document.lines) and rules < 2:
        line = document.lines[at + 1].strip()
        cells = _cells(line)
        if _RULE.match(line):
            rules += 1
        elif cells is not None and len(cells) == 2:
            if cells[0] in OF_HEADING:
                row[OF_HEADING[cells[0]]] = cells[1]
        else:
            break
        at += 1
    below = at + 1
    if below < len(document.lines) and document.lines[below].rstrip() == "[":
        end = next((n for n in range(below, len(document.lines)) if document.lines[n].rstrip() == "]"), None)
        if end is not None:
            row["text"] = "\n".join(document.lines[below : end + 1])
            at = end
    found.rows.append(row)
    places.append((start, at + 1 - start))
    return at


READERS = (
    DocumentFormat(name="stacky-table", records=(Notification,), reference=REFERENCE, recognise=_recognise, read=_read),
)
