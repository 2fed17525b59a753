"""Which base file was removed, by whom and when, and whether the folder that it lay in was everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from forensics.analysis._correlate import SECOND_NS, of_first, on_one_clock
from forensics.analysis._parts import in_parts
from forensics.analysis._silence import machine, reference, signs
from forensics.records.finding import Reference

HOUR_NS = 3600 * SECOND_NS
EXISTS = ("checking", "in_use", "not_in_use", "removable", "unknown", "too_young", "corrupt", "verified")
"""What is only said of a file that is there. ``active`` is not among them: up to Folsom that list also has the files
that disks are backed by, there or not (nova/virt/libvirt/imagecache.py, _list_backing_images)."""
RACE_NS = 60 * SECOND_NS
"""How long one pass may take from the list of files that it made to the last of them."""
WITHIN_NS = 26 * HOUR_NS
"""How far back a host's last word on a file counts: a day, and the longest usual interval of the passes."""
MOST_ROWS = 250_000
"""Rows that are held at a time; a file that alone has more is held whole."""
_BEGUN, _FAILED, _USED = ("removing",), ("remove_failed", "gone"), ("active", "in_use")
_ACTS = pl.col("action").is_in((*_BEGUN, *_FAILED))
_PLACE = ("ts", "host", "source", "position")
_COLUMNS = (*_PLACE, "base_file", "image_hash", "size_gb", "action", "local")
_UNUSED = ("ts", "own", "off", "reference")
_REPEATED = ("host", "machine", "source", "base_file", "name", "image_hash", "action")
_WHOLE = pl.col("cut").is_null() & pl.col("base_file").is_not_null()
_NAME = pl.col("base_file").str.replace(r"^.*/", "").alias("name")


@dataclass(slots=True)
class Removal:
    """One base file that one host removed, once."""

    path: str
    name: str
    image_hash: str | None
    size_gb: int | None
    at: int
    bound: int
    host: str
    machine: str
    where: Reference
    losers: list[tuple[str, Reference]] = field(default_factory=list)
    """Hosts that were about to remove it too, and found it gone."""
    checked: Reference | None = None
    """The remover's own line, moments before, that says that an instance somewhere uses the image."""
    seen_again: tuple[int, str, Reference] | None = None
    """First line afterwards that shows that it is there (again): instant, host, place."""
    shared: str | None = None
    """Why the folder is known to be everybody's; None where nothing tells."""
    sharing: tuple[Reference, ...] = ()
    inferred: bool = False
    """Whether that it is everybody's follows from what was never said, instead of a line that says it."""
    others_after: Reference | None = None
    """A line on another file of the folder, afterwards: the folder itself was there."""


@dataclass(frozen=True, slots=True)
class Cache:
    """What the image caches said: when and how often, and line by line of the files that are asked for."""

    said: pl.LazyFrame
    """All rows of `BaseFileEvent` that name a whole path, on one clock, with ``at`` and ``bound``."""
    files: pl.DataFrame
    """One row a file that somebody began to remove: ``base_file``, ``name``, ``image_hash``, ``n`` (rows), ``acts``
    (rows on removals of it), ``failed`` (how many say that one failed), ``used`` (how many say that it is in use); by
    ``base_file``."""
    passes: pl.DataFrame
    """``machine``, ``minute``, ``host``, ``at``, ``source``, ``position``: minutes in which an image cache spoke."""
    sizes: pl.DataFrame
    """``image_hash``, ``size_gb``: the resized copies that are spoken of anywhere."""
    images: dict[str, str]
    """Hash -> image, where a line says both."""
    counted: Reference | None
    """First line on a removed file by which nova counts instances of others that share this host's storage."""
    counts_others: bool
    """Whether other hosts' instances keep a file: Grizzly and later, whose lines begin with ``image ID at``."""
    lines: pl.DataFrame
    """Rows on the files that `about` was asked for: of `BaseFileEvent` what the judgement goes by, with ``at``,
    ``bound``, ``machine``, ``name``. Texts are categories."""

    def about(self, files: pl.DataFrame, *which: pl.Expr) -> Cache:
        """The same with the rows on some files as ``lines``, or those rows of them that are wanted."""
        rows = self.said.filter(*which).join(files.lazy().select("base_file"), on="base_file", how="semi")
        named = rows.with_columns(_NAME, machine=machine()).with_columns(pl.col(_REPEATED).cast(pl.Categorical))
        lines = named.collect(engine="streaming").unique()
        return replace(self, lines=lines.sort("at", "source", "position", "base_file", "action"))

    def in_parts(self, files: pl.DataFrame) -> Iterator[Cache]:
        """`about` some of the files after the other: as many at a time as memory holds the rows of."""
        return (self.about(part) for part in in_parts(files, MOST_ROWS))

    def gone(self) -> pl.DataFrame:
        """Those of ``files`` that somebody did remove."""
        doubtful = self.files.filter(pl.col("failed") > 0).with_columns(n="acts")
        parts = (self.about(part, _ACTS) for part in in_parts(doubtful, MOST_ROWS))
        done = [removed(part).filter(pl.col("failed").is_null())["base_file"].cast(pl.String) for part in parts]
        return self.files.filter((pl.col("failed") == 0) | pl.col("base_file").is_in(set().union(*done)))

    def removals_between(self, files: pl.DataFrame, since: int, until: int) -> Cache:
        """`about` some files, but only the removals between two instants."""
        return self.about(files, _ACTS, pl.col("at").is_between(since, until + RACE_NS))

    def of(self, path: str) -> pl.DataFrame:
        """Rows of ``lines`` on one file, in their order, with plain texts."""
        return self.lines.filter(pl.col("base_file") == path).with_columns(pl.col(_REPEATED).cast(pl.String))


