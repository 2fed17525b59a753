"""Which instance, host, image, user and port belong together, and when?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from forensics.analysis import _entity_cloud as cloud
from forensics.analysis import _entity_network as network
from forensics.analysis._entity_spans import spans
from forensics.records import (
    DataFrame,
    Edge,
    HostInterface,
    Image,
    Instance,
    InstanceEvent,
    InstancePort,
    Notification,
    Record,
)

RECORDS = (Instance, InstancePort, Notification, InstanceEvent, Image, HostInterface)
"""The records that `edges` takes after the clocks, in the order of its arguments."""

_INSTANT = pl.Datetime("ns", "UTC")


def edges(clocks: pl.LazyFrame, *records: pl.LazyFrame) -> DataFrame[Edge]:
    """Relations between the things of a cloud, each for as long as it held.

    Args:
        clocks: One row per `Clock`.
        records: Rows of each of `RECORDS`, in that order.

    Returns:
        One row per relation and span, by subject, object and start. A fact that several records tell is one row.
    """
    rows = dict(zip(RECORDS, (cloud.dated(each, clocks) for each in records), strict=True))
    hosts = _hosts(rows)
    names = _names(rows[Instance])
    instances = _named(rows[Instance], names, hosts, host="compute_host")
    instances = _ec2(instances, "i", "ec2_id")
    notifications = _named(rows[Notification], names, hosts, host="compute_host")
    ports = _named(rows[InstancePort], names, hosts, host="compute_host")
    ports = ports.with_columns(device=network.device(pl.col("tap"), pl.col("compute_host")))
    events = _named(rows[InstanceEvent], names, hosts)
    interfaces = _shorter(rows[HostInterface], hosts, "host", "machine")
    claims = pl.collect_all(
        [
            *cloud.of_instances(instances),
            *cloud.of_ports(ports),
            *cloud.of_notifications(notifications),
            *cloud.of_events(events),
            *cloud.of_images(_ec2(rows[Image], "ami", "ec2_id")),
            *network.of_interfaces(interfaces),
        ],
        engine="streaming",
    )
    held = spans(pl.concat(claims), cloud.lives(instances, notifications))
    dated = held.with_columns(
        from_at=pl.col("from_ns").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
        to_at=pl.col("to_ns").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
    )
    ordered = dated.sort("subject_kind", "subject", "object_kind", "object", "network", "from_at", nulls_last=False)
    return Edge.validate(ordered.select(Edge.polars_schema().names()), cast=True)


def _hosts(rows: Mapping[type[Record], pl.LazyFrame]) -> pl.LazyFrame:
    """Full names of hosts that are known by their first label, too: ``full``, ``short``."""
    columns = ((Instance, "compute_host"), (InstancePort, "compute_host"), (Notification, "compute_host"),
               (Notification, "host"), (InstanceEvent, "host"), (HostInterface, "host"))  # fmt: skip
    parts = [rows[record].select(full=pl.col(name)) for record, name in columns if record in rows]
    every = pl.concat(parts).drop_nulls().unique().collect(engine="streaming")
    label = pl.col("full").str.split(".").list.first()
    long = every.filter(pl.col("full").str.contains(r"\.[A-Za-z]")).with_columns(short=label)
    alone = long.filter(pl.len().over("short") == 1, pl.col("short").is_in(every["full"].implode()))
    return alone.lazy()


def _shorter(rows: pl.LazyFrame, hosts: pl.LazyFrame, name: str, into: str) -> pl.LazyFrame:
    joined = rows.join(hosts, left_on=name, right_on="full", how="left")
    return joined.with_columns(pl.coalesce("short", name).alias(into)).drop("short")


def _names(instances: pl.LazyFrame) -> pl.LazyFrame:
    """The uuid behind each name that only one instance has: ``name``, ``uuid``."""
    parts = [instances.select(name="instance_name", uuid="instance")]
    return (
        pl.concat(parts)
        .drop_nulls()
        .group_by("name")
        .agg(uuid=pl.col("uuid").unique())
        .filter(pl.col("uuid").list.len() == 1)
        .with_columns(pl.col("uuid").list.first())
    )


def _named(rows: pl.LazyFrame, names: pl.LazyFrame, hosts: pl.LazyFrame, host: str | None = None) -> pl.LazyFrame:
    """Rows with ``who``: the uuid, or the only name that is told; and with hosts by one name each."""
    told = (
        rows if "instance_name" in rows.collect_schema() else rows.with_columns(instance_name=pl.lit(None, pl.String))
    )
    found = told.join(names, left_on="instance_name", right_on="name", how="left")
    found = found.with_columns(who=pl.coalesce("instance", "uuid", "instance_name")).drop("uuid")
    found = _shorter(found, hosts, "host", "machine")
    return found if host is None else _shorter(found, hosts, host, host)


def _ec2(rows: pl.LazyFrame, prefix: str, column: str) -> pl.LazyFrame:
    """Rows with ``ec2_name``: ``i-0000002a`` for 42."""
    numbers = rows.select(column).drop_nulls().unique().collect().to_series()
    names = pl.DataFrame({column: numbers, "ec2_name": [f"{prefix}-{each:08x}" for each in numbers]},
                         schema={column: pl.Int64(), "ec2_name": pl.String()})  # fmt: skip
    return rows.join(names.lazy(), on=column, how="left")


__all__: Sequence[str] = ("RECORDS", "edges")
