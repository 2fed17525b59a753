"""Logs of Zeek (and of Bro before it): tab-separated with their own header, or one JSON object a line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import polars as pl

from forensics.clocks import epoch, iso
from forensics.evidence import series_of
from forensics.loaders.documents._document import Head
from forensics.loaders.documents._event_lines import EventLines, Events, Number, Rows, json_object, pairs

_REFERENCE = (
    "zeek/zeek src/logging/writers/ascii/Ascii.cc and src/threading/formatters/{Ascii,JSON}.cc, Bro 2.0 to Zeek 7"
)
_STREAM = re.compile(r"^(?P<name>[a-z][a-z0-9_]*?)(?:[.-]\d[\d:_.-]*)?\.(?:log|json|ndjson)", re.ASCII)
_STREAMS = frozenset(
    ("analyzer", "arp", "broker", "capture_loss", "cluster", "config", "conn", "console", "dce_rpc", "dhcp",
     "dnp3", "dns", "dpd", "files", "ftp", "http", "intel", "irc", "kerberos", "known_certs", "known_hosts",
     "known_services", "ldap", "ldap_search", "loaded_scripts", "modbus", "mqtt_connect", "mqtt_publish",
     "mqtt_subscribe", "mysql", "notice", "notice_alarm", "ntlm", "ntp", "ocsp", "packet_filter", "pe",
     "postgresql", "print", "prof", "quic", "radius", "rdp", "redis", "reporter", "rfb", "signatures", "sip",
     "smb_cmd", "smb_files", "smb_mapping", "smtp", "snmp", "socks", "software", "ssh", "ssl", "stats",
     "stderr", "stdout", "syslog", "telemetry", "traceroute", "tunnel", "unknown_protocols", "weird",
     "weird_stats", "websocket", "x509",)
)  # fmt: skip
_KEYS = ("id.orig_h id.resp_h", "uid id.orig_h", "uids msg_types", "fuid", "note actions", "_path", "uid id")
"""Keys of which a log has all of one entry, whatever its file is called."""
_STATED, _UTC = "stated", "utc-by-definition"
_MOST_FIELDS, _MOST_HEADERS = 2_000, 1_000
"""What no log of Zeek comes near."""
_OPENERS = ("#separator ", "#fields\t", "#set_separator\t", "#path\t")


def stream_of_file(name: str) -> str | None:
    """The stream that a file's name tells.

    Examples:
        >>> [stream_of_file(name) for name in ("a/conn.log", "dns.10:00:00-11:00:00.log.gz", "nova-api.log", "x.txt")]
        ['conn', 'dns', None, None]
    """
    found = _STREAM.match(series_of(name).stem.rpartition("/")[2]) or _STREAM.match(name.rpartition("/")[2])
    return found["name"] if found else None


def instants(stamps: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Instants (nanoseconds) of seconds since 1970 or of ISO 8601 stamps, and the basis of their zone."""
    if not len(stamps):
        return pl.Series([], dtype=pl.Int64), pl.Series([], dtype=pl.String)
    counted = epoch(stamps)["ts"]
    said = pl.Series([None] * len(stamps), dtype=counted.dtype)
    if counted.null_count():
        said = iso(stamps)["ts"]
    frame = pl.DataFrame({"counted": counted, "said": said}).select(
        ts=pl.coalesce("counted", "said").dt.epoch("ns"),
        basis=pl.when(pl.col("counted").is_not_null())
        .then(pl.lit(_UTC))
        .when(pl.col("said").is_not_null())
        .then(pl.lit(_STATED))
        .otherwise(pl.lit("none")),
    )
    return frame["ts"], frame["basis"]


