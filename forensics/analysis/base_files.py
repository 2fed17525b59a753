"""Which node removed a base file that an instance still needed, who was hit, and who will be next?"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from forensics.analysis import _base_needs as needing
from forensics.analysis._base_losses import MARGINS, Scene, loss
from forensics.analysis._base_removals import Cache, Removal, cache, look_around, removals
from forensics.analysis._base_story import KIND, finding
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._silence import gaps, machine, of_compute, signs, usual
from forensics.records import (
    BaseFileEvent,
    Clock,
    ConfigOption,
    DiskImage,
    Finding,
    Image,
    Instance,
    InstanceEvent,
    LogRecord,
    Notification,
    Record,
    ServiceState,
    ShellCommand,
)

NEEDS = (BaseFileEvent,)
USES = (
    LogRecord, Instance, Notification, InstanceEvent, DiskImage, ServiceState, Image, ConfigOption, ShellCommand, Clock
)  # fmt: skip
KINDS = {KIND: ("the logs of nova-compute at level INFO (nova.virt.libvirt.imagecache)",)}

_AGES = {
    "remove_unused_resized_minimum_age_seconds": True,
    "remove_unused_original_minimum_age_seconds": False,
}
_NO_BACKING = ("raw", "flat", "lvm", "rbd", "ploop")


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The records, by what they are asked for."""

    said: Cache
    frames: dict[type[Record], pl.LazyFrame]
    clocks: pl.LazyFrame


def findings(*frames: pl.LazyFrame | None) -> list[Finding]:
    """Find every base file that was removed while an instance needed it.

    A removal that nobody needed is what the image cache is for: only those count that took the backing file of a
    living instance, by its disk, its error, or its image and the size of its root disk.

    Args:
        frames: Rows of `BaseFileEvent`, then of the records in ``USES``, in that order; those at the end may lack.

    Returns:
        One `base-file-removed-in-use` per file and removal, most severe first.

    Examples:
        >>> findings(BaseFileEvent.empty().lazy())
        []
    """
    given = _inputs(frames)
    happened = removals(given.said)
    if not happened or _without_backing(given.frames[ConfigOption]):
        return []
    scene = _scene(given, happened)
    images = given.frames[Image].select("image", "is_deleted", "status", "source", "position").collect()
    commands = given.frames[ShellCommand].filter(pl.col("command").str.contains(r"\b(?:rm|unlink|find|rsync)\b"))
    typed = commands.select("command", "source", "position").collect()
    told = []
    for one in happened:
        look_around(one, given.said, scene.registry)
        lost = loss(one, scene)
        if lost is not None:
            told.append(finding(lost, scene, images, typed, []))
    return sorted(told, key=Finding.order)


def _inputs(frames: tuple[pl.LazyFrame | None, ...]) -> _Inputs:
    wanted = (*NEEDS, *USES)
    padded = (*frames, *(None,) * (len(wanted) - len(frames)))
    rows = {
        record: (frame if frame is not None else record.empty()).lazy()
        for record, frame in zip(wanted, padded, strict=True)
    }
    return _Inputs(cache(rows[BaseFileEvent], rows[Clock]), rows, rows[Clock])


def _without_backing(options: pl.LazyFrame) -> bool:
    """Whether nova is told to make disks that need no base file: then its removal harms nobody.

    References:
        nova/virt/libvirt/imagebackend.py: use_cow_images, libvirt_images_type, [libvirt]images_type.
    """
    said = options.filter(~pl.col("is_commented").fill_null(value=False)).select("key", "value").collect()
    kinds = said.filter(pl.col("key").is_in(["images_type", "libvirt_images_type"]))["value"].to_list()
    cow = said.filter(pl.col("key") == "use_cow_images")["value"].to_list()
    if any(kind and kind.lower() != "default" for kind in kinds):
        return all(kind.lower() in _NO_BACKING for kind in kinds if kind)
    return bool(cow) and all(str(value).lower() in ("false", "0", "no") for value in cow)


def _margins(options: pl.LazyFrame) -> dict[bool, int]:
    """How old a file must be to go: as configured, else nova's defaults."""
    said = options.filter(pl.col("key").is_in(list(_AGES)) & ~pl.col("is_commented").fill_null(value=False))
    told = said.select("key", age=pl.col("value").cast(pl.Int64, strict=False)).drop_nulls().collect()
    ages = told.group_by("key").agg(pl.col("age").max()).sort("key")
    return MARGINS | {_AGES[key]: age * SECOND_NS for key, age in ages.iter_rows()}


def _scene(given: _Inputs, happened: list[Removal]) -> Scene:
    rows, clocks = given.frames, given.clocks
    wanted = sorted({one.image_hash for one in happened if one.image_hash})
    needs = needing.Needs(
        needing.lives(rows[Instance], rows[Notification], rows[InstanceEvent], clocks, wanted),
        needing.disks(rows[DiskImage], rows[Instance]),
        needing.failures(rows[InstanceEvent], rows[Notification], clocks),
        needing.starts(rows[InstanceEvent], rows[Notification], clocks),
        needing.endings(rows[InstanceEvent], clocks),
    )
    said = _signs_of_compute(given)
    between = gaps(said)
    pauses = {row["machine"]: float(row["median"] or 0) for row in usual(between).iter_rows(named=True)}
    registered = rows[ServiceState].filter(pl.col("told_by") == "compute_nodes")
    at = pl.coalesce("seen_at", "ts").to_physical().cast(pl.Int64)
    registry = registered.with_columns(at=at, machine=machine("service_host")).collect().sort("service_host", "source")
    ends_at = max(said["last_at"].to_list(), default=0)
    return Scene(given.said, needs, between, pauses, registry, _margins(rows[ConfigOption]), ends_at)


def _signs_of_compute(given: _Inputs) -> pl.DataFrame:
    """Signs of life of nova-compute on each host: its log, and the notifications that it sent."""
    columns = ("ts", "host", "source", "position")
    spoke = given.frames[LogRecord].filter(of_compute()).select(columns)
    heard = given.frames[Notification].filter(pl.col("publisher_id").str.contains(r"^(?:nova-)?compute[.:]"))
    looked = given.frames[BaseFileEvent].select(columns)
    return signs(pl.concat([spoke, heard.select(columns), looked]), given.clocks)


def removed(*frames: pl.LazyFrame | None) -> pl.DataFrame:
    """Every base file that was removed, in use or not: ``at``, ``host``, ``base_file``, ``source``, ``position``.

    Args:
        frames: As for `findings`.
    """
    happened = removals(_inputs(frames).said)
    return pl.DataFrame(
        {
            "at": pl.Series([one.at for one in happened], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")),
            "host": pl.Series([one.host for one in happened], dtype=pl.String),
            "base_file": pl.Series([one.path for one in happened], dtype=pl.String),
            "source": pl.Series([one.where.source for one in happened], dtype=pl.String),
        }
    )
