"""Timelines of Timesketch, and of plaso's psort that it takes: CSV (also ``l2tcsv`` and ``dynamic``) and JSON lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from forensics.clocks import LocalClock, epoch, is_zone, iso
from forensics.loaders.documents._document import Head
from forensics.loaders.documents._event_lines import EventLines, Events, Rows, json_object, pairs

_REFERENCE = "google/timesketch docs/guides/user/import-from-json-csv.md and timesketch/lib/utils.py"
_PLASO = "log2timeline/plaso plaso/output/{shared_json,shared_dsv,dynamic}.py"
_L2T = "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra"
_DYNAMIC = "datetime,timestamp_desc,source,source_long,message,"
"""How what `psort -o dynamic` writes begins where nobody asked for other fields; it quotes nothing."""
_HOSTS = ("hostname", "host", "computer_name", "host_name", "computer")
_PROGRAMS = ("data_type", "sourcetype", "source_long", "parser", "source")
_TAG = re.compile(r"\[(?P<program>[^\s\],]{1,100})(?:,? {1,2}pid: (?P<pid>\d{1,10}))?\] ", re.ASCII)
_UNSAID = frozenset({"", "-", "N/A", "nan", "None", "null"})
_MOST_LINES, _MOST_CHARACTERS = 10_000, 8 << 20
"""A record whose message has line feeds may be this long."""
_KINDS = {"line": pl.Int64(), "n_lines": pl.Int64(), "host": pl.String(), "program": pl.String(), "pid": pl.Int64(),
          "message": pl.String(), "said": pl.String(), "counted": pl.String()}  # fmt: skip


def _said(value: object) -> bool:
    return value is not None and not (isinstance(value, str) and value.strip() in _UNSAID)


def _first(told: Mapping[str, object], names: tuple[str, ...]) -> tuple[str | None, str | None]:
    """The first of some fields that is told, and its text."""
    for name in names:
        value = told.get(name)
        if isinstance(value, str) and _said(value):
            return name, value.strip()
    return None, None


def _of_event(told: dict[str, Any], plaso: bool) -> dict[str, Any]:
    """Columns of a row, of an event by its fields."""
    host_field, host = _first(told, _HOSTS)
    kind_field, program = _first(told, _PROGRAMS)
    used = {"message", "datetime", "timestamp", host_field}
    reporter = told.get("reporter")
    if program is not None and program.startswith("syslog:") and isinstance(reporter, str) and _said(reporter):
        program, kind_field = reporter, None
        used.add("reporter")
    tag, tagged = _tag(told.get("message"), told.get("parser"))
    if reporter is None and tag is not None:
        program, kind_field = tag, None
    pid = told.get("pid", tagged)
    pid = int(pid) if isinstance(pid, str) and len(pid) < 12 and pid.isascii() and pid.isdigit() else None
    if pid is not None:
        used.add("pid")
    if kind_field is not None:
        used.add(kind_field)
    said, counted = told.get("datetime"), told.get("timestamp")
    rest = [(name, value) for name, value in told.items() if name not in used and name and _said(value)]
    text = told.get("message")
    message = text if isinstance(text, str) else pairs([("message", text)]) if text is not None else ""
    return {
        "host": host,
        "program": program,
        "pid": pid,
        "message": "\n".join(part for part in (message, pairs(rest)) if part),
        "said": said if isinstance(said, str) else None,
        "counted": _seconds(counted, plaso) if isinstance(counted, str) else None,
    }


def _tag(message: object, parser: object) -> tuple[str | None, str | None]:
    """Program and process of a line of syslog, as plaso puts them before its text."""
    if isinstance(message, str) and isinstance(parser, str) and "syslog" in parser and (found := _TAG.match(message)):
        return found["program"], found["pid"]
    return None, None


def _seconds(count: str, plaso: bool) -> str | None:
    """Seconds since 1970 with their fraction, of a count whose unit its length tells; plaso counts microseconds."""
    found = re.fullmatch(r"(-?)(\d{1,19})(\.\d{1,9})?", count.strip(), re.ASCII)
    if found is None:
        return None
    sign, digits, fraction = found.groups()
    if not int(digits):
        return None  # plaso's way to say that there is none
    if plaso or (not fraction and len(digits) not in (10, 13, 19)):
        places = 6
    else:
        places = {13: 3, 16: 6, 19: 9}.get(len(digits), 0)
    if not places:
        return f"{sign}{digits}{fraction or ''}"
    digits = digits.zfill(places + 1)
    return f"{sign}{digits[:-places]}.{digits[-places:]}{(fraction or '.')[1:]}"


def _instants(rows: pl.DataFrame, plaso: bool) -> pl.DataFrame:
    """``said`` and ``counted`` as ``ts`` with the basis of its zone.

    ``datetime`` counts; but ``timestamp`` does where it only adds the fraction of that second.
    """
    if not rows.height:
        return rows.drop("said", "counted").with_columns(ts=pl.lit(None, pl.Int64), zone_basis=pl.lit(None, pl.String))
    counts = re.compile(r"\s*-?\d{9,19}(?:\.\d{1,9})?\s*$", re.ASCII)
    stamps = [
        _seconds(text, plaso) if text is not None and counts.match(text) else None for text in rows["said"].to_list()
    ]
    numbers = epoch(pl.Series(stamps, dtype=pl.String))["ts"]
    dates = iso(rows["said"].str.strip_chars())
    bare = dates["local_ns"].is_not_null() & dates["offset_s"].is_null()
    said = pl.DataFrame({
        "number": numbers.dt.epoch("ns"), "date": dates["ts"].dt.epoch("ns"), "local": dates["local_ns"], "bare": bare,
        "counted": epoch(rows["counted"])["ts"].dt.epoch("ns"),
    })  # fmt: skip
    second = 1_000_000_000
    whole = pl.coalesce("date", pl.when("bare").then("local"))
    finer = (whole % second == 0) & (whole // second == pl.col("counted") // second)
    told = said.select(
        ts=pl.when(finer).then("counted").otherwise(pl.coalesce(whole, "number", "counted")),
        basis=pl.when(pl.col("date").is_not_null())
        .then(pl.lit("stated"))
        .when(pl.coalesce(whole, "number", "counted").is_not_null())
        .then(pl.lit("utc-by-definition"))
        .otherwise(pl.lit("none")),
    )
    return rows.drop("said", "counted").with_columns(ts=told["ts"], zone_basis=told["basis"])


@dataclass(slots=True)
class _Objects:
    """Reads JSON lines."""

    head: Head

    def read(self, texts: list[str], final: bool) -> Events:  # noqa: ARG002 - a line is never continued
        """See `Parser`."""
        rows = {plaso: Rows() for plaso in (False, True)}
        for line, text in enumerate(texts):
            told = json_object(text)
            if told is None or not _is_event(told):
                continue
            plaso = "__container_type__" in told or "pathspec" in told
            rows[plaso].add(line=line, n_lines=1, **_of_event(told, plaso))
        parts = [_instants(found.frame(**_KINDS), plaso) for plaso, found in rows.items()]
        return Events(pl.concat(parts).sort("line"))


def _is_event(told: Mapping[str, Any]) -> bool:
    if "timestamp" not in told and "datetime" not in told:
        return False
    return "message" in told and ("timestamp_desc" in told or told.get("__container_type__") == "event")


@dataclass(slots=True)
class _Sheet:
    """Reads CSV.

    A record with the right number of fields on one line is that; quotes may hold separators and line feeds only where
    the header is not one of psort's, which quotes nothing.
    """

    head: Head
    names: list[str] | None = None
    mark: str = ","
    plain: bool = False
    l2t: bool = False
    header_lines: list[int] = field(default_factory=list)
    clocks: dict[str, LocalClock] = field(default_factory=dict)

    def read(self, texts: list[str], final: bool) -> Events:
        """See `Parser`."""
        skipped, rows, at = [], Rows(), 0
        if self.names is None:
            at = next((line for line, text in enumerate(texts) if text.strip()), len(texts))
            if at < len(texts):
                self._header(texts[at])
                skipped.append(at)
                at += 1
        taken = at
        for line, count, cells in self._records(texts, at, final):
            taken = line + count
            if cells is None or self.names is None:
                continue
            if cells == self.names:
                skipped.append(line)
                continue
            told = dict(zip(self.names, cells, strict=True))
            rows.add(line=line, n_lines=count, **(self._of_l2t(told) if self.l2t else _of_event(told, self.plain)))
        frame = rows.frame(**_KINDS)
        placed = self._local(frame) if self.l2t else _instants(frame, self.plain)
        return Events(placed, skipped, taken)

    def _header(self, text: str) -> None:
        found = _columns(text)
        if found is None:
            return
        self.names, self.mark = found
        self.plain = text.startswith((_DYNAMIC, _L2T))
        self.l2t = text.startswith(_L2T)

    def _records(self, texts: list[str], at: int, final: bool) -> Iterator[tuple[int, int, list[str] | None]]:
        """First line, number of lines and cells of each record; no cells where it is none."""
        width = len(self.names or ())
        while at < len(texts):
            text = texts[at]
            cells: list[str] | None
            if not text.strip() or not width:
                yield at, 1, None
                at += 1
                continue
            if '"' not in text or self.plain:
                cells = text.split(self.mark)
                if len(cells) != width and '"' in text:
                    cells = self._cells([text]) or []
                yield at, 1, cells if len(cells) == width else None
                at += 1
                continue
            count = self._extent(texts, at)
            if count is None and not final and _short(texts, at):
                return  # it goes on in what is read next
            cells = self._cells(texts[at : at + count]) if count is not None else None
            if cells is not None and len(cells) == width:
                yield at, count or 1, cells
                at += count or 1
                continue
            # a quote that nobody closes, or closes elsewhere: each line for itself
            for line in range(at, min(at + (count or _MOST_LINES), len(texts))):
                cells = self._cells([texts[line]])
                yield line, 1, cells if cells is not None and len(cells) == width else None
            at = min(at + (count or _MOST_LINES), len(texts))

    def _extent(self, texts: list[str], at: int) -> int | None:
        """How many lines a record has by its quotes; None where it does not end."""
        open_, size = False, 0
        for line in range(at, min(at + _MOST_LINES, len(texts))):
            size += len(texts[line])
            open_ ^= bool(texts[line].count('"') % 2)
            if not open_:
                return line - at + 1
            if size > _MOST_CHARACTERS:
                return None
        return None

    def _cells(self, texts: list[str]) -> list[str] | None:
        wrapped = len(texts) > 1  # then quotes must be sound: a stray pair would swallow what is between
        try:
            found = list(csv.reader([text + "\n" for text in texts], delimiter=self.mark, strict=wrapped))
        except csv.Error:
            return None
        return found[0] if len(found) == 1 else None

    def _of_l2t(self, told: dict[str, str]) -> dict[str, Any]:
        tag, pid = _tag(told["desc"], told["format"])
        used = {"date", "time", "timezone", "desc", "version", "host"}
        if told["desc"].startswith(told["short"].removesuffix("...")):
            used.add("short")
        rest = [(name, value) for name, value in told.items() if name not in used and _said(value)]
        month, _, rest_of_date = told["date"].partition("/")
        day, _, year = rest_of_date.partition("/")
        known = any(part.strip("0") for part in (year, month, day))
        return {
            "host": told["host"] if _said(told["host"]) else None,
            "program": tag or _first(told, ("sourcetype", "format", "source"))[1],
            "pid": int(pid) if pid else None,
            "message": "\n".join(part for part in (told["desc"], pairs(rest)) if part),
            "said": f"{year}-{month}-{day}T{told['time']}" if known else None,
            "counted": told["timezone"].strip(),
        }

    def _local(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Wall clock times to UTC, each by the zone that its line names."""
        local = iso(rows["said"])["local_ns"]
        ts = pl.Series([None] * rows.height, dtype=pl.Int64)
        for zone in rows["counted"].unique(maintain_order=True).drop_nulls().to_list():
            name = "UTC" if zone.upper() in ("UTC", "GMT", "Z") else zone
            if not is_zone(name) or len(self.clocks) > 100:
                continue
            clock = self.clocks.setdefault(name, LocalClock(name))
            own = rows["counted"] == zone
            read = clock.utc(pl.select(pl.when(own).then(local)).to_series())["ts"].dt.epoch("ns")
            ts = pl.select(pl.when(own).then(read).otherwise(ts)).to_series()
        basis = pl.select(pl.when(ts.is_null()).then(pl.lit("none")).otherwise(pl.lit("stated"))).to_series()
        return rows.drop("said", "counted").with_columns(ts=ts, zone_basis=basis)


