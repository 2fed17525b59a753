"""What came through by size: packets of each size that crossed a hop, and those that did not."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from forensics.charts._theme import palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_SIZES = 80
"""More sizes than this are drawn in classes of equal width; the hover says which."""


def size_steps(steps: pl.DataFrame, finding: Finding, *, dark: bool = False) -> go.Figure:
    """Draw delivered and lost packets by size.

    Bars that rise are packets that crossed the hop, bars that hang are packets that did not; one panel a direction.
    The dashed line stands between the largest that passed and the smallest that did not.

    Args:
        steps: One row per direction and size, as `forensics.analysis.packet_paths.steps_frames` gives it.
        finding: The finding that is drawn.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped.
    """
    colours = palette(dark=dark)
    directions = steps["direction"].unique(maintain_order=True).to_list()
    titles = [str(html(name)) for name in directions]
    figure = make_subplots(rows=max(len(directions), 1), cols=1, shared_xaxes=True, subplot_titles=titles,
                           vertical_spacing=0.12)  # fmt: skip
    largest, smallest = finding.facts["largest_delivered_bytes"], finding.facts["smallest_lost_bytes"]
    around = 16
    near = steps.filter(pl.col("ip_bytes") >= largest - around * 4)
    shown = near if near["ip_bytes"].n_unique() >= 4 else steps
    left_out = steps.height - shown.height
    for row, name in enumerate(directions, 1):
        own = _classes(shown.filter(pl.col("direction") == name))
        sizes, texts = own["label"].to_list(), own["cited"].to_list()
        for column, sign, title, colour in (
            ("delivered", 1, "came through", colours.good),
            ("lost", -1, "lost", colours.trouble),
        ):
            counts = own[column].to_list()
            figure.add_trace(
                go.Bar(
                    x=sizes,
                    y=[sign * count for count in counts],
                    name=title,
                    legendgroup=title,
                    showlegend=row == 1,
                    marker={"color": colour},
                    customdata=list(zip(counts, (str(html(text)) for text in texts), strict=True)),
                    hovertemplate=f"%{{x}} octets: %{{customdata[0]}} {title}<br>%{{customdata[1]}}<extra></extra>",
                ),
                row=row,
                col=1,
            )
        below = sum(size <= largest for size in own["ip_bytes"].to_list())
        figure.add_vline(x=below - 0.5, line={"color": colours.ink, "width": 1.4, "dash": "dash"}, row=row, col=1)
        ticks = _ticks(-int(own["lost"].max() or 0), int(own["delivered"].max() or 0))  # type: ignore[arg-type]
        figure.update_yaxes(
            title_text="packets",
            tickvals=ticks,
            ticktext=[str(abs(tick)) for tick in ticks],
            row=row,
            col=1,
            automargin=True,
        )
    where = " and ".join(str(html(point)) for point in finding.facts["lost_between"] or [] if point)
    note = f"; {left_out} smaller sizes, which are delivered alike, are not drawn" if left_out else ""
    figure.update_layout(
        template=template(dark=dark),
        title={
            "text": str(html(finding.title)),
            "subtitle": {"text": f"{largest} octets pass, {smallest} do not: {where}{note}"},
        },
        barmode="relative",
        bargap=0.25,
        height=170 + 250 * max(len(directions), 1),
        margin={"l": 20, "r": 30, "t": 110, "b": 100},
        legend={"y": -0.2 / max(len(directions), 1)},
    )
    figure.update_xaxes(type="category")
    figure.update_xaxes(title_text="IP total length, octets", row=max(len(directions), 1), col=1)
    return figure


def _ticks(low: int, high: int) -> list[int]:
    """A few round counts on both sides of zero."""
    least = max(1, (high - low) // 6)
    scale: int = 10 ** (len(str(least)) - 1)
    step = next(scale * n for n in (1, 2, 5, 10) if scale * n >= least)
    return list(range(-(-low // step) * step, high + 1, step))


def _classes(own: pl.DataFrame) -> pl.DataFrame:
    """Sizes as they are, or in classes where there are too many to read."""
    if own.height <= MOST_SIZES:
        return own.with_columns(label=pl.col("ip_bytes").cast(pl.String))
    low, high = int(own["ip_bytes"].min()), int(own["ip_bytes"].max())  # type: ignore[arg-type]
    width = -(-(high - low + 1) // MOST_SIZES)
    start = low + (pl.col("ip_bytes") - low) // width * width
    binned = own.with_columns(start=start).group_by("start", maintain_order=True).agg(
        pl.col("delivered").sum(), pl.col("lost").sum(), pl.col("cited").first(), pl.col("ip_bytes").max()
    )  # fmt: skip
    return binned.with_columns(label=pl.format("{} to {}", "start", pl.col("start") + width - 1))
