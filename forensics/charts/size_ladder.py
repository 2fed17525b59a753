"""How far each size comes: one rung a size, from the first capture point to the last that saw it."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import headline, palette, template
from forensics.escape import html
from forensics.records import Finding

WAY = "capture point [tags], in the order of the way"


def size_ladder(rungs: pl.DataFrame, finding: Finding, *, dark: bool = False) -> go.Figure:
    """Draw the sizes next to the boundary as rungs along the way.

    Args:
        rungs: One row per size and place, as `forensics.analysis.packet_paths.ladder_frames` gives it.
        finding: The finding that is drawn.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped.
    """
    colours = palette(dark=dark)
    places = rungs.select("nth", "place").unique().sort("nth")
    sizes = rungs["ip_bytes"].unique().sort().to_list()
    looks: dict[bool, dict[str, list[Any]]] = {lost: {"x": [], "y": [], "text": []} for lost in (False, True)}
    ends: dict[str, list[Any]] = {"x": [], "y": [], "text": []}
    last_place = int(places["nth"].max()) if places.height else 0  # type: ignore[arg-type]
    for y, size in enumerate(sizes):
        own = rungs.filter(pl.col("ip_bytes") == size).sort("nth")
        lost = bool(own["lost"][0])
        look = looks[lost]
        for nth, place, packets, cited in own.select("nth", "place", "packets", "cited").iter_rows():
            look["x"].append(nth)
            look["y"].append(y)
            look["text"].append(f"{size} octets at {html(place)}: {packets} packets<br>{html(cited)}")
        for key in look:
            look[key].append(None)
        if lost:
            ends["x"].append(min(int(own["nth"][-1]) + 0.5, last_place))
            ends["y"].append(y)
            ends["text"].append(f"{size} octets: {own['packets'][-1]} packets are not seen beyond")
    figure = go.Figure()
    for lost, name, colour in ((False, "comes through", colours.good), (True, "is lost", colours.trouble)):
        if looks[lost]["x"]:
            figure.add_trace(
                go.Scatter(
                    **looks[lost],
                    name=name,
                    mode="lines+markers",
                    line={"color": colour, "width": 3},
                    marker={"size": 9},
                    hovertemplate="%{text}<extra></extra>",
                )
            )
    if ends["x"]:
        marker = {"symbol": "x", "size": 12, "color": colours.trouble}
        figure.add_trace(
            go.Scatter(**ends, name="not seen beyond", mode="markers", marker=marker,
                       hovertemplate="%{text}<extra></extra>")
        )  # fmt: skip
    way = str(html(rungs["direction"][0])) if rungs.height else ""
    figure.update_layout(
        template=template(dark=dark),
        title={"text": headline(finding.title), "subtitle": {"text": f"{way}: the sizes next to the boundary"}},
        height=220 + 34 * max(len(sizes), 1),
        margin={"l": 20, "r": 30, "t": 112, "b": 110},
        legend={"y": -0.2},
    )
    labels = [str(html(place)).replace(" [", "<br>[") for place in places["place"].to_list()]
    figure.update_xaxes(
        tickvals=places["nth"].to_list(), ticktext=labels, range=[-0.3, last_place + 0.3], title_text=WAY
    )
    figure.update_yaxes(
        tickvals=list(range(len(sizes))), ticktext=[str(size) for size in sizes], title_text="IP total length, octets",
        automargin=True,
    )  # fmt: skip
    return figure