def cache(events: pl.LazyFrame, clocks: pl.LazyFrame) -> Cache:
    """Read what the image caches said.

    Args:
        events: One row per `BaseFileEvent`.
        clocks: One row per `Clock`.
    """
    named = events.with_columns(host=pl.coalesce("host", "source"))
    said = on_one_clock(named.filter(_WHOLE).select(_COLUMNS), clocks).drop(*_UNUSED)

    def rows(*actions: str) -> pl.Expr:
        return (_WHOLE & pl.col("action").is_in(actions)).sum()

    timed = events.filter(pl.col("ts").is_not_null())
    sums = timed.group_by("base_file", "image_hash", "size_gb", "image").agg(
        n=_WHOLE.sum(), begun=rows(*_BEGUN), failed=rows(*_FAILED), used=rows(*_USED),
        remote=(pl.col("remote") > 0).sum(),
    ).collect(engine="streaming")  # fmt: skip
    each = sums.filter(pl.col("n") > 0).group_by("base_file")
    files = each.agg(pl.col("image_hash").min(), pl.col("n", "begun", "failed", "used").sum()).sort("base_file")
    files = files.with_columns(_NAME, acts=pl.col("begun") + pl.col("failed")).filter(pl.col("acts") > 0)
    copies = sums.filter(pl.col("size_gb").is_not_null()).select("image_hash", "size_gb").unique()
    known = sums.filter(pl.col("image").is_not_null(), pl.col("image_hash").is_not_null())
    looks = signs(named, clocks).rename({f"first_{name}": name for name in ("at", "source", "position")})
    modern = timed.filter(pl.col("message").str.contains(r"^image \S* ?at \(")).select("action").head(1)
    counts = named.filter(_WHOLE, pl.col("remote") > 0, pl.col("message").str.contains("sharing this instance storage"))
    others = sums.filter(pl.col("remote") > 0).select("base_file").join(files, on="base_file", how="semi")
    return Cache(
        said,
        files.filter(pl.col("begun") > 0),
        looks.select("machine", "minute", "host", "at", "source", "position"),
        copies.sort("image_hash", "size_gb"),
        dict(known.select("image_hash", "image").unique().sort("image_hash", "image").iter_rows()),
        None if others.is_empty() else _first(on_one_clock(counts.select("base_file", *_PLACE), clocks), others),
        not modern.collect(engine="streaming").is_empty(),
        pl.DataFrame(schema=dict.fromkeys(_REPEATED, pl.Categorical)),
    )


def _first(rows: pl.LazyFrame, files: pl.DataFrame) -> Reference | None:
    """Where the first of some rows stands that are on some files."""
    held = rows.join(files.lazy(), on="base_file", how="semi").group_by("source")
    each = held.agg(pl.col("at").min(), position=of_first("position")).collect(engine="streaming")
    first = each.select("source", "position", "at").sort("at", "source", "position").head(1)
    return next((reference(*row) for row in first.iter_rows()), None)


def removed(said: Cache) -> pl.DataFrame:
    """Every line by which a removal began, by time: with how it ``failed`` and where that stands, where it did.

    The line is written before the file is unlinked: a failure on the same host within a minute undoes it.
    """
    lines = said.lines.drop("local")
    began = lines.filter(pl.col("action").is_in(_BEGUN)).unique(["machine", "base_file", "at"], maintain_order=True)
    failed = lines.filter(pl.col("action").is_in(_FAILED)).select(
        "machine", "base_file", "at", failed_at=pl.col("at"), failed=pl.col("action"), failed_source=pl.col("source"),
        failed_position=pl.col("position"),
    )  # fmt: skip
    ended = began.sort("at").join_asof(
        failed.sort("at"), on="at", by=["machine", "base_file"], strategy="forward", tolerance=RACE_NS,
        check_sortedness=False,
    )  # fmt: skip
    return ended.sort("at", "source", "position")


