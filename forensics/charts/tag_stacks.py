"""What lies on what: the devices of each host, from the card to the innermost tag."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import headline, palette, template
from forensics.escape import html

MOST_CHAINS = 24
"""More chains of devices than this are not read: the first are drawn, and it is said how many are not."""
ROLES = {
    "plain": ("carries no tag", "line"),
    "outer": ("outer tag", "answers"),
    "inner": ("inner tag", "trouble"),
    "told": ("what nova.conf puts there", "load"),
}
"""What a device is in the stack -> words of the legend, colour by meaning."""


def tag_stacks(title: str, boxes: pl.DataFrame, *, dark: bool = False) -> go.Figure:
    """Draw how tags are nested on each host.

    A row is one chain of devices; each lies on the one to its left, and every coloured one adds a tag to the frames
    that leave through it.

    Args:
        title: What is to be seen; may hold text from evidence.
        boxes: One row a device, as `forensics.analysis.vlan_stacks.chart_frames` gives them.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    chains = boxes["chain"].unique().sort()
    left = max(chains.len() - MOST_CHAINS, 0)
    rows = boxes.join(chains.head(MOST_CHAINS).to_frame().with_row_index("place"), on="chain", maintain_order="left")
    figure = go.Figure()
    for role, (words, meaning) in ROLES.items():
        own = list(rows.filter(pl.col("role") == role).iter_rows(named=True))
        if not own:
            continue
        figure.add_trace(
            go.Bar(
                base=[row["nth"] for row in own], x=[0.96] * len(own), y=[row["place"] for row in own], orientation="h",
                width=0.62, name=words, text=[_said(row) for row in own], textposition="inside",
                insidetextanchor="middle", textangle=0,
                textfont={"color": "#14171E" if meaning != "line" else colours.ink, "size": 13},
                marker={"color": getattr(colours, meaning), "opacity": 0.9},
                hovertext=[f"<b>{html(row['host'])}</b>: {html(row['device'])}<br>{_said(row)}<br>{_place(row)}"
                           for row in own],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )  # fmt: skip
    _spare(figure, rows, colours.faint)
    names = rows.group_by("place", maintain_order=True).agg(pl.col("host").first()).sort("place")
    note = f"; {left:,} more chains are not drawn" if left else ""
    deepest = int(rows["nth"].max() or 0)  # type: ignore[arg-type]
    figure.update_layout(
        template=template(dark=dark),
        title={
            "text": headline(title),
            "x": 0.016,
            "xref": "container",
            "subtitle": {"text": f"every coloured device adds a tag of 4 octets{note}"},
        },
        barmode="overlay",
        height=240 + 58 * max(names.height, 2),
        margin={"l": 20, "r": 30, "t": 112, "b": 96},
        legend={"yref": "container", "y": 0.02, "yanchor": "bottom"},
        showlegend=True,
    )
    figure.update_xaxes(
        title_text="each device lies on the one to its left",
        tickvals=[],
        range=[-0.02, deepest + 1.7],
        showgrid=False,
    )
    figure.update_yaxes(
        tickvals=names["place"].to_list(),
        ticktext=[str(html(host)) for host in names["host"]],
        range=[names.height - 0.4, -0.6],
        automargin=True,
        showgrid=False,
    )
    return figure


def _spare(figure: go.Figure, rows: pl.DataFrame, colour: str) -> None:
    """What room there is for one more tag, at the end of each chain."""
    for place, nth, spare in rows.filter(pl.col("role") == "inner").select("place", "nth", "spare_bytes").iter_rows():
        text = "room unknown" if spare is None else f"{spare} octets to spare" if spare >= 0 else f"{-spare} too few"
        figure.add_annotation(
            text=text, x=nth + 1, y=place, xanchor="left", showarrow=False, font={"size": 12, "color": colour}
        )


def _said(row: dict[str, Any]) -> str:
    """A device in two lines."""
    tag = "" if row["vid"] is None else f"VLAN {row['vid']}" + (f", {html(row['protocol'])}" if row["protocol"] else "")
    room = "" if row["mtu_bytes"] is None else f"MTU {row['mtu_bytes']:,}"
    below = "; ".join(part for part in (tag, room) if part)
    return f"<b>{html(row['device'])}</b>" + (f"<br>{below}" if below else "")


def _place(row: dict[str, Any]) -> str:
    return str(html(f"{row['source']}:{row['position']}")) if row["source"] else ""
