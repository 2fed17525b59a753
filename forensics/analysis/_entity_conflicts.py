"""Relations that exclude each other and overlap in time."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS

_EXCLUDE = (
    # subject, object, which end has one partner, how long both may hold (clocks; a migration), what is wrong
    ("instance", "mac", "object", 2, "one MAC on two instances"),
    ("mac", "ip", "object", 2, "one address on two MACs"),
    ("instance", "ip", "object", 2, "one address on two instances"),
    ("instance", "host", "subject", 300, "one instance on two hosts"),
    ("tap", "host", "subject", 300, "one device on two hosts"),
)
_END = 2**62
_SHOWN = ("told_by", "source", "position", "offset_bytes", "length_bytes")


def conflicting(edges: pl.DataFrame) -> pl.DataFrame:
    """See `forensics.analysis.entities.conflicts`."""
    projects = _projects(edges)
    parts = [_pairs(edges, projects, *rule) for rule in _EXCLUDE]
    return pl.concat(parts).sort("thing", "from_at", "conflict", "first", "second", nulls_last=False)


def _projects(edges: pl.DataFrame) -> pl.DataFrame:
    """The one project of each instance, and of each MAC that is of one instance: ``owner``, ``project``."""

    def of(thing: str) -> pl.DataFrame:
        own = (pl.col("subject_kind") == "instance") & (pl.col("object_kind") == thing)
        return edges.filter(own).select("subject", pl.col("object").alias(thing)).unique()

    mine = of("project").rename({"subject": "owner"})
    macs = of("mac").join(mine, left_on="subject", right_on="owner").select(owner="mac", project="project")
    both = pl.concat([mine.select("owner", "project"), macs]).unique()
    return both.filter(pl.len().over("owner") == 1)


def _pairs(
    edges: pl.DataFrame, projects: pl.DataFrame, subject: str, thing: str, one: str, tolerated_s: int, wrong: str
) -> pl.DataFrame:
    """Each relation with the longest of those before it that it excludes and that still held."""
    other = "object" if one == "subject" else "subject"
    rows = edges.filter(pl.col("subject_kind") == subject, pl.col("object_kind") == thing)
    several = rows.filter(pl.col(other).n_unique().over(one) > 1).select(
        pl.col(one).alias("thing"),
        pl.col(other).alias("partner"),
        "network",
        pl.col("from_at").to_physical().fill_null(-_END).alias("start"),
        pl.col("to_at").to_physical().fill_null(_END).alias("end"),
        *_SHOWN,
    )
    owned = several.join(projects, left_on="partner", right_on="owner", how="left")
    where = (
        pl.coalesce("network", pl.lit("project ") + pl.col("project"), "source")
        if thing == "ip"
        else pl.lit(None, pl.String)
    )
    keys = ["thing", "where"]
    ordered = owned.with_columns(where=where).sort(*keys, "start", "end", "partner", "source", nulls_last=False)
    ordered = ordered.with_row_index("row")
    longest = pl.col("end") == pl.col("end").cum_max().over(keys)
    before = pl.when(longest).then("row").forward_fill().shift().over(keys)
    said = ordered.select("row", *("partner", "start", "end", *_SHOWN))
    both = ordered.with_columns(before=before).join(said, left_on="before", right_on="row", suffix="_before")
    start, end = pl.max_horizontal("start", "start_before"), pl.min_horizontal("end", "end_before")
    held = both.filter(pl.col("partner") != pl.col("partner_before"), end - start > tolerated_s * SECOND_NS)

    def instant(value: pl.Expr) -> pl.Expr:
        known = pl.when(value.abs() < _END).then(value)
        return known.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")

    return held.select(
        conflict=pl.lit(wrong),
        kind=pl.lit(subject if one == "subject" else thing),
        thing="thing",
        first="partner_before",
        second="partner",
        network="network",
        from_at=instant(start),
        to_at=instant(end),
        **{f"first_{name}": pl.col(f"{name}_before") for name in _SHOWN},
        **{f"second_{name}": pl.col(name) for name in _SHOWN},
    )
