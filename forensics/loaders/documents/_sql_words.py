"""The words around the rows of a dump: heads of statements, columns of tables, names, and when it was complete."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from forensics.clocks import LocalClock
from forensics.loaders._reader import Origin

_NAME = rb'(?:`(?:[^`]|``){1,64}`|"(?:[^"]|""){1,64}"|\[[^\]]{1,64}\]|[\w$]{1,64})'
_PLACE = rb"(?:(?P<database>" + _NAME + rb")\s*+\.\s*+)?+(?P<table>" + _NAME + rb")"
_LIST = rb"\s*+(?P<columns>\([^()']{1,65536}\))?+\s*+"
INSERT = re.compile(
    rb"(?:INSERT|REPLACE)\s++(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE|OR\s++[A-Z]++)\s++)*+(?:INTO\s++)?+"
    + _PLACE + _LIST + rb"(?:OVERRIDING\s++SYSTEM\s++VALUE\s++)?+VALUES?\s*+(?=\()",
    re.IGNORECASE,
)  # fmt: skip
COPY = re.compile(rb"COPY\s++" + _PLACE + _LIST + rb"FROM\s++stdin[^\n]*;\r?\n", re.IGNORECASE)
CREATE = re.compile(
    rb"CREATE\s++(?:TEMPORARY\s++|UNLOGGED\s++)?+TABLE\s++(?:IF\s++NOT\s++EXISTS\s++)?+" + _PLACE + rb"\s*+\(",
    re.IGNORECASE,
)
USE = re.compile(rb"(?:USE\s++|\\connect\s++|-- Current Database:\s++)(?P<database>" + _NAME + rb")", re.IGNORECASE)
HOST = re.compile(rb"-- Host: \S+\s+Database:\s+(?P<database>\S+)")
COUNTED = re.compile(rb"-- Rows of (?P<table>" + _NAME + rb"): (?P<rows>\d{1,18}) (?P<state>\S{1,40})\s*$")
COMPLETED = re.compile(
    rb"-- (?:Dump completed|Completed) on (\d{4}-\d\d-\d\d)\s+(\d{1,2}:\d\d:\d\d)(?:\s+(?P<zone>[A-Z]{3,4}))?"
)
ENDED = re.compile(
    rb"-- (?:Dump completed|PostgreSQL database dump complete|PostgreSQL database cluster dump complete)"
)
WORDS = re.compile(
    rb"\s*+(?:--|#|/\*|\\|(?:SET|LOCK|UNLOCK|ALTER|CREATE|DROP|USE|BEGIN|COMMIT|START|PRAGMA|SELECT|GRANT|REVOKE|COMMENT"
    rb"|DELETE|TRUNCATE|UPDATE|ANALYZE|DELIMITER|FLUSH|CALL|END|COPY|INSERT|REPLACE|ROLLBACK|CHANGE|SHOW)\b)",
    re.IGNORECASE,
)
BEHIND = re.compile(rb"\s*+(?:AS\b|ON\s++DUPLICATE\b|ON\s++CONFLICT\b|RETURNING\b)", re.IGNORECASE)
# mysqldump.c writes these at the start of a line, and never a line feed inside a row: a row that seems to go on
# beyond one of them has lost its end
ANEW = (b"INSERT INTO `", b"INSERT IGNORE INTO `", b"REPLACE INTO `", b"UNLOCK TABLES;", b"/*!40000 ALTER TABLE `",
        b"-- Table structure for table `", b"-- Dump completed")  # fmt: skip
NEXT = re.compile(b"\n(?=(?:" + b"|".join(map(re.escape, ANEW)) + b"))")
# what is never closed goes on to the end, so that no octet is looked at twice
_TOKEN = re.compile(
    rb"'(?:[^'\\]|\\.|'')*+(?:'|\Z)|`(?:[^`]|``)*+(?:`|\Z)|\"(?:[^\"]|\"\")*+(?:\"|\Z)|--[^\n]*+"
    rb"|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|[(),;]|[^'`\"(),;/\s-]++|.",
    re.DOTALL,
)
DOLLARS = re.compile(rb"\$\w{0,63}\$")
_KEYS = frozenset(b"PRIMARY UNIQUE KEY INDEX CONSTRAINT CHECK FOREIGN FULLTEXT SPATIAL EXCLUDE LIKE PERIOD".split())


@dataclass(frozen=True, slots=True)
class Definition:
    """A CREATE TABLE statement."""

    table: str
    columns: tuple[str, ...]
    end: int
    """Index behind its semicolon."""


def unquoted(name: bytes) -> str:
    """A name without its quotes.

    Examples:
        >>> unquoted(b"`when`"), unquoted(b'"a""b"'), unquoted(b"id")
        ('when', 'a"b', 'id')
    """
    text = name.decode("utf-8", "backslashreplace")
    mark = text[:1]
    if mark in '`"[' and len(text) > 1:
        return text[1:-1].replace(mark * 2, mark)
    return text


def listed(columns: bytes | None) -> tuple[str, ...] | None:
    """Names of a list of columns in parentheses.

    Examples:
        >>> listed(b"(`id`, `when`,host)")
        ('id', 'when', 'host')
    """
    if columns is None:
        return None
    return tuple(unquoted(name) for name in re.findall(_NAME, columns[1:-1]))


def definition(text: bytes, start: int, database: str | None = None) -> tuple[Definition, str | None] | None:
    r"""The CREATE TABLE statement that begins there, with its schema; None where it does not end in the text.

    Examples:
        >>> text = b"CREATE TABLE `t` (`id` int COMMENT 'a;b',\n `x` decimal(20,6),\n KEY `k` (`id`)\n);"
        >>> definition(text, 0)[0].columns
        ('id', 'x')
    """
    found = CREATE.match(text, start)
    if found is None:
        return None
    depth, fresh = 1, True
    columns: list[str] = []
    for token in _TOKEN.finditer(text, found.end()):
        word = token[0]
        if word == b"(":
            depth += 1
        elif word == b")":
            depth -= 1
        elif word == b"," and depth == 1:
            fresh = True
        elif word == b";" and depth <= 0:
            schema = unquoted(found["database"]) if found["database"] else database
            return Definition(unquoted(found["table"]), tuple(columns), token.end()), schema
        elif fresh and depth == 1 and word.strip() and not word.startswith((b"--", b"/*")):
            fresh = False
            if word.upper() not in _KEYS:
                columns.append(unquoted(word))
    return None


def completed(line: bytes, origin: Origin) -> int | None:
    """When a dump was complete, in nanoseconds since 1970; read as UTC where nothing tells the zone.

    References:
        client/mysqldump.cc, ``-- Dump completed on``: local time of the client that dumped; pg_dump -v.
    """
    found = COMPLETED.match(line)
    if found is None:
        return None
    clock = found[2].decode().rjust(8, "0")
    stamp = pl.Series([f"{found[1].decode()} {clock}"]).str.to_datetime(
        "%Y-%m-%d %H:%M:%S", time_unit="ns", strict=False
    )
    local = stamp.dt.epoch("ns")
    if local.null_count():
        return None
    stated = found["zone"] in (b"UTC", b"GMT")
    told: int | None = LocalClock("UTC" if stated else origin.zone or "UTC").utc(local)["ts"].dt.epoch("ns").item()
    return told
