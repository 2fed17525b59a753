"""The broker's alarms: when a node ran out of memory or disk, and for how long."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock

_TWICE_NS = 3 * SECOND_NS
"""A node logs its watermark and the alarm that follows at once, and the other nodes of the cluster log it, too."""


def alarms(events: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """Every alarm once, whichever nodes and lines tell of it.

    Args:
        events: One row per `BrokerEvent`.
        clocks: One row per `Clock`.

    Returns:
        By ``at``: ``node``, ``kind`` (``memory``, ``disk``), ``at``, ``until`` (ns on the case's clock; null where
        nothing says that it ended), ``bound``, ``used_bytes``, ``limit_bytes``, ``log_ends`` (last line of the log),
        ``source``, ``position``, and ``until_source``, ``until_position`` of the line that ends it.
    """
    timed = on_one_clock(events, clocks)
    about = {"memory_mark": "memory", "disk_low": "disk"}
    rows = timed.filter(pl.col("kind").is_in(["memory_mark", "disk_low", "alarm"]), pl.col("state").is_not_null())
    said = rows.select(
        "at", "bound", "state", "used_bytes", "limit_bytes", "source", "position",
        node=pl.coalesce("node", "host", "source"),
        kind=pl.coalesce(pl.col("kind").replace_strict(about, default=None, return_dtype=pl.String),
                         pl.col("resource").str.extract(r"^(memory|disk)").fill_null("memory")),
    )  # fmt: skip
    reach = timed.group_by("source").agg(log_ends=pl.col("at").max())
    told, last = pl.collect_all([said.sort("at", "source", "position"), reach])
    key = ["node", "kind"]
    change = (
        (pl.col("state") != pl.col("state").shift(1)).fill_null(value=True)
        | ((pl.col("at") - pl.col("at").shift(1)) > pl.max_horizontal(pl.lit(_TWICE_NS), 2 * pl.col("bound")))
    ).over(key)
    once = told.filter(change)
    cleared = pl.col("state").shift(-1).over(key) == "clear"
    ends = {f"until_{name}" if name != "at" else "until": pl.when(cleared).then(pl.col(name).shift(-1).over(key))
            for name in ("at", "source", "position")}  # fmt: skip
    raised = once.with_columns(**ends).filter(pl.col("state") == "set")
    return raised.join(last, on="source", how="left").sort("at", *key, "source", "position")
