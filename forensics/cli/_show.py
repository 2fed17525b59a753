"""How the command line shows things: tables of text that a terminal never obeys, 80 columns wide where nobody looks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forensics import escape

if TYPE_CHECKING:
    import polars as pl

_COLOURS = {"critical": "1;31", "high": "31", "medium": "33", "low": "36", "info": "2", "bold": "1", "dim": "2"}
_FEW = 12
"""Tables of more columns than this leave empty ones out on a terminal."""


def safe(text: str) -> str:
    """Text of evidence on one line of a terminal."""
    return escape.line(text)


def width() -> int:
    """Columns there are: those of the terminal, 80 where the output goes elsewhere."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80


def put(text: str = "") -> None:
    """One line to the standard output. Whatever comes from evidence went through `safe` before."""
    sys.stdout.write(text.rstrip() + "\n")


def flush() -> None:
    """What was put is seen now, also in a file or a pipe."""
    sys.stdout.flush()


def say(text: str) -> None:
    """One line to the standard error."""
    sys.stderr.write(text.rstrip() + "\n")


def tinted(text: str, tint: str) -> str:
    """Coloured where a person looks and did not forbid it (https://no-color.org)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_COLOURS[tint]}m{text}\x1b[0m"


def heading(text: str) -> None:
    """A heading with a blank line before it."""
    put()
    put(tinted(text, "bold"))


def wrapped(text: str, indent: str = "", hanging: str | None = None) -> list[str]:
    """Text that is safe already, in lines of the width there is."""
    rest = indent if hanging is None else hanging
    lines = textwrap.wrap(text, max(width(), 40), initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False)
    return lines or [indent]


def cut(text: str, size: int, *, left: bool = False) -> str:
    """At most ``size`` characters; an ellipsis stands for what was cut off, at the left end for paths."""
    if len(text) <= size:
        return text
    return "…" + text[len(text) - size + 1 :] if left else text[: size - 1] + "…"


def table(
    titles: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    numbers: Sequence[str] = (),
    path: str = "",
    whole: bool = False,
) -> None:
    """Columns side by side; those that do not fit are cut.

    Args:
        titles: Names of the columns.
        rows: Values; text is made safe here, None is left blank.
        numbers: Titles of columns that stand to the right.
        path: Title of the column that gives way first, and is cut at its left end.
        whole: Cut nothing, for another program reads on.
    """
    cells = [[shown(value) for value in row] for row in rows]
    widths = [max(len(row[n]) for row in [list(titles), *cells]) for n in range(len(titles))]
    over = sum(widths) + 2 * (len(widths) - 1) - width()
    while over > 0 and not whole:
        widest = (
            list(titles).index(path) if path and widths[list(titles).index(path)] > 30 else widths.index(max(widths))
        )
        give = min(over, max(widths[widest] - 12, 1))
        widths[widest] -= give
        over -= give
        if max(widths) <= 12:
            break
    for row in [list(titles), *cells]:
        parts = [
            cut(cell, size, left=title == path).rjust(size)
            if title in numbers
            else cut(cell, size, left=title == path).ljust(size)
            for title, cell, size in zip(titles, row, widths, strict=True)
        ]
        put("  ".join(parts))


def shown(value: Any) -> str:
    """A value as one line of safe text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}" + (f".{value:%f}".rstrip("0").rstrip(".") if value.microsecond else "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, map(_plain, value)))
    return safe(str(value))


def _plain(value: Any) -> Any:
    return shown(value) if not isinstance(value, int) else value


def frame(rows: pl.DataFrame, *, limit: int | None = None) -> None:
    """A data frame as a table. Numbers that name something, such as ports, stand without separators."""
    kept = rows if limit is None else rows.head(limit)
    empty = [name for name in kept.columns if kept[name].null_count() == kept.height] if sys.stdout.isatty() else []
    if kept.height and kept.width > _FEW and empty:
        kept = kept.drop(empty)
    columns = [
        [None if v is None else str(v) if type(v) is int else v for v in kept[name].to_list()] for name in kept.columns
    ]
    if not columns:
        put("no columns")
        return
    numbers = [name for name, kind in kept.schema.items() if kind.is_numeric()]
    if sys.stdout.isatty() and sum(min(len(name), 12) + 2 for name in kept.columns) > width() and kept.height:
        _one_below_the_other(kept.columns, list(zip(*columns, strict=True)))
    else:
        whole = not sys.stdout.isatty()
        table([safe(name) for name in kept.columns], list(zip(*columns, strict=True)), numbers=numbers, whole=whole)
    if kept.width < rows.width:
        put(f"({rows.width - kept.width} columns without a value are left out; name columns to choose)")
    if rows.height > kept.height:
        put(f"… and {rows.height - kept.height:,} more rows (--limit)")


