"""Which base file was removed, by whom and when, and whether the folder that it lay in was everybody's."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._silence import MINUTE_NS, machine, reference
from forensics.records.finding import Reference

HOUR_NS = 3600 * SECOND_NS
EXISTS = ("checking", "in_use", "not_in_use", "removable", "unknown", "too_young", "corrupt", "verified")
"""What is only said of a file that is there. ``active`` is not among them: up to Folsom that list also has the files
that disks are backed by, there or not (nova/virt/libvirt/imagecache.py, _list_backing_images)."""
RACE_NS = 60 * SECOND_NS
"""How long one pass may take from the list of files that it made to the last of them."""
WITHIN_NS = 26 * HOUR_NS
"""How far back a host's last word on a file counts: a day, and the longest usual interval of the passes."""
_COLUMNS = (
    *("ts", "host", "source", "position", "base_file", "image_hash", "size_gb", "action"),
    *("image", "local", "remote", "cut", "message"),
)
_UNUSED = ("ts", "own", "off", "reference")
_REPEATED = ("host", "machine", "source", "base_file", "name", "image_hash", "image", "action")


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
    """What the image caches said: of removed files line by line, of all others only when and how often."""

    lines: pl.DataFrame
    """Rows on removed files: of `BaseFileEvent` all but the text, with ``at``, ``bound``, ``machine``, ``name``, and
    ``counts_shared``: whether it counts who shares this host's storage. Texts are categories."""
    passes: pl.DataFrame
    """``machine``, ``minute``, ``host``, ``at``, ``source``, ``position``: minutes in which an image cache spoke."""
    sizes: pl.DataFrame
    """``image_hash``, ``size_gb``: the resized copies that are spoken of anywhere."""
    images: dict[str, str]
    """Hash -> image, where a line says both."""
    counts_others: bool = False
    """Whether other hosts' instances keep a file: Grizzly and later, whose lines begin with ``image ID at``."""

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
    said = on_one_clock(named.select(_COLUMNS), clocks).with_columns(machine=machine()).drop(*_UNUSED)
    gone = pl.col("action").is_in(["removing", "remove_failed", "gone"])
    whole = pl.col("cut").is_null() & pl.col("base_file").is_not_null()
    files = said.filter(gone & whole).select("base_file").unique()
    storage = pl.col("message").str.contains("sharing this instance storage").alias("counts_shared")
    name = pl.col("base_file").str.replace(r"^.*/", "").alias("name")
    lines = (
        said.filter(whole).join(files, on="base_file", how="semi").with_columns(storage, name).drop("message", "cut")
    )
    lines = lines.with_columns(pl.col(_REPEATED).cast(pl.Categorical))
    minute = (pl.col("at") // MINUTE_NS).alias("minute")
    first = pl.col("at") == pl.col("at").min()
    passes = said.group_by("machine", minute).agg(
        pl.col("host").min(),
        pl.col("at").min(),
        source=pl.col("source").filter(first).min(),
        position=pl.col("position").filter(first).min(),
    )
    sizes = said.filter(pl.col("size_gb").is_not_null()).select("image_hash", "size_gb").unique()
    both = said.filter(pl.col("image").is_not_null() & pl.col("image_hash").is_not_null())
    images = both.select("image_hash", "image").unique()
    later = said.filter(pl.col("message").str.contains(r"^image \S* ?at \(")).select("action").head(1)
    rows, moments, copies, known, modern = pl.collect_all([lines, passes, sizes, images, later], engine="streaming")
    rows = rows.unique()
    rows = rows.sort("at", "source", "position", "base_file", "action")
    return Cache(
        rows,
        moments.sort("machine", "minute"),
        copies.sort("image_hash", "size_gb"),
        dict(known.sort("image_hash", "image").iter_rows()),
        not modern.is_empty(),
    )


def removed(said: Cache) -> pl.DataFrame:
    """Every line by which a removal began, by time: with how it ``failed`` and where that stands, where it did.

    The line is written before the file is unlinked: a failure on the same host within a minute undoes it.
    """
    lines = said.lines.drop("image", "local", "remote", "counts_shared")
    began = lines.filter(pl.col("action") == "removing").unique(["machine", "base_file", "at"], maintain_order=True)
    failed = lines.filter(pl.col("action").is_in(["remove_failed", "gone"])).select(
        "machine", "base_file", "at", failed_at=pl.col("at"), failed=pl.col("action"), failed_source=pl.col("source"),
        failed_position=pl.col("position"),
    )  # fmt: skip
    ended = began.sort("at").join_asof(
        failed.sort("at"), on="at", by=["machine", "base_file"], strategy="forward", tolerance=RACE_NS,
        check_sortedness=False,
    )  # fmt: skip
    return ended.sort("at", "source", "position")


def removals(began: pl.DataFrame, wanted: pl.Expr | None = None) -> list[Removal]:
    """Removals that took place, in order of time.

    Of several hosts that remove one file at once, those that find it gone are `Removal.losers`.

    Args:
        began: What `removed` gives.
        wanted: Which of them; all where None.
    """
    done = began.filter(pl.col("failed").is_null(), *([] if wanted is None else [wanted]))
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
    next_ = after.group_by("machine", maintain_order=True).first()
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
    counted = said.lines.filter((pl.col("remote") > 0) & pl.col("counts_shared"))
    for row in counted.head(1).iter_rows(named=True):
        one.shared = "nova counts instances of other hosts that share this storage"
        one.sharing = (reference(row["source"], row["position"], row["at"]),)


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
