"""Which instance, host, image, user and port belong together, and when?"""

from __future__ import annotations

import polars as pl

from forensics.records import DataFrame, Edge, Instance

RECORDS = (Instance,)
"""The records that `edges` takes after the clocks, in the order of its arguments."""


def edges(clocks: pl.LazyFrame, *records: pl.LazyFrame) -> DataFrame[Edge]:
    """Relations between the things of a cloud."""
    del clocks, records
    return Edge.validate(Edge.empty())
