"""What belonged to a thing, and when: a lane each, grouped by kind, what cannot be so at once marked."""

from __future__ import annotations

from datetime import datetime

import plotly.graph_objects as go
import polars as pl

from forensics.charts.lanes import BARS, MOST_LANES, lanes

LEAST_EACH = 3
"""Things of a kind that have lanes of their own, however many kinds there are; the rest of a kind shares one."""


def belongings(
    name: str, rows: pl.DataFrame, span: tuple[datetime, datetime] | None = None, *, dark: bool = False
) -> go.Figure:
    """Draw what belonged to a thing over time.

    Args:
        name: The thing.
        rows: As `forensics.case.Case.who` gives them: ``kind``, ``name``, ``from_at``, ``to_at``, ``via``, ``hop``,
            ``conflict``, ``told_by``, ``rows``, ``source``, ``position``.
        span: The time that the evidence covers, on which what is open at an end is drawn.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped. Of each kind those stand first that contradict something, then
        the nearest; where there are too many of a kind, the others share a lane.
    """
    kinds = rows["kind"].unique(maintain_order=True)
    room = max(MOST_LANES // max(kinds.len(), 1) - 1, LEAST_EACH)
    doubt = pl.col("conflict").is_not_null()
    ranked = rows.group_by("kind", "name", maintain_order=True).agg(bad=doubt.any(), hop=pl.col("hop").min())
    order = pl.DataFrame({"kind": kinds, "nth": range(kinds.len())}, schema={"kind": pl.String, "nth": pl.Int64})
    ranked = (
        ranked.join(order, on="kind")
        .sort("nth", "bad", "hop", descending=[False, True, False], maintain_order=True)
        .with_columns(place=pl.int_range(pl.len()).over("kind"), many=pl.len().over("kind"))
    )
    alone = (pl.col("place") < room) | (pl.col("many") == room + 1)
    rest = pl.format("{} more", pl.col("many") - room)
    ranked = ranked.with_columns(lane=pl.when(alone).then("name").otherwise(rest), whole=pl.col("nth") * 10**9)
    drawn = ranked.select("kind", "name", "lane", rank=pl.col("whole") + pl.col("place"))
    how = pl.when(doubt).then(pl.lit("contradicted"))
    label = pl.when(pl.col("lane") != pl.col("name")).then(pl.col("name") + pl.lit(", ")).otherwise(pl.lit(""))
    bars = rows.join(drawn, on=["kind", "name"]).sort("rank", "from_at", "via", nulls_last=False).select(
        "lane", "from_at", "to_at", "source", pl.col("position").cast(pl.Int64),
        group="kind",
        what=how.when(pl.col("hop") == 1).then(pl.lit("its own")).otherwise(pl.lit("by way of its own")),
        meaning=pl.when(doubt).then(pl.lit("trouble")).when(pl.col("hop") == 1).then(pl.lit("asks"))
        .otherwise(pl.lit("load")),
        text=pl.concat_str(label, pl.lit("by way of "), "via", pl.lit("; told by "), "told_by",
                           (pl.lit("; ") + pl.col("conflict")).fill_null("")),
    )  # fmt: skip
    bad = ranked.filter("bad").height
    note = f"{ranked.height:,} things"
    note += f", {bad:,} of which cannot all be so at one time" if bad else ", and nothing contradicts anything"
    note = note if ranked.height else "the evidence names no such thing, or nothing that belongs to it"
    return lanes(f"What belonged to {name}", bars.select(*BARS), note=note, span=span, dark=dark)
