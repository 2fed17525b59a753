"""Which node removed a base file that an instance still needed, who was hit, and who will be next?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from forensics.analysis import _base_needs as needing
from forensics.analysis._base_losses import MARGINS, Loss, Scene, in_question, loss, perhaps_needed
from forensics.analysis._base_next import following
from forensics.analysis._base_removals import Cache, cache, look_around, removals, removed, strange
from forensics.analysis._base_story import KIND, finding, removal_of
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._silence import (
    UNSURE_ZONES,
    gaps,
    machine,
    of_compute,
    signs,
    stretches,
    usual,
    with_notifications,
)
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
_MARK = {"host": pl.String, "at": pl.Int64} | dict.fromkeys(("what", "text", "source", "locator"), pl.String)
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
    done = given.said.gone()
    if done.is_empty() or _without_backing(given.frames[ConfigOption]):
        return []
    scene = _scene(given, done["image_hash"])
    images = given.frames[Image].select("image", "is_deleted", "status", "source", "position").collect()
    commands = given.frames[ShellCommand].filter(pl.col("command").str.contains(r"\b(?:rm|unlink|find|rsync)\b"))
    typed = commands.select("command", "source", "position").collect()
    losses = []
    for said in given.said.in_parts(perhaps_needed(done, scene)):
        part = replace(scene, said=said)
        for one in in_question(removals(removed(said)), part):
            look_around(one, said, scene.registry)
            strange(one, given.frames[Instance], given.frames[Notification])
            losses.append(loss(one, part))
    lost = [one for one in losses if one is not None]
    table, heard, events = (given.frames[record] for record in (Instance, Notification, InstanceEvent))
    coming = following(scene, set(done["name"]), table, heard, events, given.clocks) if lost else []
    return sorted((finding(one, scene, images, typed, coming) for one in lost), key=Finding.order)


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


def _scene(given: _Inputs, hashes: pl.Series) -> Scene:
    rows, clocks = given.frames, given.clocks
    wanted = sorted(one for one in hashes.drop_nulls().unique() if one)
    needs = needing.Needs(
        needing.lives(rows[Instance], rows[Notification], rows[InstanceEvent], clocks, wanted),
        needing.disks(rows[DiskImage], rows[Instance]),
        needing.failures(rows[InstanceEvent], rows[Notification], clocks, rows[Instance]),
        needing.starts(rows[InstanceEvent], rows[Notification], clocks),
        needing.endings(rows[InstanceEvent], clocks),
        needing.tabled(rows[Instance]),
    )
    said = _signs_of_compute(given)
    between = gaps(said)
    pauses = {row["machine"]: float(row["median"] or 0) for row in usual(between).iter_rows(named=True)}
    registered = rows[ServiceState].filter(pl.col("told_by") == "compute_nodes")
    at = pl.coalesce("seen_at", "ts").to_physical().cast(pl.Int64)
    registry = registered.with_columns(at=at, machine=machine("service_host")).collect().sort("service_host", "source")
    ends_at = max(said["last_at"].to_list(), default=0)
    guessed = rows[LogRecord].filter(pl.col("zone_basis").is_in(UNSURE_ZONES)).select("source").head(1)
    margins = _margins(rows[ConfigOption])
    return Scene(
        given.said, needs, between, pauses, registry, margins, ends_at, guessed.collect(engine="streaming").is_empty()
    )


def _signs_of_compute(given: _Inputs) -> pl.DataFrame:
    """Signs of life of nova-compute on each host: its log, and the notifications that it sent."""
    heard = given.frames[Notification].filter(pl.col("publisher_id").str.contains(r"^(?:nova-)?compute[.:]"))
    spoke = with_notifications(given.frames[LogRecord].filter(of_compute()), heard)
    looked = given.frames[BaseFileEvent].select("ts", "host", "source", "position")
    return signs(pl.concat([spoke, looked]), given.clocks)


def chart_frames(finding: Finding, *frames: pl.LazyFrame | None) -> dict[str, Any] | None:
    """What `forensics.charts.host_lanes.host_lanes` needs to draw a finding.

    Args:
        finding: A `base-file-removed-in-use`.
        frames: As for `findings`.

    Returns:
        ``finding``, ``lanes``, ``silences`` and ``marks``, as that function has them; None where the removal is gone.
    """
    given = _inputs(frames)
    done = given.said.gone()
    said = given.said.about(done.filter(pl.col("base_file") == finding.facts["base_file"]))
    one = removal_of(finding.facts, removals(removed(said)))
    if one is None:
        return None
    scene = replace(_scene(given, done["image_hash"]), said=said)
    look_around(one, said, scene.registry)
    strange(one, given.frames[Instance], given.frames[Notification])
    lost = loss(one, scene)
    if lost is None:
        return None
    spans = [(silence.host, silence.from_at, silence.to_at) for silence in lost.silences]
    moments = [one.at, *(start for _, start, _ in spans), *(end for _, _, end in spans if end)]
    moments += [victim.at for victim in lost.victims]
    margin = max((max(moments) - min(moments)) * 2 // 5, 1800 * SECOND_NS)
    since, until = min(moments) - margin, max(moments) + margin
    marks = _marks(lost, done, said, since, until)
    times = {"from_at": pl.Datetime("ns", "UTC"), "to_at": pl.Datetime("ns", "UTC")}
    rows = pl.DataFrame(spans, schema={"host": pl.String, "from_at": pl.Int64, "to_at": pl.Int64}, orient="row")
    return {
        "finding": finding,
        "lanes": stretches(_signs_of_compute(given), since, until),
        "silences": rows.cast(times),  # type: ignore[arg-type]
        "marks": marks.sort("at", "host", "text"),
    }


def _marks(lost: Loss, done: pl.DataFrame, said: Cache, since: int, until: int) -> pl.DataFrame:
    """What a chart marks: removals, starts that failed, who runs on, and each look of an image cache."""
    one = lost.removal
    rows = [(one.host, one.at, "removed in use", one.name, one.where.source, one.where.locator)]
    homes = {needer.instance: needer.host or one.host for needer in lost.needers}
    for victim in lost.victims:
        where = victim.where
        rows.append((homes[victim.instance], victim.at, "did not start", victim.instance, where.source, where.locator))
    for needer in lost.at_risk:
        where = needer.where[0]
        host = needer.host or one.host
        rows.append((host, one.at, "runs without it", needer.instance, where.source, where.locator))
    told = pl.DataFrame(rows, schema=_MARK, orient="row")
    others = removed(said.removals_between(done.filter(pl.col("base_file") != one.path), since, until))
    place = {"source": pl.col("source").cast(pl.String), "locator": pl.format("line:{}", "position")}
    marks = [
        rows.select(host=pl.col("host").cast(pl.String), at="at", what=pl.lit(what), text=text, **place)
        for rows, what, text in (
            (others.filter(pl.col("failed").is_null()), "removed, not needed", pl.col("name").cast(pl.String)),
            (said.passes, "image cache looks", pl.lit("")),
        )
    ]
    marked = pl.concat([told, *marks]).filter(pl.col("at").is_between(since, until))
    return marked.with_columns(pl.col("at").cast(pl.Datetime("ns", "UTC")))


CHARTS = {"host_lanes": chart_frames}