@dataclass(slots=True)
class _Header:
    """What the lines before the rows say of them."""

    separator: str = "\t"
    unset: str = "-"
    empty: str = "(empty)"
    path: str | None = None
    fields: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def copy(self) -> _Header:
        """As it is now."""
        return replace(self)

    def told(self, line: str) -> None:
        """One line of a header."""
        if line.startswith("#separator "):
            text = line.removeprefix("#separator ").strip(" ")
            marks = re.findall(r"\\x([0-9a-fA-F]{2})", text)
            self.separator = "".join(chr(int(mark, 16)) for mark in marks) if marks else text or "\t"
            self.fields, self.types, self.path = (), (), None
            return
        key, _, rest = line.partition(self.separator)
        if key == "#fields":
            self.fields, self.types = tuple(rest.split(self.separator)), ()
        elif key == "#types":
            self.types = tuple(rest.split(self.separator))
        elif key == "#path" and rest:
            self.path = rest
        elif key == "#unset_field" and rest:
            self.unset = rest
        elif key == "#empty_field" and rest:
            self.empty = rest

    @property
    def stamp(self) -> int | None:
        """Which field has the instant."""
        if "ts" in self.fields:
            return self.fields.index("ts")
        return self.types.index("time") if "time" in self.types[: len(self.fields)] else None


@dataclass(slots=True)
class _Table:
    """Reads the tab-separated form."""

    head: Head
    header: _Header = field(default_factory=_Header)
    headers: int = 0
    """How many there were."""

    def read(self, texts: list[str], final: bool) -> Events:  # noqa: ARG002 - a line is never continued
        """See `Parser`."""
        comments = [at for at, text in enumerate(texts) if text.startswith("#")]
        parts: list[pl.DataFrame] = []
        lines: list[int] = []
        known = self.header.copy()
        for at, end in pairwise([-1, *comments, len(texts)]):
            if at >= 0:
                self.header.told(texts[at])
            if end > at + 1:
                if self.header != known and lines:
                    parts.append(self._rows(known, texts, lines))
                    lines = []
                if self.header != known:
                    self.headers += 1
                    known = self.header.copy()
                lines.extend(range(at + 1, end))
        parts.append(self._rows(known, texts, lines))
        parts = [part for part in parts if part.height]
        empty = Rows().frame(line=pl.Int64(), n_lines=pl.Int64(), ts=pl.Int64())
        return Events(pl.concat(parts) if parts else empty, comments)

    def _rows(self, header: _Header, texts: list[str], lines: list[int]) -> pl.DataFrame:
        if not lines or not 0 < len(header.fields) <= _MOST_FIELDS or self.headers > _MOST_HEADERS:
            return pl.DataFrame()
        cells = pl.DataFrame({"line": lines, "text": [texts[line] for line in lines]}).with_columns(
            cell=pl.col("text").str.split(header.separator, literal=True)
        )
        if len(header.fields) == 1:
            cells = cells.filter(pl.col("text").str.strip_chars() != "")
        cells = cells.filter(pl.col("cell").list.len() == len(header.fields))
        values = cells.select(pl.col("cell").list.get(at).alias(str(at)) for at in range(len(header.fields)))
        stamps = (
            pl.Series([None] * cells.height, dtype=pl.String) if header.stamp is None else values[str(header.stamp)]
        )
        ts, basis = instants(stamps)
        words = [
            _word(header, at, name).alias(str(at)) if at != header.stamp
            else pl.when(ts.is_null()).then(_word(header, at, name)).alias(str(at))
            for at, name in enumerate(header.fields)
        ]  # fmt: skip
        message = values.select(pl.concat_str(words, separator=" ", ignore_nulls=True)).to_series()
        host = pl.Series([None] * cells.height, dtype=pl.String)
        if "_system_name" in header.fields:
            named = pl.col(str(header.fields.index("_system_name")))
            host = values.select(pl.when(~named.is_in([header.unset, header.empty])).then(named)).to_series()
        stream = header.path or stream_of_file(self.head.name)
        return cells.select(
            "line",
            n_lines=pl.lit(1, pl.Int64),
            ts=ts,
            host=host,
            program=pl.lit(f"zeek-{stream}" if stream else "zeek"),
            message=message,
            zone_basis=basis,
        )


