"""StackTach's tables of notifications, 2012 to 2015."""

from __future__ import annotations

import polars as pl

from forensics.loaders.documents._notification import READABLE, notification_rows
from forensics.loaders.documents._table import Lookups, Table, counted_from_1970, lower, word
from forensics.records import Notification, Record

_Told = dict[type[Record], pl.DataFrame]
_COMMON = ("id", "deployment_id", "json", "routing_key", "when", "publisher", "event", "service", "host", "request_id")


def _deployments(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    lookups.keep("deployment", frame.select(key="id", deployment=word("name")))
    return {}


def _raw(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    frame = lookups.join("deployment", frame, "deployment_id", {"deployment": pl.String()})
    places = frame.select(
        pl.col("@source").alias("source"),
        pl.col("@position").alias("position"),
        pl.col("@offset_bytes").alias("offset_bytes"),
        pl.col("@length_bytes").alias("length_bytes"),
        word("host").alias("host"),
        pl.coalesce("deployment", "deployment_id").alias("deployment"),
        word("routing_key").alias("routing_key"),
        pl.col("id").cast(pl.Int64, strict=False).alias("raw_id"),
        counted_from_1970("when").alias("when_ns"),
        word("event").alias("event_type"),
        lower("instance").alias("instance"),
        lower("uuid").alias("image"),
        word("request_id").alias("request_id"),
        word("publisher").alias("publisher_id"),
        word("service").alias("service"),
        pl.coalesce(word("tenant"), word("owner")).alias("project_id"),
        pl.coalesce(word("state"), word("status")).alias("state"),
        word("old_state").alias("old_state"),
        word("task").alias("task_state"),
        word("old_task").alias("old_task_state"),
    )
    return {Notification: notification_rows(frame["json"], places).drop(READABLE)}


_RAW = (*_COMMON, "tenant", "owner", "instance", "uuid", "status", "state", "old_state", "task", "old_task")

ASSUMED = {
    ("stacktach_rawdata", 15): (
        *("id", "deployment_id", "tenant", "json", "routing_key", "state", "old_state", "old_task", "when"),
        *("publisher", "event", "service", "host", "instance", "request_id"),
    )
}
"""Columns of a table whose rows have so many, where no statement names them: stacktach/models.py @ 6ba0458 (2012).

Later columns stand where they were added, or where the model has them: of those nothing is assumed."""

# stacktach/models.py @ 6ba0458 (2012) and @ 0235096; the rows of lifecycle and timing repeat what rawdata says
TABLES: tuple[Table, ...] = (
    Table(("stacktach_deployment",), (), ("id", "name"), ("id", "name"), _deployments, keeps="deployment"),
    Table(("stacktach_rawdata", "stacktach_glancerawdata", "stacktach_genericrawdata", "stacktach_rawdata_old"),
          (Notification,), ("json", "when"), _RAW, _raw, alone=("json", "when", "routing_key")),
)  # fmt: skip
