"""`forensics timeline`: rows as lines, as lanes that a terminal shows, as a chart, or as a file for another tool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from forensics.case._export import export
from forensics.case._figure import save
from forensics.case._lanes import NOTE, laned
from forensics.cli import _show as show
from forensics.cli._case import _iso, _opened
from forensics.errors import CaseError
from forensics.report._timeline import drawn

_SHADES = " .:+#"
_MOST_LANES = 40


def timeline(
    path: Path,
    wanted: Mapping[str, str],
    minutes: float,
    limit: int,
    to: Path | None,
    *,
    lanes: str,
    chart: Path | None,
    as_json: bool,
) -> int:
    """Show a timeline, or write it to a file; see `forensics.cli.timeline`.

    Args:
        path: The case.
        wanted: What to look for: ``entity``, ``around``, ``host``, ``search``; empty where it does not matter.
        minutes: How far to look before and after ``around``.
        limit: Rows to show at most.
        to: A file for other tools.
        lanes: What a lane stands for; lines instead of lanes where empty.
        chart: A picture of the lanes.
        as_json: Print JSON.
    """
    if to is not None and chart is not None:
        raise CaseError("--to and --chart are two files", hint="ask for one at a time")
    case = _opened(path)
    for target, name in ((to, "--to"), (chart, "--chart")):
        if target is not None and target.resolve().is_relative_to(case.path.resolve()):
            raise CaseError("the file would lie inside the case", where=str(target), hint=f"give another {name}")
    rows = case.timeline(minutes=minutes, **{name: text or None for name, text in wanted.items()})
    if to is not None:
        count = export(rows, to)
        if as_json:
            show.as_json({"timeline": str(to), "rows": count})
        else:
            show.put(f"{show.counted(count, 'row')} in {show.safe(str(to))}")
        return 0
    if chart is not None:
        drawing = save(lambda: drawn(rows, case.rows, lanes=lanes or "host", dark=False), chart)
        show.made("chart", drawing, machine=as_json)
        return 0
    if lanes:
        rows = laned(rows, case.rows, lanes)
    if as_json:
        show.as_json(rows.head(limit).with_columns(_iso(rows)).to_dicts())
    elif lanes:
        _lanes(rows)
    else:
        _lines(rows, limit)
    return 0


def _lines(rows: pl.DataFrame, limit: int) -> None:
    day = None
    for row in rows.head(limit).iter_rows(named=True):
        at = row["at"]
        if at is not None and at.date() != day:
            day = at.date()
            show.put(show.tinted(f"{day} (UTC)", "bold"))
        clock = f"{at:%H:%M:%S.%f}"[:-3] if at is not None else "no time"
        sure = "" if row["bound_s"] is None else f" ±{row['bound_s']:.3g} s"
        where = f"[{show.safe(row['source'])}:{row['position']}{sure}]"
        for line in show.wrapped(f"{clock:12} {show.safe(row['text'] or '')} {where}", "", " " * 13):
            show.put(line)
    if not rows.height:
        show.put("nothing")
    if rows.height > limit:
        show.put(f"… and {rows.height - limit:,} more (--limit)")


def _lanes(rows: pl.DataFrame) -> None:
    """A line a lane, a character a stretch of time: the darker, the more rows."""
    timed = rows.filter(pl.col("at").is_not_null(), pl.col("record") != NOTE)
    if timed.is_empty():
        show.put("nothing" if rows.is_empty() else "no row has a time")
        return
    counted = timed.group_by("lane").agg(pl.len().alias("n"), first=pl.col("at").min())
    shown = counted.sort("n", "lane", descending=[True, False]).head(_MOST_LANES).sort("first", "lane")
    names = [show.safe(name) for name in shown["lane"]]
    room = min(max(map(len, names)), 28)
    columns = max(show.width() - room - 12, 20)
    start, end = timed["at"].dt.epoch("ns").min(), timed["at"].dt.epoch("ns").max()
    assert isinstance(start, int)
    assert isinstance(end, int)
    step = max(-(-(end - start + 1) // columns), 1)
    cells = timed.group_by("lane", bin=(pl.col("at").dt.epoch("ns") - start) // step).len()
    filled = {(lane, at): count for lane, at, count in cells.iter_rows()}
    levels = [1, 4, 32, 256]
    show.put(f"{_moment(timed['at'].min())} to {_moment(timed['at'].max())} UTC")
    for name, lane, count in zip(names, shown["lane"], shown["n"], strict=True):
        drawn = (sum(filled.get((lane, at), 0) >= level for level in levels) for at in range(columns))
        strip = "".join(_SHADES[shade] for shade in drawn)
        show.put(f"{show.cut(name, room).ljust(room)} {count:>9,} {strip}")
    each = show.duration(step / 1e9)
    show.put(f"A character is {each}: {', '.join(map('{} from {}'.format, _SHADES[1:], levels))} rows")
    for hidden, what in (
        (counted.height - shown.height, "quieter lane"),
        (rows["at"].null_count(), "row without a time"),
    ):
        if hidden:
            show.put(f"… and {show.counted(hidden, what).replace('row without a times', 'rows without a time')}")


def _moment(at: object) -> str:
    assert isinstance(at, datetime)
    return f"{at:%Y-%m-%d %H:%M:%S}"
