"""What StackTach's REST interface answers, and what others keep of it: lists of notifications as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin, Stretch
from forensics.loaders.documents._document import MOST_BYTES
from forensics.loaders.documents._notification_text import loads
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
from forensics.records import Notification, Record

_BLANK = re.compile(r"[\s,]*")
_LISTS = re.compile(r"\s{0,64}\[\s{0,64}\[\s{0,64}[\[\"\d]")
_WIDTHS = re.compile(r"\s{0,64}\[\s{0,64}\[(?:\s{0,64}\d{1,4}\s{0,64},){5}\s{0,64}\d{1,4}\s{0,64}\]\s{0,64},\s{0,64}\[")
_DECODER = json.JSONDecoder()


class _Rest:
    """Reader of the JSON that StackTach answers: see `forensics.loaders._reader.Reader`."""

    name = "stacky-json"
    record: type[Record] = Notification
    bases: tuple[type[Record], ...] = (Notification,)
    yields: tuple[type[Record], ...] = (Notification,)
    reference = REFERENCE

    def likeness(self, head: bytes, name: str) -> float:  # noqa: ARG002 - the content tells
        """See `Reader`."""
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"[":
            return 0.0
        text = head.decode("latin-1").lstrip("ï»¿ \t\r\n")
        if not _LISTS.match(text):
            return 0.0
        if _WIDTHS.match(text):
            return 0.95
        items, _ = _items(text[:4096], 0)
        inner = loads(text[slice(*items[0])]) if items else None
        if inner is None and re.match(r'\[\s{0,64}\[\s{0,64}\[\s{0,64}"Key"\s{0,64},\s{0,64}"Value"', text):
            return 0.97
        if not isinstance(inner, list) or not inner:
            return 0.0
        if isinstance(inner[0], list):
            return 0.97 if tuple(inner[0]) == SHOW else 0.0
        titles = tuple(str(one) for one in inner)
        return 0.97 if is_list(titles) or is_other(titles) else 0.0

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        octets = stream.read(MOST_BYTES)
        answer = _Answer(octets, asked_for(origin.command or origin.source))
        answer.read()
        yield answer.batch(origin.source, records is None or Notification in records)
        at = len(octets)
        while more := stream.read(MOST_BYTES):
            reason = f"behind {MOST_BYTES >> 20} MiB of one {self.name}"
            yield Batch({}, (Stretch(at, len(more), "reject", reason),))
            at += len(more)


def _items(text: str, at: int) -> tuple[list[tuple[int, int]], int | None]:
    """Where the elements of a list are, and where it ends: None where it is cut off or no JSON."""
    found: list[tuple[int, int]] = []
    at += 1
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if text[at : at + 1] == "]":
            return found, at + 1
        try:
            end = _DECODER.raw_decode(text, at)[1]
        except (ValueError, RecursionError):
            return found, None
        found.append((at, end))
        at = end


class _Answer:
    """Answers behind one another, each a list."""

    def __init__(self, octets: bytes, asked: dict[str, str]) -> None:
        self.octets = octets
        self.text = octets.decode("latin-1")  # one character an octet
        self.asked = asked
        self.found = Found()
        self.spans: list[tuple[int, int]] = []
        self.sound = 0

    def read(self) -> None:
        """Read all answers that there are."""
        at = self.text.find("[")
        while at >= 0:
            items, end = _items(self.text, at)
            self._list(items, at, end)
            self.sound = end if end is not None else items[-1][1] if items else at
            if end is None:
                return
            blank = _BLANK.match(self.text, end)
            at = blank.end() if blank and self.text[blank.end() : blank.end() + 1] == "[" else -1

    def _value(self, span: tuple[int, int]) -> Any:
        return loads(self.octets[slice(*span)].decode("utf-8", "replace"))

    def _list(self, items: list[tuple[int, int]], start: int, end: int | None) -> None:
        first = self._value(items[0]) if items else None
        if not isinstance(first, list) or not first:
            return
        if isinstance(first[0], list):
            self._show(first, items, start, end)
        elif all(isinstance(one, int) for one in first) and len(items) > 1:
            self._watch(_items(self.text, items[1][0])[0])
        elif is_list(tuple(first)):
            self._rows(tuple(first), items[1:])
        elif is_other(tuple(map(str, first))) and len(items) > 1:
            self.found.others[what_of(tuple(map(str, first)))] += len(items) - 1

    def _rows(self, titles: tuple[Any, ...], items: list[tuple[int, int]]) -> None:
        count = 0
        for span in items:
            cells = self._value(span)
            if isinstance(cells, list) and len(cells) == len(titles):
                self.found.rows.append(row_of(titles, cells, self.asked))
                self.spans.append(span)
                count += 1
        self.found.sizes.append(count)

    def _watch(self, items: list[tuple[int, int]]) -> None:
        for span in items:
            cells = self._value(span)
            if isinstance(cells, list) and len(cells) == 7:
                number, mark, day, clock, deployment, event, uuid = cells
                self.found.rows.append({"id": number, "mark": mark, "when": f"{day} {clock}", "deployment": deployment,
                                        "event": event, "instance": uuid})  # fmt: skip
                self.spans.append(span)

    def _show(self, first: list[Any], items: list[tuple[int, int]], start: int, end: int | None) -> None:
        pairs = [one for one in first if isinstance(one, list) and len(one) == 2]
        if not pairs or tuple(pairs[0]) != SHOW:
            return
        row = {OF_HEADING[str(key)]: value for key, value in pairs[1:] if str(key) in OF_HEADING}
        text = self._value(items[1]) if len(items) > 1 else None
        self.found.rows.append(row | {"text": text if isinstance(text, str) else None})
        self.spans.append((start, end if end is not None else items[-1][1]))

    def batch(self, source: str, wanted: bool) -> Batch:
        """Rows, and what lies between them."""
        stretches: list[Stretch] = []
        lines: list[int] = []
        at, line, counted = 0, 1, 0
        for start, end in [*self.spans, (len(self.octets), len(self.octets))]:
            for until, kind, reason in ((min(max(self.sound, at), start), "framing", "headings"),
                                        (start, "reject", "JSON that is cut off or damaged")):  # fmt: skip
                if until > at:
                    blank = not self.octets[at:until].strip()
                    line, counted = line + self.octets.count(b"\n", counted, at), at
                    what = ("padding", "blank") if blank else (kind, reason)
                    stretches.append(Stretch(at, until - at, *what, line))
                    at = until
            line, counted = line + self.octets.count(b"\n", counted, start), start
            lines.append(line)
            at = end
        places = pl.DataFrame(
            {
                "source": pl.Series([source] * len(self.spans), dtype=pl.String),
                "position": pl.Series(lines[:-1], dtype=pl.Int64),
                "offset_bytes": pl.Series([start for start, _ in self.spans], dtype=pl.Int64),
                "length_bytes": pl.Series([end - start for start, end in self.spans], dtype=pl.Int64),
            }
        )
        rows: dict[type[Record], pl.DataFrame] = {}
        if wanted and self.spans:
            rows[Notification] = self.found.frame(places)
        note = self.found.note()
        return Batch(rows, tuple(stretches), facts={"note": note} if note else {})


READERS = (_Rest(),)
