"""Files from their first octet to their last: what was read, and what could not be."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import headline, palette, template
from forensics.escape import html

MOST_FILES = 24
"""More files than this are not read: the first are drawn, and it is said how many are not."""
MOST_BINS = 400
"""More stretches of one file than this are drawn together, so many parts a file; the subtitle says so."""
LEAST = 0.3
"""Per cent of a file: what is shorter is drawn as long, to be seen at all."""
KINDS = {"gap": ("lost", "trouble"), "reject": ("read, but not understood", "answers")}
"""What a stretch is -> words of the legend, colour by meaning."""


def file_stretches(
    title: str, files: pl.DataFrame, stretches: pl.DataFrame, whole: int = 0, *, dark: bool = False
) -> go.Figure:
    """Draw where files are damaged.

    Args:
        title: What is to be seen; may hold text from evidence.
        files: ``source``, ``length_bytes`` (decompressed), ``rows`` kept; drawn from top to bottom.
        stretches: ``source``, ``offset_bytes``, ``length_bytes``, ``kind`` (a key of ``KINDS``), ``reason``.
        whole: How many other files are not damaged.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    left = max(files.height - MOST_FILES, 0)
    shown = files.head(MOST_FILES).with_row_index("place").with_columns(pl.col("length_bytes").clip(lower_bound=1))
    odd = stretches.join(shown.select("source", "place", end="length_bytes"), on="source", maintain_order="left")
    drawn, together = _binned(odd)
    figure = go.Figure()
    lost = odd.filter(pl.col("kind") == "gap").group_by("source").agg(pl.col("length_bytes").sum(), n=pl.len())
    sums = {source: (size, n) for source, size, n in lost.iter_rows()}
    _add(
        figure, "read", colours.good, 0.34,
        [(place, 0.0, 100.0, f"<b>{html(source)}</b><br>{rows:,} rows of {length:,} octets; {_lost(sums, source)}")
         for place, source, length, rows in shown.select("place", "source", "length_bytes", "rows").iter_rows()],
    )  # fmt: skip
    for kind, (words, meaning) in reversed(KINDS.items()):
        own = drawn.filter(pl.col("kind") == kind).iter_rows(named=True)
        width = 0.66 if kind == "gap" else 0.5
        _add(figure, words, getattr(colours, meaning), width, [_stretch(row, words) for row in own])
    said = [f"{html(source)}: {_lost(sums, source)}" for source in shown["source"].head(1)]
    said += ["stretches that are too many are drawn together"] if together else []
    said += [f"{left:,} more damaged files are not drawn"] if left else []
    said += [f"{whole:,} other file{'s are' if whole != 1 else ' is'} whole"] if whole else []
    figure.update_layout(
        template=template(dark=dark),
        title={"text": headline(title), "x": 0.016, "xref": "container", "subtitle": {"text": "; ".join(said)}},
        barmode="overlay",
        height=230 + 44 * max(shown.height, 2),
        margin={"l": 20, "r": 30, "t": 112, "b": 96},
        legend={"yref": "container", "y": 0.02, "yanchor": "bottom"},
        showlegend=True,
    )
    figure.update_xaxes(title_text="place in the file, per cent of its octets", range=[-0.6, 100.6], ticksuffix=" %")
    figure.update_yaxes(
        tickvals=shown["place"].to_list(),
        ticktext=[str(html(source if len(source) <= 48 else f"…{source[-47:]}")) for source in shown["source"]],
        range=[shown.height - 0.4, -0.6],
        automargin=True,
        showgrid=False,
    )
    return figure


def _lost(sums: dict[str, tuple[int, int]], source: str) -> str:
    size, n = sums.get(source, (0, 0))
    return f"{size:,} octet{' is' if size == 1 else 's are'} lost in {n:,} stretch{'' if n == 1 else 'es'}"


def _binned(odd: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """The stretches; of files that have too many, those that begin in one part of the file as one."""
    many = pl.len().over("source") > MOST_BINS
    part = (
        pl.when(many)
        .then(pl.col("offset_bytes") * MOST_BINS // pl.col("end"))
        .otherwise(pl.int_range(pl.len()) + MOST_BINS)
    )
    start, stop = pl.col("offset_bytes"), pl.col("offset_bytes") + pl.col("length_bytes")
    drawn = odd.group_by("place", "source", "end", "kind", part.alias("part"), maintain_order=True).agg(
        start=start.min(), stop=stop.max(), length_bytes=pl.col("length_bytes").sum(), n=pl.len(),
        reason=pl.col("reason").first(),
    )  # fmt: skip
    return drawn, drawn.height < odd.height


def _stretch(row: dict[str, Any], words: str) -> tuple[int, float, float, str]:
    start, stop = (100.0 * row[name] / row["end"] for name in ("start", "stop"))
    often = f"{row['n']:,} stretches, {row['length_bytes']:,} octets together, " if row["n"] > 1 else ""
    text = (
        f"<b>{html(row['source'])}</b>: {often}{words}<br>octets {row['start']:,} to {row['stop']:,} of {row['end']:,}"
        f"<br>{html(str(row['reason'])[:160])}"
    )
    return row["place"], min(start, 100.0 - LEAST), max(stop - start, LEAST), text


def _add(
    figure: go.Figure, name: str, colour: str, width: float, bars: list[tuple[int, float, float, str]]
) -> None:  # fmt: skip
    if bars:
        places, starts, lengths, texts = zip(*bars, strict=True)
        figure.add_trace(
            go.Bar(base=starts, x=lengths, y=places, orientation="h", width=width, name=name, hovertext=texts,
                   hovertemplate="%{hovertext}<extra></extra>", marker={"color": colour, "line": {"width": 0}})
        )  # fmt: skip
