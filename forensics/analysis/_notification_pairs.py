"""What began and how it ended: notifications of a start, and those of the end that belongs to it."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.records import DataFrame, LazyFrame, Notification, Operation

_PHASE = r"\.(start|end|error)$"
_SAME_EVENT_NS = 2_000_000_000
"""A notification of the old kind and one with versions tell of one event if they are no further apart."""
_WITHOUT_REQUEST_NS = 86_400_000_000_000
"""Without a request that both name, an end belongs to no start that is further away."""
_SKEW_NS = 3_600_000_000_000
"""An end may stand before its start by this much, if two hosts' clocks wrote them."""
_ROUNDS = 64
_NEEDED = (
    "ts", "host", "source", "position", "event_type", "message_id", "request_id", "instance", "image", "user_id",
    "project_id", "priority", "versioned",
)  # fmt: skip


def operations(notifications: LazyFrame[Notification]) -> DataFrame[Operation]:
    """Pair the start of each operation with its end.

    ``compute.instance.create.start`` and ``compute.instance.create.end`` of one instance and one request are one
    operation, and so are ``instance.create.start`` and its end. Where one of the two names no request (or no
    instance), the other key has to do; an end then belongs to the last start before it that has none yet, not more
    than a day ago. Events without a start and an end (``exists``, ``update``) are no operations.

    Args:
        notifications: One row per notification, any order; doubles (of several consumers, of a table and what the
            REST interface showed of it, of nova's old and new kind at once) count once.

    Returns:
        One row per operation, by its first known instant. ``outcome`` is ``failed`` for an ``.error`` and an end of
        priority ERROR, ``unfinished`` for a start without an end, ``start not seen`` for an end without a start.
        ``duration_s`` may be negative: the ends of one request on two hosts are of two clocks.

    References:
        openstack/nova doc/notification_samples @ 33.0.0; nova/compute/utils.py ``notify_about_instance_usage``.

    Examples:
        >>> from datetime import UTC, datetime
        >>> rows = Notification.sample(overrides={
        ...     "event_type": ["compute.instance.reboot.start", "compute.instance.reboot.end"], "priority": "INFO",
        ...     "ts": [datetime(2014, 1, 14, 15, 39, s, tzinfo=UTC) for s in (22, 24)], "versioned": False,
        ...     "request_id": "req-1", "instance": "i", "message_id": ["1", "2"], "host": "cc12",
        ... })
        >>> operations(rows.lazy()).select("event", "duration_s", "outcome").row(0)
        ('compute.instance.reboot', 2.0, 'completed')
    """
    told = pl.col("event_type").str.contains(_PHASE)
    phase = pl.col("event_type").str.extract(_PHASE)
    rows = notifications.filter(told).select(_NEEDED).collect().with_columns(
        phase=phase, stem=_stem(), subject=pl.coalesce("instance", "image"), begins=phase == "start"
    )  # fmt: skip
    rows = _once(_in_order(rows)).with_row_index("order").with_columns(pl.col("order").cast(pl.Int64))
    starts, ends = rows.filter("begins"), rows.filter(pl.col("begins").not_())
    return _as_operations(starts, ends, _pairs(starts, ends))


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """By instant, as they are written where there is none; at one instant a start comes before an end."""
    ending = pl.when(pl.col("ts").is_not_null()).then(pl.col("begins").not_())
    return rows.sort("ts", ending, "source", "position", nulls_last=True)


def _stem() -> pl.Expr:
    """What both kinds of notifications call the same: ``compute.instance.resize.prep`` is ``instance.resize_prep``."""
    plain = pl.col("event_type").str.replace(_PHASE, "").str.strip_prefix("compute.")
    of_instance = plain.str.starts_with("instance.")
    action = plain.str.strip_prefix("instance.").str.replace_all(".", "_", literal=True)
    action = action.replace({"finish_resize": "resize_finish"})
    return pl.when(of_instance).then(pl.lit("instance.") + action).otherwise(plain)


