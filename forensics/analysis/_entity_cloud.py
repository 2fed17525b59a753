"""What databases, notifications and logs of a cloud tell of its instances: claims for `_entity_spans.spans`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from forensics.analysis._correlate import with_offsets
from forensics.analysis._entity_spans import CLAIM, PLACE

_SURE = ("stated", "command", "file-name")
_RUNS_HERE = ("creating", "spawned", "built", "started", "resumed", "rebooting", "rebooted", "rescued")
_ORDER = ("at", "source", "position")
_NOT_HERE = r"^(?:scheduler|image|network|port|subnet|router|floatingip|volume|snapshot|keypair|identity)\b"


def dated(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with all their instants as Int64 on the case's clock; ``at`` is null where a row has no time."""
    instants = [name for name, kind in rows.collect_schema().items() if isinstance(kind, pl.Datetime)]
    own = with_offsets(rows, clocks).drop("own", "bound", "reference")
    moved = own.with_columns(pl.col(name).to_physical().cast(pl.Int64) - pl.col("off") for name in instants)
    return moved.rename({"ts": "at"})


def taken(rows: pl.LazyFrame, stamps: Sequence[str]) -> pl.LazyFrame:
    """Rows of a snapshot with ``at`` as early as it can have been taken: no row is younger than its snapshot."""
    newest = pl.max_horizontal(stamps).max().over("source")
    sure = pl.col("ts_basis").is_in(_SURE)
    return rows.with_columns(at=pl.when(sure).then(pl.max_horizontal("at", newest)).otherwise(newest))


