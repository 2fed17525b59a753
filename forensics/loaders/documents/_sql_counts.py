"""What an answer of a database says of numbers of rows: of which table, in which state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from forensics.loaders.documents._tables import known_name

_LONGEST = 4_096
_NAME = r"[`\"]?(?P<{}>[\w$]+)[`\"]?"
_FROM = re.compile(r"(?i)\bfrom\s+(?:" + _NAME.format("database") + r"\s*\.\s*)?" + _NAME.format("table"))
_END = re.compile(r"(?i)\b(?:order\s+by|having|limit)\b")
_GROUP = re.compile(r"(?i)\bgroup\s+by\b")
_WHERE = re.compile(r"(?i)\bwhere\b")
_LIVE = re.compile(
    r"(?i)^(?:\w+\.)?(?:`?deleted`? ?= ?(?:0|false|'f')|not `?deleted`?|! ?`?deleted`?|`?deleted`? is false)$"
)
_DEAD = re.compile(
    r"(?i)^(?:\w+\.)?(?:`?deleted`? ?(?:!=|<>|>) ?0|`?deleted`?|`?deleted`? ?(?:= ?(?:true|'t')|is true))$"
)
_FLAG = re.compile(r"(?i)^(?:\w+\.)?`?deleted`? ?= ?'?1'?$")
_STATE = re.compile(r"(?i)^(?:\w+\.)?`?vm_state`? ?= ?['\"]([\w-]+)['\"]$")
_TABLE = ("table_name", "table", "tbl", "tablename", "relname", "table name")
_ROWS = ("table_rows", "rows", "count", "row_count", "n_live_tup", "count(*)", "num_rows", "n_rows", "number of rows")
_ESTIMATES = ("table_rows", "n_live_tup", "reltuples")
_SCHEMA = ("table_schema", "schema", "database", "db", "schemaname", "schema_name")
_STATES = ("state", "condition", "deleted", "status")
_TIMES = ("captured_at", "time", "ts", "date", "timestamp", "datetime", "at", "when", "sampled_at", "taken_at", "day")
_OTHER_TABLES = frozenset({
    "instance_metadata", "instance_extra", "block_device_mapping", "reservations", "quota_usages", "migrations",
    "token", "tokens", "instance_types", "flavors", "volumes", "snapshots", "aggregates", "bw_usage_cache",
    "task_log", "events", "traits",
})  # fmt: skip
_WIDE = re.compile(
    r"^(?:(?P<first>\w+)\.)?(?P<second>\w+?)(?:[_.](?P<state>deleted|live|all|total|rows|count|error|active))?$"
)
_PLAIN = {"total": "all", "rows": "all", "count": "all"}


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of one table in one state."""

    table: str
    rows: int
    state: str = "all"
    database: str | None = None
    is_estimate: bool = False
    data_bytes: int | None = None


def is_table(name: str) -> bool:
    """Whether a name is one of a table of a cloud."""
    bare = name.lower().removeprefix("shadow_")
    return known_name(bare) or bare in _OTHER_TABLES


def whole(text: str | None) -> int | None:
    """A number of rows, with or without separators of thousands."""
    bare = (text or "").strip().replace(",", "").replace("_", "")
    return int(bare) if re.fullmatch(r"\d{1,18}(?:\.0)?", bare) and "." not in bare else None


def state_of(where: str | None, rows: int) -> str:
    """The state that a condition tells: live, deleted, all, a vm_state, or the condition as it was written.

    ``deleted = 1`` finds at most one row where the column holds the row's own id (Grizzly and later), so it
    stands for all deleted rows only where it found more.

    Examples:
        >>> [state_of(where, 7) for where in (None, "deleted = 0", "deleted<>0", "deleted=1", "vm_state = 'error'")]
        ['all', 'live', 'deleted', 'deleted', 'error']
        >>> state_of("deleted = 1", 1), state_of("terminated_at <  NOW()", 5)
        ('deleted = 1', 'terminated_at < NOW()')
    """
    said = " ".join((where or "").split()).strip().removesuffix(";").strip()
    if not said or said in ("1", "1=1", "true"):
        return "all"
    spaced = re.sub(r" ?(<>|!=|>=|<=|=|<|>) ?", r" \1 ", said)
    if _LIVE.match(spaced):
        return "live"
    if _DEAD.match(spaced) or (_FLAG.match(spaced) and rows > 1):
        return "deleted"
    word = _STATE.match(spaced)
    return word[1] if word and word[1] not in ("deleted", "live", "all") else said