def _once(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows without doubles; the first of each is kept, and the old kind before the new one."""
    named = rows.filter(pl.col("message_id").is_not_null())
    named = named.unique(["message_id", "event_type"], keep="first", maintain_order=True)
    same = ["event_type", "ts", "host"]
    nameless = rows.filter(pl.col("message_id").is_null()).unique(
        [*same, "subject", "request_id"], keep="first", maintain_order=True
    )
    timed = named.filter(pl.col("ts").is_not_null())
    # the list that the REST interface shows has neither message nor request, and its instance only in the question
    doubled = nameless.with_row_index("nth").join(timed, on=same, how="inner", nulls_equal=True)
    of_other = (pl.col("subject") != pl.col("subject_right")) | (pl.col("request_id") != pl.col("request_id_right"))
    nths = doubled.filter(of_other.fill_null(False).not_())["nth"].unique()
    alone = nameless.with_row_index("nth").filter(pl.col("nth").is_in(nths.implode()).not_()).drop("nth")
    return _of_one_kind(_in_order(pl.concat([named, alone])))


def _of_one_kind(rows: pl.DataFrame) -> pl.DataFrame:
    """Without those of the new kind that an old one tells of as well, as ``notification_format = both`` sends them."""
    if rows["versioned"].n_unique() < 2:
        return rows
    keys = ["stem", "phase", "subject"]
    new = rows.filter("versioned", pl.col("ts").is_not_null(), pl.col("subject").is_not_null()).with_row_index("nth")
    old = rows.filter(pl.col("versioned").not_(), pl.col("ts").is_not_null()).select(
        *keys, "ts", pl.col("ts").alias("other_ts"), pl.col("request_id").alias("other_request")
    )
    near = new.join_asof(
        old, on="ts", by=keys, strategy="nearest", tolerance=f"{_SAME_EVENT_NS}ns", check_sortedness=False
    )
    doubled = (
        pl.col("other_ts").is_not_null() & (pl.col("request_id") != pl.col("other_request")).fill_null(False).not_()
    )
    gone = near.filter(doubled).select("source", "position", "message_id", "event_type", "ts", "versioned")
    return rows.join(gone, on=gone.columns, how="anti", nulls_equal=True, maintain_order="left")


def _pairs(starts: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """``start`` and ``end``, places in the order of all rows, of those that belong together."""
    has_request, has_subject = pl.col("request_id").is_not_null(), pl.col("subject").is_not_null()
    neither = has_request.not_() & has_subject.not_()
    steps = (  # by which keys, which starts, which ends, how far away
        (["stem", "request_id", "subject"], has_request & has_subject, has_request & has_subject, None),
        (["stem", "request_id"], has_request & has_subject.not_(), has_request, None),
        (["stem", "request_id"], has_request & has_subject, has_request & has_subject.not_(), None),
        (["stem", "subject"], has_subject & has_request.not_(), has_subject, _WITHOUT_REQUEST_NS),
        (["stem", "subject"], has_subject & has_request, has_subject & has_request.not_(), _WITHOUT_REQUEST_NS),
        (["stem", "host"], neither & pl.col("host").is_not_null(), neither, _WITHOUT_REQUEST_NS),
    )
    found = pl.DataFrame(schema={"start": pl.Int64(), "end": pl.Int64()})
    for keys, of_start, of_end, farthest in steps:
        for behind in (True, False):
            if not behind and "request_id" not in keys:
                continue
            for _ in range(_ROUNDS):
                left = starts.filter(of_start, pl.col("order").is_in(found["start"].implode()).not_())
                right = ends.filter(of_end, pl.col("order").is_in(found["end"].implode()).not_())
                new = _nearest(left, right, keys, behind, farthest)
                if not new.height:
                    break
                found = pl.concat([found, new])
    return found


def _nearest(
    starts: pl.DataFrame, ends: pl.DataFrame, keys: list[str], behind: bool, farthest_ns: int | None
) -> pl.DataFrame:
    """Each start with the first end for which it is the last start before (or, skewed, the first one after) it."""
    if not starts.height or not ends.height:
        return pl.DataFrame(schema={"start": pl.Int64(), "end": pl.Int64()})
    given = starts.select(*keys, "order", start="order", start_ts="ts", start_host="host")
    joined = ends.select(list(dict.fromkeys([*keys, "order", "ts", "host"]))).join_asof(
        given, on="order", by=keys, strategy="backward" if behind else "forward", check_sortedness=False
    )
    apart = (pl.col("ts") - pl.col("start_ts")).dt.total_nanoseconds().abs()
    joined = joined.filter(pl.col("start").is_not_null())
    if not behind:
        joined = joined.filter((apart <= _SKEW_NS).fill_null(False), pl.col("host") != pl.col("start_host"))
    elif farthest_ns is not None:
        joined = joined.filter((apart <= farthest_ns).fill_null(True))
    first = joined.sort("order", descending=not behind).unique("start", keep="first", maintain_order=True)
    return first.select("start", end="order")


def _as_operations(starts: pl.DataFrame, ends: pl.DataFrame, pairs: pl.DataFrame) -> DataFrame[Operation]:
    begun = starts.join(pairs, left_on="order", right_on="start", how="left", maintain_order="left")
    ended = ends.select(pl.all().name.suffix("_end"))
    whole = begun.join(ended, left_on="end", right_on="order_end", how="full", coalesce=True)
    failed = (pl.col("phase_end") == "error") | pl.col("priority_end").is_in(["ERROR", "CRITICAL"])
    span_ns = (pl.col("ts_end") - pl.col("ts")).dt.total_nanoseconds()
    outcome = (
        pl.when(pl.col("phase_end").is_null()).then(pl.lit("unfinished"))
        .when(failed.fill_null(False)).then(pl.lit("failed"))
        .when(pl.col("phase").is_null()).then(pl.lit("start not seen"))
        .otherwise(pl.lit("completed"))
    )  # fmt: skip
    either = {
        name: pl.coalesce(name, f"{name}_end") for name in ("request_id", "host", "user_id", "project_id", "image")
    }
    answer = whole.select(
        event=pl.coalesce("event_type", "event_type_end").str.replace(_PHASE, ""),
        instance=pl.coalesce("subject", "subject_end"),
        **either,
        started_at="ts",
        ended_at="ts_end",
        duration_s=span_ns // SECOND_NS + span_ns % SECOND_NS / SECOND_NS,  # exact where it can be
        outcome=outcome,
        start_source="source",
        start_position="position",
        end_source="source_end",
        end_position="position_end",
    ).sort(
        pl.coalesce("started_at", "ended_at"), "event", "instance", "request_id", "start_source", "start_position",
        "end_source", "end_position", nulls_last=True,
    )  # fmt: skip
    return Operation.validate(answer.select(Operation.polars_schema().names()), cast=True)