def removals(began: pl.DataFrame) -> list[Removal]:
    """Removals that took place, in order of time.

    Of several hosts that remove one file at once, those that find it gone are `Removal.losers`.

    Args:
        began: What `removed` gives.
    """
    done = began.filter(pl.col("failed").is_null())
    lost = began.filter((pl.col("failed") == "gone") & pl.col("base_file").is_in(done["base_file"].unique().to_list()))
    found = [
        Removal(
            row["base_file"], row["name"], row["image_hash"], row["size_gb"], row["at"], row["bound"], row["host"],
            row["machine"], reference(row["source"], row["position"], row["at"]),
        )
        for row in done.iter_rows(named=True)
    ]  # fmt: skip
    late = lost.partition_by("base_file", as_dict=True)
    for one in found:
        racers = late.get((one.path,))
        if racers is not None:
            close = racers.filter((pl.col("at") - one.at).abs() <= RACE_NS + one.bound + pl.col("bound"))
            for row in close.filter(pl.col("machine") != one.machine).iter_rows(named=True):
                one.losers.append(
                    (row["host"], reference(row["failed_source"], row["failed_position"], row["failed_at"]))
                )
    return found


def look_around(one: Removal, said: Cache, registry: pl.DataFrame) -> None:
    """Add to a removal what was said of its file before and after, and who shares the folder.

    Args:
        one: The removal.
        said: What the image caches said.
        registry: Rows of `ServiceState` told by nova's file `compute_nodes`, which lies in the instances folder.
    """
    spoken = said.of(one.path)
    there = spoken.filter(pl.col("action").is_in(EXISTS))
    slack = RACE_NS + one.bound
    later = there.filter(pl.col("at") > one.at + slack + pl.col("bound"))
    for row in later.head(1).iter_rows(named=True):
        one.seen_again = (row["at"], row["host"], reference(row["source"], row["position"], row["at"]))
    before = there.filter(pl.col("at") <= one.at + one.bound)
    own = before.filter((pl.col("machine") == one.machine) & (pl.col("at") > one.at - 2 * RACE_NS))
    for row in own.filter(pl.col("action") == "checking").tail(1).iter_rows(named=True):
        one.checked = reference(row["source"], row["position"], row["at"])
    after = said.passes.filter(pl.col("at") > one.at + slack).sort("at", "machine")
    for row in after.head(1).iter_rows(named=True):
        one.others_after = reference(row["source"], row["position"], row["at"])
    _sharing(one, said, before, after, registry)


def _sharing(one: Removal, said: Cache, before: pl.DataFrame, after: pl.DataFrame, registry: pl.DataFrame) -> None:
    if one.losers:
        one.shared = f"{one.losers[0][0]} was about to remove it too, and found it gone"
        one.sharing = (one.losers[0][1],)
        return
    mine = said.of(one.path).filter((pl.col("action") == "removing") & (pl.col("at") <= one.at))
    strangers = before.filter(
        (pl.col("machine") != one.machine)
        & (pl.col("at") > one.at - WITHIN_NS)
        & ~pl.col("machine").is_in(mine["machine"].unique().to_list())
    )
    last = strangers.group_by("machine", maintain_order=True).last()
    next_ = after.group_by("machine", maintain_order=True).first().cast({"machine": pl.String})
    pairs = last.join(next_, on="machine", suffix="_next").sort("at_next", "machine")
    for row in pairs.head(1).iter_rows(named=True):
        if one.seen_again is None:
            one.shared = f"{row['host']} spoke of it before, and no more in its next pass"
            one.sharing = (
                reference(row["source"], row["position"], row["at"]),
                reference(row["source_next"], row["position_next"], row["at_next"]),
            )
            return
    known = registry.filter(pl.col("service_host").is_not_null())
    if known["machine"].n_unique() > 1:
        row = known.row(0, named=True)
        one.shared = f"{known['machine'].n_unique()} hosts are registered in its file compute_nodes"
        one.sharing = (reference(row["source"], row["position"], one.at),)
        return
    if said.counted is not None:
        one.shared = "nova counts instances of other hosts that share this storage"
        one.sharing = (said.counted,)


def strange(one: Removal, instances: pl.LazyFrame, notifications: pl.LazyFrame) -> None:
    """Infer that the folder is shared from a file that the remover itself never had a use for.

    A host with a folder of its own has only base files that it fetched for an instance of its own; nova's table keeps
    deleted instances too.

    Args:
        one: The removal; `shared` is filled in where it can be inferred.
        instances: One row per `Instance`.
        notifications: One row per `Notification`: instances may have left the host.
    """
    if one.shared is not None or one.image_hash is None:
        return
    table = instances.filter(pl.col("database").is_not_null())
    if table.filter("is_deleted").select("source").head(1).collect().is_empty():
        return  # all that was deleted may have been purged
    own = table.filter(pl.col("image_hash") == one.image_hash)
    places = own.select("instance", machine("compute_host").alias("machine"), "source", "position")
    rows = places.collect().sort("source", "position")
    if rows.is_empty() or one.machine in rows["machine"].to_list():
        return
    visited = notifications.filter(
        pl.col("instance").is_in(rows["instance"].drop_nulls().unique().to_list())
        & ((machine("compute_host") == one.machine) | (machine() == one.machine))
    )
    if visited.select("source").head(1).collect().is_empty():
        one.shared = f"no instance of that image was ever on {one.host}, so it had no reason to fetch the file itself"
        one.sharing = tuple(Reference(source, f"line:{line}") for _, _, source, line in rows.head(1).iter_rows())
        one.inferred = True
