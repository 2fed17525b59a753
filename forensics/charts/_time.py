"""Instants and widths of time, as axes and hovers of charts have them."""

from __future__ import annotations

from datetime import datetime

import polars as pl

WIDTHS_S = (
    *(0.001, 0.01, 0.1, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400),
)


def bin_width_s(span_ns: int, most: int) -> float:
    """The least round width that cuts a span of time into so many bins at most.

    Examples:
        >>> bin_width_s(3_600 * 10**9, 200), bin_width_s(3 * 365 * 86_400 * 10**9, 200)
        (30, 518400)
    """
    width = next((seconds for seconds in WIDTHS_S if span_ns / 1e9 / seconds <= most), None)
    return width if width is not None else 86_400 * (-(-span_ns // (86_400 * 10**9 * most)))


def stamp(at: datetime) -> str:
    """An instant as plotly reads it, to the microsecond."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def stamp_ns(ns: int) -> str:
    """The same of whole nanoseconds since 1970."""
    return stamp(pl.Series([ns], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))[0])


def words(width_s: float) -> str:
    """A width of time in words.

    Examples:
        >>> [words(width) for width in (0.01, 1, 30, 900, 7200, 86400)]
        ['10 ms', '1 s', '30 s', '15 min', '2 h', '1 d']
    """
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if width_s >= seconds:
            return f"{width_s / seconds:.4g} {unit}"
    return f"{width_s * 1000:.4g} ms"
