"""What several analyses need of instants: one clock for all, what came first, where most of them agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

SECOND_NS = 1_000_000_000
UNKNOWN_BOUND_NS = SECOND_NS
"""How far an untied clock is trusted: enough for hosts that keep time by NTP, and said in the finding."""


_PARTS = ("off", "bound", "drift", "pivot")


def _parts() -> list[pl.Expr]:
    """Of a row of `Clock`, or of a stretch: offset and bound (ns), and drift and pivot (ns) where it has any."""
    runs = pl.col("pivot_at").is_not_null() & pl.col("drift_ppm").is_not_null() & pl.col("pivot_bound_s").is_not_null()
    bound_s = pl.when(runs).then("pivot_bound_s").otherwise("bound_s")
    return [
        (pl.col("offset_s") * 1e9).round().cast(pl.Int64).alias("off"),
        (bound_s * 1e9).round().cast(pl.Int64).alias("bound"),
        pl.when(runs).then("drift_ppm").alias("drift"),
        pl.when(runs).then(pl.col("pivot_at").to_physical().cast(pl.Int64)).alias("pivot"),
    ]


def on_one_clock(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.LazyFrame:
    """Rows that have a time, on the reference's clock.

    Args:
        rows: Rows of any record with ``ts`` and ``source``; with ``host``, too, where files hold lines of several.
        clocks: One row per `Clock`.

    Returns:
        The rows with ``at`` (Int64, ns since 1970 on the case's clock), ``bound`` (Int64, ns: the true instant is
        within ``at`` ± ``bound``; a second where nothing ties the clock), ``own`` (Int64, ns as the source has it),
        ``reference`` and ``off`` (the clock minus the reference at that instant: `Clock.offset_s`, drift x the time
        since `Clock.pivot_at` more). Where a clock was set inside the evidence, ``off`` and ``bound`` are those of
        the stretch that the row lies in.
    """
    own = with_offsets(rows.filter(pl.col("ts").is_not_null()), clocks)
    return own.with_columns(at=pl.col("own") - pl.col("off").fill_null(0))


def with_offsets(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.LazyFrame:
    """Any rows, with ``own``, ``off``, ``bound`` and ``reference`` as `on_one_clock` has them."""
    clocks = _whole(clocks)
    joined = rows.join(clocks.select("source", "reference", *_parts()), on="source", how="left")
    joined = _in_pieces(joined.with_columns(own=pl.col("ts").to_physical().cast(pl.Int64)), clocks)
    more = ((pl.col("own") - pl.col("pivot")) * (pl.col("drift") * 1e-6)).round().cast(pl.Int64).fill_null(0)
    return joined.with_columns(
        off=pl.col("off").fill_null(0) + more, bound=pl.col("bound").fill_null(UNKNOWN_BOUND_NS)
    ).drop("drift", "pivot")


def placed(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.LazyFrame:
    """The same for those who show them: ``at`` (an instant) and ``bound_s`` (null where nothing ties the clock)."""
    tied = clocks.filter(pl.col("bound_s").is_not_null()).select("source", tied=pl.lit(value=True))
    own = with_offsets(rows, clocks).join(tied, on="source", how="left", maintain_order="left")
    return own.with_columns(
        at=pl.col("ts") - pl.col("off").cast(pl.Duration("ns")),
        bound_s=pl.when("tied").then(pl.col("bound") / SECOND_NS),
    ).drop("tied")


def _whole(clocks: pl.LazyFrame) -> pl.LazyFrame:
    """Clocks with all the columns that are read here."""
    kinds: dict[str, pl.DataType] = {
        "drift_ppm": pl.Float64(), "pivot_at": pl.Datetime("ns", "UTC"), "pivot_bound_s": pl.Float64(),
    }  # fmt: skip
    there = clocks.collect_schema()
    return clocks.with_columns(pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in there)


def _in_pieces(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with what holds in their stretch, in the order that they had."""
    if "pieces" not in clocks.collect_schema():
        return rows
    held = clocks.filter(pl.col("pieces").list.len() > 0).select("source", "pieces").collect()
    if held.is_empty():
        return rows
    from_ns = pl.col("from_at").to_physical().cast(pl.Int64).fill_null(-(2**63))
    each = held.explode("pieces").unnest("pieces").with_columns(from_ns.alias("from_ns"), *_parts())
    each = each.sort("source", "host", "from_ns")
    columns = list(rows.collect_schema())
    for keys, some in (
        (["source"], each.filter(pl.col("host").is_null())),
        (["source", "host"], each.filter(pl.col("host").is_not_null())),
    ):
        if some.is_empty() or not set(keys) <= set(columns):
            continue
        lists = some.group_by(keys).agg("from_ns", *_PARTS)
        most = int(lists["from_ns"].list.len().max())  # type: ignore[arg-type]
        wide = lists.select(
            *keys,
            *(
                pl.col(name).list.get(n, null_on_oob=True).alias(f"_{name}_{n}")
                for name in ("from_ns", *_PARTS)
                for n in range(most)
            ),
        )
        rows = rows.join(wide.lazy(), on=keys, how="left")
        told = {name: pl.col(name) for name in _PARTS}
        for n in range(most):
            inside = (pl.col("own") >= pl.col(f"_from_ns_{n}")).fill_null(value=False)
            told = {name: pl.when(inside).then(f"_{name}_{n}").otherwise(known) for name, known in told.items()}
        rows = rows.with_columns(**told).select(columns)
    return rows


