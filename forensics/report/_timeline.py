"""A timeline as a chart, in the lanes that are asked for."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from forensics.case._lanes import laned
from forensics.case._rows import Rows
from forensics.charts.timeline import timeline
from forensics.errors import UnknownColumnError


def drawn(rows: pl.DataFrame, case: Rows, *, lanes: str = "host", dark: bool = False) -> go.Figure:
    """The rows as a chart: see `forensics.charts.timeline`.

    Args:
        rows: As `forensics.case.Case.timeline` gives them.
        case: The rows of the case.
        lanes: What a lane stands for: see `forensics.case._lanes.laned`.
        dark: For a dark page.

    Raises:
        UnknownColumnError: If there are no such lanes, or the rows are no timeline.
    """
    missing = [name for name in ("at", "host", "record", "text", "source", "position") if name not in rows.columns]
    if missing:
        raise UnknownColumnError(f"rows without {', '.join(missing)}", hint="give what case.timeline() returns")
    return timeline(laned(rows, case, lanes).with_columns(host="lane"), lane="host", dark=dark)
