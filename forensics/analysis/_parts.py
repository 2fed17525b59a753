"""What is in question may be more than memory holds: keys cut into parts, each of a bounded number of rows."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl


def in_parts(counts: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    """Cut keys, in their order, into as few parts as hold at most so many rows each.

    Args:
        counts: One row per key: the key, in any columns, and ``n``, how many rows it has.
        most: How many rows a part may have; a key that alone has more is a part by itself.

    Yields:
        Consecutive slices of the table; none of an empty one.

    Examples:
        >>> counts = pl.DataFrame({"client": ["a", "b", "c", "d"], "n": [2, 3, 9, 1]})
        >>> [part["client"].to_list() for part in in_parts(counts, 5)]
        [['a', 'b'], ['c'], ['d']]
    """
    ends = counts["n"].cast(pl.Int64).cum_sum()
    start, before = 0, 0
    while start < counts.height:
        stop = max(int(ends.search_sorted(before + most, side="right")), start + 1)
        yield counts.slice(start, stop - start)
        start, before = stop, int(ends[stop - 1])