def _short(texts: list[str], at: int) -> bool:
    return len(texts) - at < _MOST_LINES and sum(map(len, texts[at:])) < _MOST_CHARACTERS


def _columns(text: str) -> tuple[list[str], str] | None:
    """Names of columns and what is between them, of the header of a timeline."""
    if text.startswith(_L2T):
        return _L2T.split(","), ","
    for mark in ",\t;":
        if mark not in text or len(text) > 32_768:
            continue
        try:
            names = next(csv.reader([text], delimiter=mark), [])
        except csv.Error:
            continue
        names = [name.strip() for name in names]
        told = set(names)
        if {"message", "timestamp_desc"} <= told and told & {"datetime", "timestamp"} and len(told) == len(names):
            return names, mark
    return None


def _sheet_begins(l2t: bool) -> Callable[[Head], float]:
    def recognise(head: Head) -> float:
        first = head.first
        if ("timestamp_desc" in first or first.startswith(_L2T)) and first.startswith(_L2T) == l2t:
            return 1.0 if _columns(first) is not None else 0.0
        return 0.0

    return recognise


def _objects_begin(head: Head) -> float:
    first = head.first
    if not first.startswith("{") or '"message"' not in first or '"timestamp_desc"' not in first:
        return 0.0
    told = json_object(first)
    if told is None:
        return 0.9 if len(first) > 30_000 else 0.0  # the first line is longer than the head
    return 1.0 if _is_event(told) else 0.0


READERS = (
    EventLines("timesketch-csv", f"{_REFERENCE}; {_PLASO}", _sheet_begins(False), _Sheet),
    EventLines("timesketch-json", f"{_REFERENCE}; {_PLASO}", _objects_begin, _Objects),
    EventLines("l2tcsv", "log2timeline/plaso plaso/output/l2t_csv.py", _sheet_begins(True), _Sheet),
)
