"""Sessions of mysql, mariadb and psql: what was typed at the prompt, and what the database answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from forensics import escape
from forensics.loaders.documents._answers import add_answer
from forensics.loaders.documents._boxes import Box, boxes, is_foot
from forensics.loaders.documents._count_rows import add_counts, stamps
from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._sql_counts import by_flag, counted, rows_of
from forensics.loaders.documents._tables import YIELDS, Tables
from forensics.records import RowCount, ShellCommand

_MOST_TYPED = 8_192
_PROMPT = re.compile(
    r"^(?:(?P<client>mysql)|MariaDB \[(?P<database>[^\]]{0,64})\]|(?P<schema>\w{1,64})[=-][#>])(?:> ?| )(?P<typed>.*)$"
)
_MORE = re.compile(r"^(?:\s{0,40}[-'\"`]>|\w{1,64}[-'\"(][#>]) ?(?P<typed>.*)$")
_DONE = re.compile(
    r"^Query OK, (?P<rows>\d{1,18}) rows? affected(?:, \d+ warnings?)?"
    r" \((?:\d+ days? )?(?:\d+ hours? )?(?:\d+ min )?[\d.]+ sec\)"
)
_TAG = re.compile(r"^(?:DELETE|UPDATE|INSERT \d+) (?P<rows>\d{1,18})$")
_SAID = re.compile(
    r"^(?:Query OK|Rows matched:|Records:|Database changed|Reading table information|You can turn off this feature|Bye|"
    r"Welcome to the M|Commands end with|Your M\w+ connection id|Server version:|Copyright |Oracle is a|affiliates|"
    r"owners\.|Type 'help|Type \"help\"|psql \(|SSL connection|You are now connected|Empty set|ERROR|Warning|mysql: |"
    r"Note|\(\d+ rows?\)|\d+ rows? in set|Timing is|Time:|\s*$|(?:DELETE|UPDATE|INSERT|SELECT)(?: \d+)+$|"
    r"(?:BEGIN|COMMIT|ROLLBACK)$)"
)
_USE = re.compile(r"(?i)^(?:use|\\u|\\c)\s+[`\"]?(?P<database>[\w$]+)")
_CHOSEN = re.compile(r"^(?:sudo )?(?:mysql|mariadb|psql)\b(?:.*\s)?(?:-D ?|--database=)?(?P<database>[A-Za-z]\w*)\s*$")
_SECRET = re.compile(
    r"(?i)(identified\s{1,8}by\s{1,8}(?:password\s{1,8})?|password\s{0,8}[(=]\s{0,8})(?:'[^']*'|\"[^\"]*\")"
)
_NOW = ("utc_timestamp()", "utc_timestamp")


@dataclass(slots=True)
class _Statement:
    """One prompt with what was typed at it; lines from ``start``, its answer up to ``end``."""

    start: int
    shell: str
    database: str | None
    typed: list[str] = field(default_factory=list)
    answer: int = 0
    end: int = 0

    @property
    def text(self) -> str:
        """What was typed, in one line."""
        return " ".join(part.strip() for part in self.typed if part.strip())[:_MOST_TYPED]


def _statements(lines: list[str]) -> Iterator[_Statement]:
    now: _Statement | None = None
    for at, line in enumerate(lines):
        found = _PROMPT.match(line[:_MOST_TYPED])
        if found:
            if now is not None:
                now.end = at
                now.answer = now.answer or at
                yield now
            shell = "psql" if found["schema"] else "mysql"
            schema = found["database"] if found["database"] not in (None, "(none)") else found["schema"]
            now = _Statement(at, shell, schema, [found["typed"]])
            if _ended(now):
                now.answer = at + 1
        elif now is not None and not now.answer:
            more = _MORE.match(line[:_MOST_TYPED])
            if more:
                now.typed.append(more["typed"])
                now.answer = at + 1 if _ended(now) else 0
            else:
                now.answer = at
    if now is not None:
        now.end = len(lines)
        now.answer = now.answer or now.end
        yield now


def _ended(statement: _Statement) -> bool:
    """Whether what was typed last ends the statement; some commands need no semicolon."""
    first, last = statement.typed[0].strip(), statement.typed[-1].strip()
    if last.endswith((";", "\\G", "\\g")):
        return True
    alone = not first or first.startswith("\\") or bool(re.match(r"(?i)(?:use|exit|quit|help|status|source)\b", first))
    return alone and len(statement.typed) == 1


def _recognise(head: Head) -> float:
    told = [line for line in head.lines[:40] if line.strip()]
    if not any(_PROMPT.match(line[:_MOST_TYPED]) for line in told):
        return 0.0
    first = next(at for at, line in enumerate(told) if _PROMPT.match(line[:_MOST_TYPED]))
    if not all(_SAID.match(line) or line.startswith("and ") for line in told[:first]):
        return 0.0
    strict = told[first].startswith(("mysql>", "MariaDB ["))
    return 0.98 if strict or (head.command or "").startswith("psql") else 0.0


def _masked(text: str) -> str:
    return escape.masked(_SECRET.sub(r"\1•••", text))


def _read(document: Document) -> None:
    lines, tables = document.lines, Tables()
    chosen = _CHOSEN.match((document.head.command or "")[:300])
    database, at, ids = (chosen["database"] if chosen else None), None, False
    statements = list(_statements(lines))
    for line in range(statements[0].start if statements else 0):
        if _SAID.match(lines[line]) or lines[line].startswith("and "):
            document.skip(line)
    for one in statements:
        if found := _USE.match(one.text):
            database = found["database"]
        schema = one.database or database
        at = _told_now(document, one, schema, at, tables)
        ids = ids or (by_flag(one.text) and "instances" in one.text.lower())
    if ids:
        document.facts["note"] = (
            "`deleted = 1` finds every deleted row up to Folsom, but from Grizzly on, where `deleted` holds the row's "
            "own id, at most one: `deleted != 0` is right in both"
        )


def _told_now(document: Document, one: _Statement, schema: str | None, at: int | None, tables: Tables) -> int | None:
    """Rows of one statement and its answer; returns the instant that the answer tells, or else the one before."""
    lines = document.lines
    answer = lines[one.answer : one.end]
    done = next((found for line in answer if (found := _DONE.match(line) or _TAG.match(line))), None)
    ts, basis = (at, "stated") if at is not None else document.taken()
    if one.text:
        document.add(
            ShellCommand, one.start, one.answer - one.start, ts=ts, ts_basis=basis, shell=one.shell,
            command=_masked(one.text), affected=int(done["rows"]) if done else None,
            n_lines=sum(1 for line in answer if line.strip()),
        )  # fmt: skip
    else:
        document.skip(one.start, max(one.answer - one.start, 1))
    for box in boxes(answer):
        box.start, box.end = box.start + one.answer, box.end + one.answer
        box.lines = [(line + one.answer, count) for line, count in box.lines]
        at = _answered(document, one, box, schema, at, tables)
    for line in range(one.answer, one.end):
        if _SAID.match(lines[line]) or is_foot(lines[line]):
            document.skip(line)
    return at


def _answered(
    document: Document, one: _Statement, box: Box, schema: str | None, at: int | None, tables: Tables
) -> int | None:
    statement = one.text.removesuffix("\\G").removesuffix(";")
    document.skip(box.start, box.end - box.start)
    if len(box.rows) == 1 and len(box.columns) == 1 and box.columns[0].lower() in _NOW:
        return stamps(document)((box.rows[0][0] or "") + "Z") or at
    told = counted(box.columns, box.rows, statement, schema)
    if told is None:
        add_answer(document, tables, box, statement, schema)
        return at
    for index, each in rows_of(told):
        add_counts(document, *box.lines[index], [each], at)
    return at


READERS = (
    DocumentFormat(
        "sql-session",
        (ShellCommand, RowCount, *(record for record in YIELDS if record is not RowCount)),
        "client/mysql.cc (prompt, print_table_data, end_timer), MySQL 5.0 to 9, MariaDB; psql",
        _recognise,
        _read,
    ),
)
