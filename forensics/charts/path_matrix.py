"""Who saw what on the way: capture points against directions, sizes or tags."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import headline, palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_ROWS, MOST_COLUMNS = 24, 16
"""Beyond these a table is no longer read: the first are drawn, and the title says so."""


def path_matrix(cells: pl.DataFrame, finding: Finding, *, dark: bool = False) -> go.Figure:
    """Draw how many packets each capture point saw.

    A column is a capture point with the tags that frames carry there, in the order of the way; a row is a direction
    and a range of sizes, or the tags of a leak. A full cell saw all that were sent, an empty one none.

    Args:
        cells: One row per cell, as `forensics.analysis.packet_paths.matrix_frames` gives it.
        finding: The finding that is drawn.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped.
    """
    colours = palette(dark=dark)
    columns = cells.select("nth", "column").unique().sort("nth", "column")["column"].unique(maintain_order=True)
    rows = cells["row"].unique(maintain_order=True)
    some = cells.filter(
        pl.col("row").is_in(rows.head(MOST_ROWS).to_list()),
        pl.col("column").is_in(columns.head(MOST_COLUMNS).to_list()),
    )
    names, points = rows.head(MOST_ROWS).to_list(), columns.head(MOST_COLUMNS).to_list()
    share: list[list[float | None]] = [[None] * len(points) for _ in names]
    text = [[""] * len(points) for _ in names]
    hover = [[""] * len(points) for _ in names]
    for row, column, seen, sent, trouble, note in some.select(
        "row", "column", "seen", "sent", "trouble", "note"
    ).iter_rows():
        y, x = names.index(row), points.index(column)
        full = 1.0 if finding.kind == "vlan-leak" else seen / max(sent, 1)
        share[y][x] = -1.0 if trouble else full
        text[y][x] = f"<b>{seen}</b>" + (f" of {sent}" if finding.kind != "vlan-leak" else "")
        hover[y][x] = f"{html(row)}<br>{html(column)}<br>{html(note)}"
    ink = colours.paper if dark else colours.ink
    scale = [[0.0, colours.trouble], [0.5, colours.trouble], [0.501, colours.answers], [0.85, colours.answers],
             [1.0, colours.good]]  # fmt: skip
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=[str(html(point)).replace(" [", "<br>[") for point in points],
            y=[str(html(name)) for name in names],
            text=text,
            customdata=hover,
            texttemplate="%{text}",
            textfont={"size": 13, "color": ink},
            hovertemplate="%{customdata}<extra></extra>",
            colorscale=scale,
            zmin=-1,
            zmax=1,
            xgap=3,
            ygap=3,
            showscale=False,
            opacity=0.85,
        )
    )
    cut = len(rows) > MOST_ROWS or len(columns) > MOST_COLUMNS
    what = "packets seen, of those sent; columns in the order of the way"
    if finding.kind == "vlan-leak":
        what = "frames of the same senders, by their tags, outermost first"
    figure.update_layout(
        template=template(dark=dark),
        title={
            "text": headline(finding.title),
            "subtitle": {"text": f"{what}{'; the first ones' if cut else ''}"},
        },
        height=202 + 62 * max(len(names), 1),
        margin={"l": 20, "r": 30, "t": 112, "b": 70},
    )
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    where = "capture point" if finding.kind == "vlan-leak" else "capture point [tags], in the order of the way"
    figure.update_xaxes(automargin=True, showgrid=False, side="bottom", title_text=where)
    return figure
