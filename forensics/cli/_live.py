"""`forensics packets -`: packets shown while they are captured, and the summary when the capture ends."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from forensics.case._lines import line
from forensics.case._query import there_are
from forensics.cli import _show as show
from forensics.cli import _summary as summary
from forensics.errors import UnknownColumnError
from forensics.loaders.captures import _live
from forensics.records import Packet

_GAPS = 3
_MANY = 64


def may_follow() -> bool:
    """Whether the standard input is a capture that can be shown as it comes."""
    file = sys.stdin.buffer
    return isinstance(file, io.BufferedReader) and not file.seekable() and _live.is_capture(file)


def follow(tests: Sequence[pl.Expr], columns: Sequence[str], limit: int | None, *, rows: bool) -> int:
    """Show packets as they come, or how many there were, and what they were in the end.

    Ctrl-C ends the capturing program, and what it still wrote is shown; a second one ends this at once.

    Args:
        tests: Which packets.
        columns: What to show of them; a line of text a packet where empty.
        limit: After so many rows nothing more is read.
        rows: Whether packets are shown; the summary otherwise.
    """
    unknown = [name for name in columns if name not in Packet.columns()]
    if unknown:
        hint = there_are(unknown, list(Packet.columns()))
        raise UnknownColumnError(f"no column {', '.join(unknown)}", where="--columns", hint=hint)
    damage: list[str] = []
    groups: list[pl.DataFrame] = [summary.grouped(Packet.empty().lazy())]
    put = _table(columns)
    left, count = limit, 0
    with _patient():
        for part in _live.packets(sys.stdin.buffer):  # type: ignore[arg-type]
            if isinstance(part, str):
                damage.append(part)
                continue
            found = part.filter(*tests) if tests else part
            count += found.height
            if rows:
                shown = found if left is None else found.head(left)
                put(shown)
                left = None if left is None else left - shown.height
                if left == 0:
                    break
            else:
                groups.append(summary.grouped(found.lazy()))
                groups = [summary.merged(groups)] if len(groups) > _MANY else groups
                _counted(count)
    if not rows:
        summary.put(summary.of_groups(summary.merged(groups), {}, {}))
    elif not count:
        show.put("no packets")
    for text in damage:
        show.say(f"Warning: {show.safe(text)}")
    return _GAPS if damage else 0


@contextmanager
def _patient() -> Iterator[None]:
    """The first Ctrl-C is the capturing program's: reading goes on to the end of what it wrote."""

    def second(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, second)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGINT, before)
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _counted(count: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{count:,} packets\x1b[K")
        sys.stderr.flush()


def _table(columns: Sequence[str]) -> Callable[[pl.DataFrame], None]:
    """What shows rows part by part: the head once, columns as wide as anything was so far."""
    widths = [len(name) for name in columns]
    headed = False

    def put(rows: pl.DataFrame) -> None:
        nonlocal headed
        if columns:
            cells = [["" if v is None else str(v) if type(v) is int else show.shown(v) for v in row]
                     for row in rows.select(columns).iter_rows()]  # fmt: skip
            for row in cells if headed else [list(columns), *cells]:
                widths[:] = [max(size, len(cell)) for size, cell in zip(widths, row, strict=True)]
                show.put("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)))
            headed = True
        else:
            for position, ts, text in rows.select("position", "ts", text=line(Packet)).iter_rows():
                at = f"{ts:%Y-%m-%d %H:%M:%S.%f}" if ts is not None else "no time"
                for part in show.wrapped(f"{at} {show.safe(text)} [{position}]", "", "    "):
                    show.put(part)
        sys.stdout.flush()

    return put
