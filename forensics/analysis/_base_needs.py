"""Which instances need which base file, from when until when, and which of them failed to start for want of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import on_one_clock
from forensics.analysis._parts import in_parts
from forensics.analysis._silence import machine, reference
from forensics.records.finding import Reference

_LIFE = {
    "instance": pl.String,
    "domain": pl.String,
    "host": pl.String,
    "image": pl.String,
    "image_hash": pl.String,
    "root_gb": pl.Int64,
    "from_at": pl.Int64,
    "to_at": pl.Int64,
    "told_by": pl.String,
    "source": pl.String,
    "position": pl.Int64,
}
MOST_EVENTS = 250_000
"""Notifications that are held at a time."""
_NO_FILE = r"(?is)(?:could not open|cannot access|backing file).*no such file"
_FOLDER = r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/[^/]+$"
_DOMAIN = r"/(instance-[0-9a-f]{8,})/[^/]+$"
_VOLUME = r"/dev/|iscsi|rbd:"
_STARTED = ("started", "rebooted", "spawned")
_STARTED_EVENTS = r"(?:reboot|power_on|start|rebuild|resize\.confirm|finish_resize)\.end$"


@dataclass(frozen=True, slots=True)
class Needs:
    """What is known of instances and the files that they are backed by."""

    lives: pl.DataFrame
    """One row an instance and image: columns of ``_LIFE``, ``machine``."""
    disks: pl.DataFrame
    """``instance``, ``domain``, ``backing`` (name of the file), ``error``, ``source``, ``position``."""
    failures: pl.DataFrame
    """``at``, ``bound``, ``instance``, ``machine``, ``host``, ``event``, ``missing`` (name of the base file),
    ``text``, ``vague``, ``no_file``, ``source``, ``position``: starts that failed."""
    starts: pl.DataFrame
    """``instance``, ``at``: the last start that succeeded."""
    ended: pl.DataFrame
    """``at``, ``machine``: a host was told to delete an instance, or to give it away."""
    tabled: bool
    """Whether there is a table of instances: what it does not have, is not there."""


def digest(image: str) -> str:
    """Name of an image's base file: SHA-1 of the text of its id (nova/virt/libvirt/imagecache.py, get_cache_fname).

    Examples:
        >>> digest("0673dd71-34c5-4fbb-86c4-40623fbe45b4")
        'a489c868f0c37da93b76227c91bb03908ac0e742'
    """
    return hashlib.sha1(image.encode(), usedforsecurity=False).hexdigest()


def hashed(images: pl.DataFrame) -> pl.DataFrame:
    """``image`` and its ``image_hash``, one row each."""
    names = images["image"].drop_nulls().unique().sort()
    return pl.DataFrame({"image": names, "image_hash": [digest(name) for name in names]}, schema_overrides={
        "image": pl.String, "image_hash": pl.String})  # fmt: skip


def _ns(column: str) -> pl.Expr:
    return pl.col(column).to_physical().cast(pl.Int64)


def _in_database(instances: pl.LazyFrame) -> pl.LazyFrame:
    """Lives as nova's table has them: a row marked deleted has ended, and so has one whose disk was given up."""
    dead = pl.col("is_deleted").fill_null(value=False) | (pl.col("vm_state") == "shelved_offloaded").fill_null(
        value=False
    )
    last = pl.coalesce(pl.min_horizontal(_ns("terminated_at"), _ns("deleted_at")), _ns("updated_at"), _ns("created_at"))
    had_disk = pl.col("compute_host").is_not_null() | pl.col("launched_at").is_not_null()
    return instances.filter(had_disk).select(
        instance=pl.coalesce("instance", "instance_name", "display_name"),
        domain=pl.col("instance_name"),
        host=pl.col("compute_host"),
        image=pl.col("image"),
        image_hash=pl.col("image_hash"),
        root_gb=pl.col("root_gb").cast(pl.Int64),
        from_at=pl.coalesce(_ns("created_at"), _ns("launched_at")),
        to_at=pl.when(dead).then(last).otherwise(pl.min_horizontal(_ns("terminated_at"), _ns("deleted_at"))),
        told_by=pl.lit("Instance"),
        source=pl.col("source"),
        position=pl.col("position"),
    )