def placed(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of a snapshot with ``at`` only where something better than the file's own time tells it."""
    return rows.with_columns(at=pl.when(pl.col("ts_basis").is_in(_SURE)).then("at"))


def claim(
    rows: pl.LazyFrame,
    told_by: str,
    ends: tuple[str, pl.Expr | str, str, pl.Expr | str],
    at: tuple[pl.Expr, pl.Expr],
    opened: pl.Expr | bool = False,
    closed: pl.Expr | bool = False,
    network: pl.Expr | None = None,
    n: pl.Expr | None = None,
) -> pl.LazyFrame:
    """Claims of one kind of relation, from the rows that tell both ends of it."""
    subject_kind, subject, object_kind, thing = ends
    as_bool = [pl.lit(each) if isinstance(each, bool) else each for each in (opened, closed)]
    told = rows.select(
        subject_kind=pl.lit(subject_kind),
        subject=pl.col(subject) if isinstance(subject, str) else subject,
        object_kind=pl.lit(object_kind),
        object=pl.col(thing) if isinstance(thing, str) else thing,
        network=pl.lit(None, pl.String) if network is None else network,
        a=at[0],
        b=at[1],
        opened=as_bool[0].fill_null(False),
        closed=as_bool[1].fill_null(False),
        told_by=pl.lit(told_by),
        n=pl.lit(1) if n is None else n,
        **{name: pl.col(name) for name in PLACE},
    )
    there = [pl.col(end).is_not_null() & (pl.col(end) != "") for end in ("subject", "object")]
    return told.filter(*there).cast(dict(CLAIM))  # type: ignore[arg-type]


def of_instances(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `Instance` rows, dated."""
    stamps = ("created_at", "launched_at", "terminated_at", "deleted_at", "updated_at")
    snap = taken(rows, stamps)
    gone = pl.coalesce("deleted_at", "terminated_at", pl.when("is_deleted").then("updated_at"))
    end = pl.coalesce(gone, "at")
    changed = pl.max_horizontal("updated_at", "launched_at")
    static = (pl.col("created_at"), end)
    opened, closed = pl.col("created_at").is_not_null(), gone.is_not_null()
    owned = [("user", "user_id"), ("project", "project_id"), ("name", "instance_name"), ("name", "display_name"),
             ("name", "hostname"), ("name", "ec2_name")]  # fmt: skip
    now = (pl.coalesce(pl.min_horizontal(changed, end), end), end)
    return [
        *(claim(snap, "Instance", ("instance", "who", kind, name), static, opened, closed) for kind, name in owned),
        *(
            claim(snap, "Instance", ("instance", "who", kind, kind), static, False, closed)
            for kind in ("image", "flavor")
        ),
        claim(snap, "Instance", ("instance", "who", "host", "compute_host"), now, False, closed),
        claim(snap, "Instance", ("image", "image", "base_file", "image_hash"), (pl.col("created_at"), end)),
    ]


def lives(instances: pl.LazyFrame, notifications: pl.LazyFrame) -> pl.DataFrame:
    """When each instance was made and when it was gone: ``instance``, ``born``, ``dead`` in ns."""
    gone = pl.coalesce("deleted_at", "terminated_at", pl.when("is_deleted").then("updated_at"))
    rows = instances.select("who", born="created_at", dead=gone)
    ended = pl.col("event_type").str.contains(r"instance\.delete\.end$")
    seen = notifications.select(
        "who", born="created_at", dead=pl.coalesce("deleted_at", "terminated_at", pl.when(ended).then("at"))
    )
    return (
        pl.concat([rows, seen])
        .group_by(instance="who")
        .agg(pl.col("born").min(), pl.col("dead").max())
        .filter(pl.col("instance").is_not_null())
        .sort("instance")
        .collect(engine="streaming")
    )


def of_ports(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `InstancePort` rows, dated."""
    snap = taken(rows, ("created_at", "updated_at", "deleted_at"))
    gone = pl.coalesce("deleted_at", pl.when("is_deleted").then("updated_at"))
    owned = pl.col("mac").is_not_null() | pl.col("port").is_not_null()  # an address is older than what it is lent to
    begun = pl.when(owned).then("created_at")
    end = pl.coalesce(gone, "at")
    at = (pl.coalesce(begun, end), end)
    opened, closed = begun.is_not_null(), gone.is_not_null()
    net = pl.col("network")
    relations = [("instance", "who", "mac", "mac", None), ("instance", "who", "ip", "ip", net),
                 ("instance", "who", "ip", "floating_ip", None), ("instance", "who", "tap", "device", None),
                 ("mac", "mac", "ip", "ip", net), ("mac", "mac", "tap", "device", None)]  # fmt: skip
    found = [
        claim(snap, "InstancePort", (one, subject, other, thing), at, opened, closed, network)
        for one, subject, other, thing, network in relations
    ]
    now = (pl.coalesce(pl.min_horizontal("updated_at", end), end), end)
    placed = [("instance", "who", "host", "compute_host"), ("mac", "mac", "host", "compute_host"),
              ("tap", "device", "host", "compute_host"), ("instance", "who", "project", "project_id"),
              ("instance", "who", "user", "user_id")]  # fmt: skip
    return found + [claim(snap, "InstancePort", ends, now, False, closed) for ends in placed]


def of_notifications(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `Notification` rows, dated."""
    compute = rows.filter(
        ~pl.col("event_type").str.contains(_NOT_HERE).fill_null(False), pl.col("who").is_not_null()
    ).with_columns(ended=pl.coalesce("deleted_at", "terminated_at"))
    states = _states(compute)
    at, count = (pl.col("at"), pl.col("last")), pl.col("n")
    begun = (pl.coalesce("created_at", "at"), pl.coalesce("ended", "last"))
    opened, closed = pl.col("created_at").is_not_null(), pl.col("ended").is_not_null()
    owned = [("user", "user_id"), ("project", "project_id"), ("image", "image"), ("name", "display_name")]
    told = "Notification"
    ports = _repeated(compute.filter(pl.col("macs").list.len() > 0).explode("macs"), "who", "macs")
    lent = _repeated(compute.filter(pl.col("ips").list.len() > 0).explode("ips"), "who", "ips")
    both = compute.filter(pl.col("macs").list.len() == 1, pl.col("ips").list.len() == 1)
    pairs = _repeated(both.with_columns(pl.col("macs", "ips").list.first()), "macs", "ips")
    return [
        *(claim(states, told, ("instance", "who", kind, name), begun, opened, closed, n=count) for kind, name in owned),
        claim(states, told, ("instance", "who", "flavor", "flavor"), at, n=count),
        claim(states, told, ("instance", "who", "host", "compute_host"), at, n=count),
        *of_requests(rows, told, rows.select("request_id").drop_nulls().unique()),
        claim(ports, told, ("instance", "who", "mac", "macs"), at, n=count),
        claim(lent, told, ("instance", "who", "ip", "ips"), at, n=count),
        claim(pairs, told, ("mac", "macs", "ip", "ips"), at, n=count),
    ]


def _states(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Notifications of one instance that say the same, one after the other, as one row."""
    same = ("who", "user_id", "project_id", "image", "display_name", "flavor", "compute_host", "created_at", "ended")
    ordered = rows.select(*same, "at", *PLACE).sort("who", "at", "source", "position")
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in same)
    return (
        ordered.with_columns(run=changed.cum_sum())
        .group_by("run")
        .agg(pl.col(*same, "at", *PLACE).first(), last=pl.col("at").max(), n=pl.len())
    )


def _repeated(rows: pl.LazyFrame, *same: str) -> pl.LazyFrame:
    """Rows of an hour that tell the same relation, as one row."""
    hour = (pl.col("at") // 3_600_000_000_000).alias("hour")
    return (
        rows.sort(_ORDER).group_by(*same, hour).agg(pl.col("at", *PLACE).first(), last=pl.col("at").max(), n=pl.len())
    )


def of_events(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `InstanceEvent` rows, dated."""
    at = (pl.col("at"), pl.col("at"))
    here = rows.filter(pl.col("event").is_in(_RUNS_HERE))
    made = rows.filter(pl.col("event").is_in(["creating", "claimed", "spawned", "built"]))
    named = rows.filter(pl.col("instance_name").is_not_null(), pl.col("who") != pl.col("instance_name"))
    return [
        claim(here, "InstanceEvent", ("instance", "who", "host", "machine"), at),
        claim(named, "InstanceEvent", ("instance", "who", "name", "instance_name"), at),
        claim(rows, "InstanceEvent", ("instance", "who", "request", "request_id"), at, True, True),
        *(
            claim(rows, "InstanceEvent", ("request", "request_id", kind, f"{kind}_id"), at, True, True)
            for kind in ("user", "project")
        ),
        *(claim(made, "InstanceEvent", ("instance", "who", kind, f"{kind}_id"), at) for kind in ("user", "project")),
    ]


def of_images(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `Image` rows, dated."""
    snap = taken(rows, ("created_at", "updated_at", "deleted_at"))
    end = pl.coalesce("deleted_at", "at")
    at = (pl.coalesce("created_at", end), end)
    opened, closed = pl.col("created_at").is_not_null(), pl.col("deleted_at").is_not_null()
    things: Mapping[str, str] = {"image_hash": "base_file", "ec2_name": "name", "name": "name"}
    made = [
        claim(snap, "Image", ("image", "image", kind, name), at, opened, closed if kind == "name" else False)
        for name, kind in things.items()
    ]
    return [*made, claim(snap, "Image", ("image", "image", "project", "project_id"), at, opened, closed)]


def of_requests(rows: pl.LazyFrame, told_by: str, concerned: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `ApiRequest` or `ConsoleRequest` rows, dated; only of requests that concern an instance.

    Args:
        rows: With ``who``, the instance that a row names.
        told_by: Name of the record.
        concerned: ``request_id`` of those requests.
    """
    said = ("request_id", "user_id", "project_id", "who")
    each = (
        rows.join(concerned, on="request_id", how="semi")
        .select(*said, "at", *PLACE)
        .sort(_ORDER)
        .group_by(said)
        .agg(pl.col("at", *PLACE).first(), last=pl.col("at").max(), n=pl.len())
    )
    at, count = (pl.col("at"), pl.col("last")), pl.col("n")
    return [
        claim(each, told_by, ends, at, opened=True, closed=True, n=count)
        for ends in (
            ("instance", "who", "request", "request_id"),
            ("request", "request_id", "user", "user_id"),
            ("request", "request_id", "project", "project_id"),
        )
    ]


def of_base_files(rows: pl.LazyFrame, told_by: str, images: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of rows that name a file below ``_base``, dated.

    Args:
        rows: With ``file``, its name, and ``who``, the instance that is told to need it; ``last`` is when that was
            said last, and ``n`` how often.
        told_by: Name of the record.
        images: ``hash`` and ``of_image``: which image each SHA-1 is of.
    """
    each = (
        rows.filter(pl.col("file").is_not_null())
        .sort(_ORDER)
        .group_by("file", "who")
        .agg(pl.col("at", *PLACE).first(), pl.col("last").max(), pl.col("n").sum())
        .with_columns(hash=pl.col("file").str.slice(0, 40))
        .join(images, on="hash", how="left")
    )
    at, count = (pl.col("at"), pl.col("last")), pl.col("n")
    return [
        claim(each, told_by, ends, at, n=count)
        for ends in (
            ("image", "of_image", "base_file", "file"),
            ("instance", "who", "base_file", "file"),
            ("instance", "who", "image", "of_image"),
        )
    ]


def file_name(path: pl.Expr) -> pl.Expr:
    """Name of a base file: SHA-1 of the image's id, with ``_NN`` where it is a resized copy."""
    return path.str.extract(r"(?:^|/)([0-9a-f]{40}(?:_\d+)?)(?:\.part)?$")