def named(column: str | pl.Expr, names: Mapping[str, str]) -> pl.Expr:
    """What a table has for the texts of a column, null where it has none.

    Part by part: ``replace_strict`` says the same, but a streamed query holds all of its rows for it.
    """

    def told(texts: pl.Series) -> pl.Series:
        return texts.replace_strict(names, default=None, return_dtype=pl.String)

    texts = pl.col(column) if isinstance(column, str) else column
    return texts.map_batches(told, return_dtype=pl.String, is_elementwise=True)


def in_runs(columns: Sequence[str], told: pl.Expr) -> pl.Expr:
    """A text that some columns tell, worked out once for rows that follow each other alike."""

    def each(rows: pl.Series) -> pl.Series:
        runs = rows.rle().struct.unnest()
        texts = runs["value"].struct.unnest().select(told).to_series()
        return texts.gather(np.repeat(np.arange(runs.height), runs["len"].to_numpy()))

    return pl.struct(*columns).map_batches(each, return_dtype=pl.String, is_elementwise=True)


def of_last(name: str) -> pl.Expr:
    """In a group, a column of its latest row, the first in its file of those: by ``at`` (ns) and ``position``."""
    rank = pl.col("at").cast(pl.Int128) * _LINES - pl.col("position")
    return of_most(name, rank)


def of_first(name: str) -> pl.Expr:
    """The same of its earliest row."""
    rank = pl.col("at").cast(pl.Int128) * -_LINES - pl.col("position")
    return of_most(name, rank)


def of_most(name: str, rank: pl.Expr) -> pl.Expr:
    """The column where the rank is highest; ``max_by`` holds no rows for that, and an older polars lacks it."""
    column = pl.col(name)
    return column.max_by(rank) if hasattr(column, "max_by") else column.get(rank.arg_max())


_LINES = 2**48
"""More than any file has."""


def order(first_at: int, first_bound: int, then_at: int, then_bound: int) -> str:
    """Whether one instant came before another, as far as their clocks tell.

    Returns:
        ``certain``, ``within clock error`` or ``contradicted``.

    Examples:
        >>> order(0, 10, 100, 10), order(0, 60, 100, 60), order(100, 10, 0, 10)
        ('certain', 'within clock error', 'contradicted')
    """
    if abs(then_at - first_at) <= first_bound + then_bound:
        return "within clock error"
    return "certain" if then_at > first_at else "contradicted"


def densest(values: npt.NDArray[np.int64], owners: npt.NDArray[np.int64], width: int) -> list[tuple[int, int]]:
    """Where most owners have a value: windows of one width, best first.

    Args:
        values: Candidate values, such as time differences of all pairs that could belong together.
        owners: To whom each value belongs; an owner counts once in a window.
        width: Width of the window, in the unit of the values.

    Returns:
        ``(left edge, owners)`` of at most eight windows that do not overlap.

    Examples:
        >>> densest(np.array([7, 107, 8, 108, 209]), np.array([0, 0, 1, 1, 2]), 5)
        [(7, 2), (107, 2), (209, 1)]
    """
    order = np.lexsort((owners, values))
    sorted_values, sorted_owners = values[order], owners[order]
    # A value counts in the windows that begin behind its owner's last one before it, and reach as far as to it.
    by_owner = np.argsort(sorted_owners, kind="stable")
    again = np.diff(sorted_owners[by_owner]) == 0
    begin = np.searchsorted(sorted_values, sorted_values - width)
    begin[by_owner[1:][again]] = np.maximum(begin[by_owner[1:][again]], by_owner[:-1][again] + 1)
    edges = np.bincount(begin, minlength=len(order) + 1)[: len(order)]
    scores = np.cumsum(edges) - np.arange(len(order))
    found: list[tuple[int, int]] = []
    while len(found) < 8 and scores.max(initial=0) > 0:
        edge, best = int(sorted_values[scores.argmax()]), int(scores.max())
        found.append((edge, best))
        scores[slice(*np.searchsorted(sorted_values, (edge - width, edge + width + 1)))] = 0
    return found