def _in_events(notifications: pl.LazyFrame, wanted: list[str], clocks: pl.LazyFrame) -> pl.DataFrame:
    """Lives as notifications tell them: an image until the instance was rebuilt from another, or deleted."""
    about = notifications.filter(pl.col("instance").is_not_null())
    known = hashed(about.group_by("image").agg().collect(engine="streaming"))
    images = known.filter(pl.col("image_hash").is_in(wanted))["image"]
    told = on_one_clock(about, clocks).select(
        "at", "instance", "event_type", "image", "root_gb", "source", "position",
        host=pl.coalesce("compute_host", "host"), born=pl.coalesce(_ns("launched_at"), _ns("created_at")),
    )  # fmt: skip
    spoken = told.group_by("instance").agg(n=pl.len(), wanted=pl.col("image").is_in(images.to_list()).any())
    concerned = spoken.collect(engine="streaming").filter("wanted").sort("instance")
    named = told.join(known.lazy(), on="image", how="left")
    parts = [
        _spells(named.join(part.select("instance").lazy(), on="instance", how="semi").collect(engine="streaming"))
        for part in in_parts(concerned, MOST_EVENTS)
    ]
    return pl.concat([pl.DataFrame(schema=_LIFE), *parts])


def _spells(rows: pl.DataFrame) -> pl.DataFrame:
    """Lives, of all notifications of some instances."""
    rows = rows.sort("instance", "at", "source", "position")
    event = pl.col("event_type").fill_null("")
    gone = rows.filter(event.str.contains(r"instance\.(?:delete|soft_delete|shelve_offload)\.end$"))
    ends = gone.group_by("instance").agg(gone_at=pl.col("at").min())
    told_image = rows.filter(pl.col("image").is_not_null()).with_columns(
        spell=pl.col("image").rle_id().over("instance")
    )
    spells = told_image.group_by("instance", "spell", maintain_order=True).agg(
        pl.col("image", "image_hash", "source", "position").first(),
        host=pl.col("host").drop_nulls().last(),
        root_gb=pl.col("root_gb").drop_nulls().last().cast(pl.Int64),
        first_at=pl.col("at").min(),
        born=pl.col("born").min(),
    )
    changed = spells.with_columns(changed_at=pl.col("first_at").shift(-1).over("instance")).join(
        ends, on="instance", how="left"
    )
    first = pl.when(pl.col("spell") == 0).then(pl.min_horizontal("born", "first_at")).otherwise("first_at")
    return changed.select(
        "instance", domain=pl.lit(None, pl.String), host="host", image="image", image_hash="image_hash",
        root_gb="root_gb", from_at=first, to_at=pl.min_horizontal("changed_at", "gone_at"),
        told_by=pl.lit("Notification"), source="source", position="position",
    ).cast(_LIFE)  # type: ignore[arg-type]  # fmt: skip


def lives(
    instances: pl.LazyFrame, notifications: pl.LazyFrame, events: pl.LazyFrame, clocks: pl.LazyFrame, wanted: list[str]
) -> pl.DataFrame:
    """Who ran from the images wanted, on which host, from when until when.

    Args:
        instances: One row per `Instance`.
        notifications: One row per `Notification`.
        events: One row per `InstanceEvent`: when an instance was deleted.
        clocks: One row per `Clock`.
        wanted: Hashes of the images.

    Returns:
        One row an instance and image, what several sources say of it put together; by ``instance``.
    """
    table = _in_database(instances)
    kept = table.filter(pl.col("image_hash").is_in(wanted)).collect(engine="streaming").cast(_LIFE)  # type: ignore[arg-type]
    heard = _in_events(notifications, wanted, clocks)
    now = table.filter(pl.col("instance").is_in(heard["instance"].unique().to_list())).select(
        "instance", table_hash="image_hash"
    )
    other = now.unique("instance").collect()
    replaced = pl.col("to_at").is_null() & (pl.col("table_hash") != pl.col("image_hash")).fill_null(value=False)
    heard = heard.join(other, on="instance", how="left").filter(~replaced).drop("table_hash")
    both = pl.concat([kept, heard.filter(pl.col("image_hash").is_in(wanted))])
    ended = (
        on_one_clock(events.filter(pl.col("event") == "terminating"), clocks)
        .group_by("instance")
        .agg(ended_at=pl.col("at").min())
    )
    merged = (
        both.sort("instance", "image_hash", "told_by", "source", "position")
        .group_by("instance", "image_hash", maintain_order=True)
        .agg(
            pl.col("domain", "host", "image", "root_gb").drop_nulls().last(),
            pl.col("from_at", "to_at").min(),
            pl.col("told_by", "source", "position").first(),
        )
        .join(ended.collect(), on="instance", how="left")
        .with_columns(to_at=pl.min_horizontal("to_at", "ended_at"), machine=machine())
        .select(*_LIFE, "machine")
    )
    return merged.sort("instance", "image_hash")