def _word(header: _Header, at: int, name: str) -> pl.Expr:
    value = pl.col(str(at))
    quoted = pl.concat_str(pl.lit(f'{name}="'), value.str.replace_all('"', '\\"', literal=True), pl.lit('"'))
    return (
        pl.when(value == header.unset)
        .then(None)
        .when(value == header.empty)
        .then(pl.lit(f'{name}=""'))
        .when(value.str.contains(r'[\s"]') | (value == ""))
        .then(quoted)
        .otherwise(pl.concat_str(pl.lit(f"{name}="), value))
    )


@dataclass(slots=True)
class _Objects:
    """Reads the JSON form."""

    head: Head

    def read(self, texts: list[str], final: bool) -> Events:  # noqa: ARG002 - a line is never continued
        """See `Parser`."""
        rows, stamps = Rows(), []
        named = stream_of_file(self.head.name)
        for line, text in enumerate(texts):
            told = json_object(text)
            if told is None or not _is_event(told, self.head.name):
                continue
            stamp = told.get("ts")
            stamps.append(_seconds(stamp) if isinstance(stamp, str) else None)
            stream = told.get("_path") or named or _stream_by_keys(told)
            host = told.get("_system_name")
            rows.add(
                line=line,
                n_lines=1,
                host=host if isinstance(host, str) and host else None,
                program=f"zeek-{stream}" if isinstance(stream, str) else "zeek",
                message=pairs([(name, value) for name, value in told.items() if name != "ts" and value is not None]),
            )
        frame = rows.frame(
            line=pl.Int64(), n_lines=pl.Int64(), host=pl.String(), program=pl.String(), message=pl.String()
        )
        ts, basis = instants(pl.Series(stamps, dtype=pl.String))
        return Events(frame.with_columns(ts=ts, zone_basis=basis))


def _seconds(stamp: str) -> str:
    """Seconds of what may be milliseconds (``JSON::TS_MILLIS``)."""
    if isinstance(stamp, Number) and len(stamp) == 13 and stamp.isdigit():
        return f"{stamp[:-3]}.{stamp[-3:]}"
    return stamp


def _stream_by_keys(told: dict[str, Any]) -> str | None:
    for stream, keys in (("dhcp", "uids msg_types"), ("notice", "note actions"), ("files", "fuid mime_type"),
                         ("conn", "conn_state"), ("dns", "trans_id query"), ("http", "method uri")):  # fmt: skip
        if told.keys() >= set(keys.split()):
            return stream
    return None


def _is_event(told: dict[str, Any], name: str) -> bool:
    stamp = told.get("ts")
    if not isinstance(stamp, str) or not re.match(r"\d{9,13}(?:\.\d{1,9})?$|\d{4}-\d\d-\d\dT", stamp):
        return False
    if isinstance(told.get("uid"), str) and "id" in told and "id.orig_h" not in told:
        return isinstance(told["id"], dict) and "orig_h" in told["id"]
    return any(told.keys() >= set(keys.split()) for keys in _KEYS[:-1]) or stream_of_file(name) in _STREAMS


def _table_begins(head: Head) -> float:
    told = [line for line in head.lines[:40] if line.strip()]
    first = next((line for line in told if not line.startswith("### ")), "")
    if not first.startswith(_OPENERS):
        return 0.0
    return 1.0 if any(line.startswith("#fields") for line in told) else 0.9


def _objects_begin(head: Head) -> float:
    if not head.first.startswith("{") or '"ts"' not in head.first:
        return 0.0
    told = json_object(head.first)
    return 1.0 if told is not None and _is_event(told, head.name) else 0.0


READERS = (
    EventLines("zeek", _REFERENCE, _table_begins, _Table),
    EventLines("zeek-json", f"{_REFERENCE}; Corelight's _path and _system_name", _objects_begin, _Objects),
)
