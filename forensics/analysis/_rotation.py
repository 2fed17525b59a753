"""Files that log rotation made of one log: their common name."""

from __future__ import annotations

import re

import polars as pl

_PACKED, _ROTATED = r"\.(?:gz|xz|bz2|zst|lz4)$", r"(?:[.-]\d{8}(?:-\d+)?|\.\d{1,3})$"


def stem(column: str = "source") -> pl.Expr:
    """What `series` says, of a column of names."""
    return pl.col(column).str.replace(_PACKED, "").str.replace(_ROTATED, "")


def series(source: str) -> str:
    """A log's name without what rotation and compression add.

    Examples:
        >>> series("controller/syslog.1.gz"), series("web/messages-20120830.xz"), series("a/dnsmasq.log")
        ('controller/syslog', 'web/messages', 'a/dnsmasq.log')
    """
    return re.sub(_ROTATED, "", re.sub(_PACKED, "", source))