def disks(images: pl.LazyFrame, instances: pl.LazyFrame) -> pl.DataFrame:
    """Which file each disk is backed by, as qemu-img and domains' XML show it."""
    rows = images.filter(pl.col("backing_file").is_not_null()).select(
        "instance", "error", "source", "position", "path", domain="instance_name",
        backing=pl.col("backing_file").str.replace(r"^.*/", ""),
    ).collect()  # fmt: skip
    names = (
        instances.filter(pl.col("instance_name").is_not_null())
        .select(named=pl.col("instance"), domain=pl.col("instance_name"))
        .unique("domain", maintain_order=True)
        .collect()
    )
    told = rows.join(names, on="domain", how="left").with_columns(instance=pl.coalesce("instance", "named", "domain"))
    return told.filter(pl.col("instance").is_not_null()).drop("named").sort("instance", "source", "position")


def _whose(instances: pl.LazyFrame) -> pl.LazyFrame:
    """Domains that are one instance's alone: ``domain`` and ``named``."""
    known = instances.filter(pl.col("instance_name").is_not_null() & pl.col("instance").is_not_null())
    pairs = known.select(domain=pl.col("instance_name").str.to_lowercase(), named=pl.col("instance")).unique()
    return pairs.filter(pl.len().over("domain") == 1)


def failures(
    events: pl.LazyFrame, notifications: pl.LazyFrame, clocks: pl.LazyFrame, instances: pl.LazyFrame
) -> pl.DataFrame:
    """Starts that failed, and what the error says of files.

    What libvirt and qemu say names the domain, or the folder of its disk: the table tells whose that is.
    """
    kinds = ("start_failed", "missing_file", "hypervisor_error", "fault")
    lines = on_one_clock(events.filter(pl.col("event").is_in(kinds)), clocks).select(
        "at", "bound", "host", "event", "path", "base_file", "source", "position",
        instance=pl.coalesce("instance", pl.col("path").str.extract(_FOLDER)),
        domain=pl.coalesce(pl.col("instance_name"), pl.col("path").str.extract(_DOMAIN)).str.to_lowercase(),
        text=pl.coalesce("error", "message"),
    ).join(_whose(instances), on="domain", how="left").with_columns(
        instance=pl.coalesce("instance", "named", "domain")
    ).drop("named", "domain")  # fmt: skip
    told = notifications.filter(pl.col("error").is_not_null() & pl.col("instance").is_not_null())
    heard = on_one_clock(told, clocks).select(
        "at", "bound", pl.coalesce("compute_host", "host").alias("host"), event=pl.lit("notification"),
        path=pl.lit(None, pl.String), base_file=pl.lit(None, pl.String), source="source", position="position",
        instance="instance", text="error",
    )  # fmt: skip
    rows = pl.concat([lines, heard], how="diagonal_relaxed").collect(engine="streaming")
    text = pl.col("text").fill_null("")
    named = pl.coalesce("base_file", text.str.extract(r"(/[^\s'\"]*/[0-9a-f]{40}(?:_\w+)?)"))
    no_file = text.str.contains(_NO_FILE) & ~text.str.contains(_VOLUME)
    vague = (text.str.len_chars() == 0) | text.str.contains(r"(?i)^\W*(?:libvirt\.)?libvirtError\W*$")
    return rows.with_columns(
        missing=named.str.replace(r"^.*/", ""), no_file=no_file, machine=machine(),
        vague=vague & pl.col("event").is_in(["fault", "start_failed"]),
    ).sort("at", "source", "position")  # fmt: skip


def starts(events: pl.LazyFrame, notifications: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """When each instance started last: ``instance`` and ``at``."""
    ran = on_one_clock(events.filter(pl.col("event").is_in(_STARTED)), clocks).select("at", "instance")
    heard = notifications.filter(pl.col("event_type").str.contains(_STARTED_EVENTS) & pl.col("error").is_null())
    both = pl.concat([ran, on_one_clock(heard, clocks).select("at", "instance")]).drop_nulls()
    return both.group_by("instance").agg(pl.col("at").max()).collect(engine="streaming").sort("instance")


def endings(events: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """When a host deleted an instance or gave it away: ``at`` and ``machine``."""
    left = events.filter(pl.col("event").is_in(["terminating", "files_deleted", "migrating", "resized"]))
    told = on_one_clock(left, clocks).select("at", machine=machine().cast(pl.Categorical))
    return told.collect(engine="streaming")


def tabled(instances: pl.LazyFrame) -> bool:
    """Whether a database's own table of instances is there, not merely a listing of some."""
    return not instances.filter(pl.col("database").is_not_null()).select("source").head(1).collect().is_empty()


def place(row: dict[str, object]) -> Reference:
    """Where a row of these tables stands, at its own instant where it has one."""
    at = row.get("at")
    source, position = str(row["source"]), int(str(row["position"]))
    return reference(source, position, at) if isinstance(at, int) else Reference(source, f"line:{position}")
