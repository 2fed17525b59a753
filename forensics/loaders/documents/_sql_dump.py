"""Dumps in SQL, statement after statement: of mysqldump, pg_dump, sqlite3, and of those who write like them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from forensics.evidence import Stream
from forensics.loaders._reader import Batch, Origin
from forensics.loaders.documents import _sql_words as words
from forensics.loaders.documents._ledger import Ledger, held
from forensics.loaders.documents._sql_scan import Rows, lines, values
from forensics.loaders.documents._sql_text import copied, literals
from forensics.loaders.documents._stacktach_tables import ASSUMED
from forensics.loaders.documents._tables import Tables, known_name
from forensics.records import Record, RowCount

LONGEST_ROW = 32 << 20
"""A longer row is counted, and not read."""
_LONGEST_STATEMENT = 1 << 20
_SLICE = 16_384
"""So much of a statement is looked at first, and eight times as much each time that it goes on."""
_MOST_TRIES = 200


@dataclass(slots=True)
class _Target:
    """The table whose rows are being read."""

    database: str | None
    table: str
    columns: tuple[str, ...]
    """Empty where no statement told them."""
    wanted: tuple[str, ...] = ()
    head: bytes = b""


@dataclass(slots=True)
class Dump:
    """One dump, being read.

    Args:
        stream: Its octets.
        origin: What is known of it.
        records: The records that are wanted.
        name: Name of the format.
        escapes: Whether a backslash escapes inside text.
        strict: Whether a line feed inside a row is always escaped, as mysqldump does it.
    """

    stream: Stream
    origin: Origin
    records: Collection[type[Record]] | None
    name: str
    escapes: bool
    strict: bool
    ledger: Ledger = field(init=False)
    tables: Tables = field(init=False)
    _schemas: dict[tuple[str | None, str], tuple[str, ...]] = field(default_factory=dict)
    _database: str | None = None
    _open: bool = False
    """Whether a statement goes on on the next line."""
    _delimiter: bool = False
    _body: bool = False
    """Whether what comes is the body of a function, between dollars."""
    _completed: tuple[int | None, bool] = (None, False)
    _last: _Target | None = None
    _cut: str | None = None
    _blind: set[str] = field(default_factory=set)
    """Tables that would tell records, had any statement named their columns."""
    _claimed: int = 0
    _losses: list[tuple[int | None, int | None, str, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.stream)
        self.tables = Tables(self.records)

    def batches(self) -> Iterator[Batch]:
        """Everything in it, and at the end what was counted."""
        ledger = self.ledger
        ledger.fill()
        while ledger.left or ledger.fill():
            feed = ledger.data.find(b"\n", ledger.at)
            if feed < 0 and ledger.left < _LONGEST_STATEMENT and ledger.fill():
                continue
            yield from self._statement(len(ledger.data) if feed < 0 else feed + 1)
        yield self._end()

    def _statement(self, end: int) -> Iterator[Batch]:
        """Whatever begins at the window's first octet; its first line ends at ``end``."""
        ledger = self.ledger
        start = ledger.data[ledger.at : ledger.at + 8].upper()
        if not self._delimiter and not self._body and start.startswith((b"INSERT", b"REPLACE", b"COPY ", b"CREATE ")):
            copy = start.startswith(b"COPY ")
            if start.startswith(b"CREATE "):
                done = self._create()
            else:
                target = self._target(words.COPY if copy else words.INSERT)
                done = target is not None
                if target is not None:
                    self._open = False
                    yield from self._copied(target) if copy else self._inserted(target)
            if done:
                return
        line = ledger.data[ledger.at : min(end, ledger.at + 4096)]
        self._said(line)
        bare = line.strip()
        reason = "statements"
        known = not bare or self._open or self._delimiter or self._body or words.WORDS.match(line) is not None
        if counted := words.COUNTED.match(bare):
            self._counted(counted, end)
            return
        if not self.escapes and len(words.DOLLARS.findall(line)) % 2:
            self._body = not self._body
            known = True
        if bare.upper().startswith(b"DELIMITER"):
            self._delimiter = bare.split()[-1] != b";"
        elif (
            known
            and bare
            and not self._delimiter
            and not self._body
            and (self._open or not bare.startswith((b"--", b"#", b"\\")))
        ):
            self._open = not bare.endswith((b";", b"*/"))
        kind = "framing" if known else "reject"
        ledger.skip(end - ledger.at, kind, reason if known else f"line not understood in {self.name}")

    def _said(self, line: bytes) -> None:
        if found := words.USE.match(line) or words.HOST.match(line):
            self._database = words.unquoted(found["database"])
        if words.ENDED.match(line) or words.COMPLETED.match(line):
            at = words.completed(line, self.origin)
            self._completed = (at if at is not None else self._completed[0], True)

    def _counted(self, found: re.Match[bytes], end: int) -> None:
        ledger = self.ledger
        place = (ledger.line, ledger.offset, end - ledger.at)
        name, state = words.unquoted(found["table"]), found["state"].decode("utf-8", "backslashreplace")
        self.tables.told(self._database, name, state, int(found["rows"]), place)
        ledger.pass_by(end - ledger.at)

    def _create(self) -> bool:
        """A CREATE TABLE statement; False where it is another."""
        ledger = self.ledger
        while True:
            found = words.definition(ledger.data, ledger.at, self._database)
            if found is not None:
                break
            whole = words.CREATE.match(ledger.data, ledger.at)
            if whole is None and ledger.left > 256:
                return False
            if ledger.left >= _LONGEST_STATEMENT or not ledger.fill():
                return False
        told, schema = found
        schema = None if schema == "public" else schema
        self._schemas[schema, told.table.lower()] = told.columns
        feed = ledger.data.find(b"\n", ledger.at, told.end)
        first = (told.end if feed < 0 else feed + 1) - ledger.at
        self.tables.seen(schema, told.table, told.columns, (ledger.line, ledger.offset, first))
        rest = told.end - ledger.at - first
        ledger.pass_by(first)
        ledger.skip(rest)
        self._open = False
        return True

    def _target(self, form: re.Pattern[bytes]) -> _Target | None:
        ledger = self.ledger
        found = form.match(ledger.data, ledger.at)
        while found is None and ledger.left < 131_072 and ledger.fill():
            found = form.match(ledger.data, ledger.at)
        if found is None:
            return None
        schema = words.unquoted(found["database"]) if found["database"] else self._database
        schema = self._database if schema == "public" else schema
        table = words.unquoted(found["table"])
        columns = words.listed(found["columns"]) or self._schemas.get((schema, table.lower()), ())
        columns = columns or self._schemas.get((None, table.lower()), ()) or self._assumed(table, found[0])
        target = _Target(schema, table, columns, self.tables.wanted(schema, table, columns), found[0])
        if not self.tables.met(schema, table):
            self.tables.seen(schema, table, columns, (ledger.line, ledger.offset, len(found[0])))
            self._claimed = len(found[0])  # the count of the table cites it: no stretch covers it
        self._last = target
        if not columns and known_name(table):
            self._blind.add(table)
        return target

    def _assumed(self, table: str, head: bytes) -> tuple[str, ...]:
        """Columns of a table that only ever had one layout of so many columns as its first row has."""
        if all(name != table.lower() for name, _ in ASSUMED):
            return ()
        octets = np.frombuffer(self.ledger.data, np.uint8)[self.ledger.at : self.ledger.at + _SLICE * 16]
        fields = values(octets, head, True, self.escapes, True, ()).fields()[:1].tolist()
        return ASSUMED.get((table.lower(), fields[0]), ()) if fields else ()

    def _inserted(self, target: _Target) -> Iterator[Batch]:
        ledger, at_head, size, sound = self.ledger, True, _SLICE, False
        while True:
            octets = np.frombuffer(ledger.data, np.uint8)[ledger.at : ledger.at + max(size, len(target.head) * 2)]
            whole = len(octets) == ledger.left
            anew = words.ANEW if self.strict else ()
            rows = values(octets, target.head, at_head, self.escapes, bool(target.wanted), anew)
            if target.wanted:
                good = rows.fields() == len(target.columns)
                sound = sound or bool(good.any())
                wrong = np.flatnonzero(~good[:-1] & ~good[1:])
                if sound and len(wrong):  # one row may be odd; where several are, a quote is missing or too many
                    rows = rows.before(int(wrong[0]))
            if len(rows.starts):
                yield self._rows(target, rows, octets, quoted=True)
            elif rows.taken:
                claimed = self._pass_claim()
                ledger.skip(rows.taken - claimed)
            if rows.state == "done":
                return
            size *= 8
            if rows.state == "odd":
                size = _SLICE
                if ledger.left < 4096:
                    ledger.fill()
                if words.BEHIND.match(ledger.data, ledger.at):
                    self._open = True
                    return
                if not self._resumed(target):
                    return
            elif not whole:
                pass
            elif not rows.taken and ledger.left >= LONGEST_ROW:
                if not self._resumed(target, f"row of {target.table} longer than {LONGEST_ROW >> 20} MiB"):
                    return
            elif not ledger.fill():
                self._cut_short(target)
                return
            at_head = ledger.data.startswith(target.head, ledger.at)

    def _pass_claim(self) -> int:
        """Leave behind what the count of the table cites, where no row has yet; how much that is."""
        claimed, self._claimed = min(self._claimed, self.ledger.left), 0
        self.ledger.pass_by(claimed)
        return claimed

    def _cut_short(self, target: _Target) -> None:
        ledger = self.ledger
        self._cut = f"cut in the middle of the rows of {target.table}"
        self._losses.append((None, ledger.line, "dump that was cut", None))
        self._pass_claim()
        ledger.skip(ledger.left, "gap", f"row of {target.table} that was cut")

    def _resumed(self, target: _Target, reason: str | None = None) -> bool:
        """Go on behind what is no row: at the next one of the statement, or at the next statement (then False)."""
        ledger, width = self.ledger, len(target.columns)
        why = reason or f"damaged place in the rows of {target.table}"
        if not reason:
            self._losses.append((None, ledger.line, "rows of a damaged statement", None))
        self._pass_claim()
        while True:
            text, start = ledger.data, ledger.at
            mark = words.NEXT.search(text, start) if self.strict else None
            limit = mark.end() if mark else len(text)
            place = start
            for _ in range(_MOST_TRIES):
                place = text.find(b"),(", place, limit) + 2
                if place < 2:
                    break
                for size in (_SLICE // 4, _SLICE * 16):
                    tried = np.frombuffer(text, np.uint8)[place : min(place + size, limit)]
                    rows = values(tried, target.head, False, self.escapes, True, ())
                    if len(rows.starts) or rows.state != "more":
                        break
                fields = rows.fields()[:2].tolist()
                if len(fields) and all(count == (width or fields[0]) for count in fields):
                    ledger.skip(place - start, "gap", why)
                    return True
            if mark:
                ledger.skip(limit - start, "gap", why)
                return False
            keep = 0 if ledger.ended else 64
            ledger.skip(len(text) - start - keep, "gap", why)
            if not ledger.fill():
                ledger.skip(ledger.left, "gap", why)
                return False

    def _copied(self, target: _Target) -> Iterator[Batch]:
        """Lines of COPY, up to a backslash and a full stop."""
        ledger = self.ledger
        ledger.note(ledger.at + min(self._claimed, len(target.head)), ledger.at + len(target.head), "framing", "COPY")
        ledger.pass_by(len(target.head))
        self._claimed = 0
        while True:
            text, start = ledger.data, ledger.at
            first = text.startswith(b"\\.", start)
            stop = start if first else text.find(b"\n\\.", start) + 1
            end = stop if stop or first else text.rfind(b"\n", start) + 1
            done = first or stop > 0
            if end > start:
                octets = np.frombuffer(text, np.uint8)[start:end]
                rows = lines(octets, 9, None, True, False)
                yield self._rows(target, rows, octets, quoted=False)
            if done:
                return
            if ledger.left >= LONGEST_ROW:
                ledger.skip(ledger.left, "gap", f"row of {target.table} longer than {LONGEST_ROW >> 20} MiB")
            if not ledger.fill():
                self._cut_short(target)
                return

    def _rows(self, target: _Target, rows: Rows, octets: np.ndarray, *, quoted: bool) -> Batch:
        """Rows of the window as a batch; the window moves behind them."""
        ledger, width = self.ledger, len(target.columns)
        claimed, self._claimed = self._claimed, 0
        if not target.wanted:
            self.tables.count(target.database, target.table, len(rows.starts))
            ledger.note(ledger.at + claimed, ledger.at + rows.taken, "framing", f"rows of {target.table}, counted")
            ledger.pass_by(rows.taken)
            return ledger.batch()
        good = rows.fields() == width
        if claimed and len(good) and not good[0]:
            rows.starts[0] += claimed
        if not good.all():
            ledger.note_rest(rows, good, f"row of {target.table} without {width} fields", "reject")
        kept = rows if good.all() else rows.where(good)
        at = tuple(target.columns.index(name) for name in target.wanted)
        if quoted:
            texts = [literals(octets, a, b, self.escapes) for a, b in kept.columns(width, at)]
        else:
            texts = [copied(octets, a, b) for a, b in kept.columns(width, at)]
        ts, basis = self.origin.taken()
        places = ledger.places(kept, self.origin.source).with_columns(
            ts=pl.lit(ts, pl.Int64), ts_basis=pl.lit(basis), host=pl.lit(self.origin.host, pl.String)
        )
        frame = pl.DataFrame(dict(zip(target.wanted, texts, strict=True)))
        told = self.tables.rows(target.database, target.table, frame, places)
        found = held(kept, ledger.offset, list(told.values()))
        if claimed and len(found) and not found[0] and kept.starts[0] == 0:
            kept.starts[0] += claimed
        ledger.note_rest(kept, found, f"rows of {target.table}, counted")
        ledger.note(ledger.at + int(rows.ends[-1]), ledger.at + rows.taken, "framing", "statements")
        ledger.pass_by(rows.taken)
        return ledger.batch(told)

    def _end(self) -> Batch:
        at, complete = self._completed
        ts, basis = (at, "stated") if at is not None else self.origin.taken()
        last = (self._last.database, self._last.table) if self._last else None
        told = complete if complete or self._cut else None
        places = {"source": self.origin.source, "host": self.origin.host, "ts": ts, "ts_basis": basis}
        rows = self.tables.counts(places, last, told)
        facts, notes = dict(self.tables.facts), []
        if self._cut:
            notes.append(f"{self._cut}: what would have followed is missing, and that table's count is too small")
        elif not complete:
            notes.append("nothing says that the dump is complete")
        if self._blind:
            names = ", ".join(sorted(self._blind))
            notes.append(f"rows only counted, for no statement names their columns (--complete-insert would): {names}")
        if notes:
            facts["note"] = "; ".join(notes)
        wanted = self.records is None or RowCount in self.records
        return self.ledger.batch({RowCount: rows} if wanted else {}, facts, tuple(self._losses))