def counted(
    columns: Sequence[str], rows: Sequence[Sequence[str | None]], statement: str | None, database: str | None = None
) -> list[list[Counted]] | None:
    """Numbers of rows that an answer tells, row by row; None where it tells none.

    Args:
        columns: Names of its columns.
        rows: Its cells.
        statement: The statement that it answers, where known.
        database: The schema in use.
    """
    names = [name.lower() for name in columns]
    table, number = _first(names, _TABLE), _first(names, _ROWS)
    if table is None and "engine" in names and "name" in names and "rows" in names:  # SHOW TABLE STATUS
        table = names.index("name")
    if table is not None and number is not None:
        estimate = names[number] in _ESTIMATES or "engine" in names
        return [_listed(names, row, table, number, estimate, database) for row in rows]
    found = _asked((statement or "").strip()[:_LONGEST])
    number = next((at for at, name in enumerate(names) if name.startswith("count(")), None)
    if found and number is None and len(names) == 1:
        number = 0
    if found and number is not None and "information_schema" not in (found[0] or "").lower():
        return [_grouped(columns, row, number, found[1], found[0] or database, found[2]) for row in rows]
    if len(rows) == 1 and names and all(is_table(name) for name in names):
        return [[Counted(name, count, database=database) for name, cell in zip(names, rows[0], strict=True)
                 if (count := whole(cell)) is not None]]  # fmt: skip
    return None


def _asked(statement: str) -> tuple[str | None, str, str | None] | None:
    """Schema, table and condition of a SELECT that counts rows."""
    lower = statement.lower()
    if not lower.startswith("select") or "count" not in lower:
        return None
    found = _FROM.search(statement)
    if found is None or "count" not in lower[: found.start()]:
        return None
    rest = statement[found.end() :].rstrip("; \t\n")
    for mark in (_END, _GROUP):
        if cut := mark.search(rest):
            rest = rest[: cut.start()]
    where = _WHERE.search(rest)
    return found["database"], found["table"], rest[where.end() :] if where else None


def _first(names: Sequence[str], among: Sequence[str]) -> int | None:
    return next((names.index(name) for name in among if name in names), None)


def _listed(
    names: Sequence[str], row: Sequence[str | None], table: int, number: int, estimate: bool, database: str | None
) -> list[Counted]:
    count, name = whole(row[number]), row[table]
    if count is None or not name:
        return []
    schema = _first(names, _SCHEMA)
    state = _first(names, _STATES)
    said = (row[state] if state is not None else None) or "all"
    if state is not None and names[state] == "deleted":
        said = "live" if said in ("0", "f", "false") else "deleted"
    size = whole(row[names.index("data_length")]) if "data_length" in names else None
    return [Counted(name, count, said, (row[schema] if schema is not None else None) or database, estimate, size)]


def _grouped(
    columns: Sequence[str], row: Sequence[str | None], number: int, table: str, schema: str | None, where: str | None
) -> list[Counted]:
    count = whole(row[number])
    if count is None:
        return []
    others = [(name, cell) for at, (name, cell) in enumerate(zip(columns, row, strict=True)) if at != number]
    parts = [" ".join(where.split())] if where and where.strip() else []
    for name, cell in others:
        if name.lower() == "deleted":
            parts.append("deleted = 0" if cell in ("0", "f") else "deleted != 0")
        else:
            parts.append(f"{name} is null" if cell is None else f"{name} = '{cell}'")
    return [Counted(table, count, state_of(" and ".join(parts), count), schema)]


def time_column(names: Sequence[str]) -> int | None:
    """Index of the column that says when."""
    return _first([name.lower() for name in names], _TIMES)


def wide(names: Sequence[str]) -> list[tuple[str | None, str, str] | None] | None:
    """Schema, table and state of each column of a list with a column a table; None where it is no such list.

    Examples:
        >>> wide(["time", "nova.instances", "instances_deleted"])
        [None, ('nova', 'instances', 'all'), (None, 'instances', 'deleted')]
    """
    when = time_column(names)
    if when is None or len(names) < 2:
        return None
    told = [None if at == when else _wide(name.lower()) for at, name in enumerate(names)]
    good = [one for at, one in enumerate(told) if at != when and one is not None]
    return told if len(good) == len(names) - 1 and any(is_table(table) for _, table, _ in good) else None


def _wide(name: str) -> tuple[str | None, str, str] | None:
    if is_table(name):
        return None, name, "all"
    found = _WIDE.match(name)
    if found is None:
        return None
    first, second, state = found["first"], found["second"], found["state"] or "all"
    if first and is_table(first) and not found["state"]:
        return None, first, second
    return (first, second, _PLAIN.get(state, state)) if first or is_table(second) else None


def by_flag(statement: str) -> bool:
    """Whether a statement takes ``deleted`` for a flag, ``deleted = 1``.

    Examples:
        >>> by_flag("delete from nova.instances where deleted=1 and terminated_at < NOW()")
        True
    """
    return re.search(r"(?i)\bdeleted`?\s{0,8}=\s{0,8}'?1'?(?![\d.])", statement) is not None


def rows_of(found: list[list[Counted]]) -> Iterator[tuple[int, Counted]]:
    """Index of the row of an answer, and what it tells."""
    for at, told in enumerate(found):
        for one in told:
            yield at, one
