"""What belongs to what at an instant: the edges of a case, asked from either end."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

_SHOWN = ("thing", "linked", "from_at", "to_at", "told_by", "source", "position", "offset_bytes", "length_bytes")


def links(
    edges: pl.DataFrame | pl.LazyFrame, kind: str, things: Collection[str], wanted: str, at_ns: int | None = None
) -> pl.DataFrame:
    """Things of one kind that belong to things of another.

    Args:
        edges: One row per `Edge`.
        kind: Kind of what is known.
        things: Their names.
        wanted: Kind of what is asked for, whichever end of an edge it stands at.
        at_ns: When, in nanoseconds on the case's clock; at any time where None.

    Returns:
        ``thing`` (of those given), ``linked`` (what belongs to it), then ``from_at``, ``to_at``, ``told_by`` and
        the place of the evidence, by ``thing``, ``from_at`` and ``linked``; one row an edge.

    Examples:
        >>> from forensics.records import Edge
        >>> links(Edge.empty(), "mac", ["fa:16:3e:24:e7:22"], "instance").height
        0
    """
    rows = edges.lazy()
    names = list(things)
    ends = (("subject", "object"), ("object", "subject"))
    found = [
        rows.filter(pl.col(f"{own}_kind") == kind, pl.col(f"{other}_kind") == wanted, pl.col(own).is_in(names))
        .with_columns(thing=pl.col(own), linked=pl.col(other))
        .select(_SHOWN)
        for own, other in ends
    ]
    held = pl.concat(found).unique(maintain_order=True)
    if at_ns is not None:
        start, end = (pl.col(name).to_physical() for name in ("from_at", "to_at"))
        held = held.filter((start <= at_ns).fill_null(value=True), (end > at_ns).fill_null(value=True))
    return held.sort("thing", "from_at", "linked", "source", "position", nulls_last=False).collect()