def _one_below_the_other(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows with more columns than fit: a block a row, a line a value; nothing where there is no value."""
    room = max(map(len, map(safe, names)))
    for number, row in enumerate(rows, 1):
        put(tinted(f"row {number}", "bold"))
        for name, value in zip(names, row, strict=True):
            if text := shown(value):
                put(f"  {safe(name).ljust(room)}  {text}")


def as_json(value: Any) -> None:
    """A value as JSON, the same on every machine; what a terminal would obey is escaped as JSON has it."""
    text = json.dumps(_jsonable(value), ensure_ascii=False, indent=2)
    put(text if _harmless(text) else json.dumps(_jsonable(value), indent=2))


def made(what: str, path: Path, *, machine: bool) -> None:
    """Where something was written, for a person or as JSON."""
    if machine:
        as_json({what: str(path)})
    else:
        put(f"{what.capitalize()}: {safe(str(path))}")


def _harmless(text: str) -> bool:
    bare = text.replace("\\", "")
    return escape.terminal(bare) == bare


def _jsonable(value: Any) -> Any:
    from forensics.records.finding import iso

    if isinstance(value, Mapping):
        return {str(key): _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, datetime):
        return iso(round(value.timestamp()) * 1_000_000_000 if not value.microsecond else _nanoseconds(value))
    return value.hex() if isinstance(value, bytes) else value


def _nanoseconds(at: datetime) -> int:
    whole = at.replace(microsecond=0)
    return round(whole.timestamp()) * 1_000_000_000 + at.microsecond * 1_000


def bytes_text(count: int) -> str:
    """A size as people read it.

    Examples:
        >>> bytes_text(999), bytes_text(123_456), bytes_text(5_500_000_000)
        ('999 bytes', '123.5 kB', '5.5 GB')
    """
    if count < 1_000:
        return f"{count} bytes"
    for unit, size in (("kB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12)):
        if count < 1_000 * size or unit == "TB":
            return f"{count / size:,.1f} {unit}"
    raise AssertionError("unreachable")


def counted(number: int, noun: str) -> str:
    """A number and what it counts.

    Examples:
        >>> counted(0, "finding"), counted(1, "packet"), counted(4_144, "packet")
        ('no findings', '1 packet', '4,144 packets')
    """
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"


def moment(iso: str) -> str:
    """An ISO instant as people read it: to the millisecond, or the microsecond where it has no more.

    Examples:
        >>> moment("2026-11-22T14:05:19.505121958Z"), moment("2026-11-22T14:05:19Z")
        ('2026-11-22 14:05:19.505', '2026-11-22 14:05:19')
    """
    whole, dot, fraction = iso.rstrip("Z").partition(".")
    return whole.replace("T", " ") + (f".{fraction[:3]}" if dot else "")


def span(start: str, end: str | None) -> str:
    """From one ISO instant to another, the day once.

    Examples:
        >>> span("2026-11-22T14:05:19.505Z", "2026-11-22T14:07:00Z")
        '2026-11-22 14:05:19.505 to 14:07:00 UTC'
        >>> span("2026-11-22T14:05:19Z", None)
        '2026-11-22 14:05:19 UTC to the end of the evidence'
    """
    if end is None:
        return f"{moment(start)} UTC to the end of the evidence"
    day = start.partition("T")[0]
    return f"{moment(start)} to {moment(end).removeprefix(day + ' ')} UTC"


def from_to(start: datetime | None, end: datetime | None) -> tuple[str, str]:
    """Two instants to the minute, the day of the second only where it is another."""
    if start is None or end is None:
        return "", ""
    return f"{start:%Y-%m-%d %H:%M}", f"{end:%H:%M}" if start.date() == end.date() else f"{end:%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """A span of time as people say it.

    Examples:
        >>> duration(0.0312), duration(28.443), duration(316.756), duration(93_784)
        ('0.031 s', '28.4 s', '5 min 17 s', '1 d 2 h 3 min')
    """
    if seconds < 10:
        return f"{seconds:.3f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h {minutes} min" if days else f"{hours} h {minutes} min"


@contextlib.contextmanager
def progress() -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """A bar with rate and estimate on a terminal, nothing elsewhere: ``begin(total)`` and ``advance(octets)``."""
    if not sys.stderr.isatty():
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("reading", total=None)

    def begin(total: int) -> None:  # a case that is there already is opened without a bar
        bar.start()
        bar.update(task, total=total)

    try:
        yield begin, (lambda octets: bar.advance(task, octets))
    finally:
        bar.stop()
