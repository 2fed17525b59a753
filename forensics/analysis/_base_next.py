"""Whose base file goes next: hosts that are silent now, and what only their instances need."""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.analysis import _base_needs as needing
from forensics.analysis._base_losses import SEVERAL, Scene
from forensics.analysis._base_removals import HOUR_NS
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._silence import machine
from forensics.records.finding import iso

LONG_NS = 1800 * SECOND_NS
"""A host that was heard within this time is not taken to be silent."""
REGISTERED_NS = 24 * HOUR_NS
"""How long after its last pass others count a host's instances, where they do: TWENTY_FOUR_HOURS in Grizzly and later
(nova/virt/storage_users.py)."""


def following(
    scene: Scene,
    removed: set[str],
    instances: pl.LazyFrame,
    notifications: pl.LazyFrame,
    events: pl.LazyFrame,
    clocks: pl.LazyFrame,
) -> list[dict[str, Any]]:
    """Instances of hosts that are silent at the end of the evidence, whose base file no other host's instance needs.

    Args:
        scene: What is known of hosts and files.
        removed: Names of files that are gone already.
        instances: One row per `Instance`.
        notifications: One row per `Notification`.
        events: One row per `InstanceEvent`.
        clocks: One row per `Clock`.

    Returns:
        ``instance``, ``host``, ``base_file`` (name) and ``removable_at`` (ISO text: when the rules let it go), first
        that goes first.
    """
    quiet = _silent_now(scene)
    if not quiet:
        return []
    hosted = (
        instances.filter(machine("compute_host").is_in(list(quiet))).select("image", "image_hash").unique().collect()
    )
    named = notifications.filter(machine("compute_host").is_in(list(quiet))).select("image").unique().collect()
    hashes = {*hosted["image_hash"].drop_nulls(), *needing.hashed(named)["image_hash"]}
    alive = needing.lives(instances, notifications, events, clocks, sorted(hashes)).filter(pl.col("to_at").is_null())
    kept = alive.filter(~pl.col("machine").is_in(list(quiet)).fill_null(value=True))["image_hash"].unique().to_list()
    copies = set(scene.said.sizes.select("image_hash", pl.col("size_gb").cast(pl.Int64)).iter_rows())
    told = []
    for row in alive.filter(pl.col("machine").is_in(list(quiet)) & ~pl.col("image_hash").is_in(kept)).iter_rows(
        named=True
    ):
        resized = (row["image_hash"], row["root_gb"]) in copies
        name = f"{row['image_hash']}_{row['root_gb']}" if resized else row["image_hash"]
        at = quiet[row["machine"]] + scene.margins[resized] + (REGISTERED_NS if scene.said.counts_others else 0)
        if name not in removed:
            told.append(
                (at, {"instance": row["instance"], "host": row["host"], "base_file": name, "removable_at": iso(at)})
            )
    return [fact for _, fact in sorted(told, key=lambda one: (one[0], one[1]["instance"]))]


def _silent_now(scene: Scene) -> dict[str, int]:
    """Machine -> its last pass: those that are not heard at the end any more, while others are."""
    last = scene.between.filter(pl.col("to_at").is_null()).select("machine", "from_at")
    ended = {
        name: at
        for name, at in last.iter_rows()
        if scene.ends_at - at >= max(SEVERAL * scene.pauses.get(name, 0.0), LONG_NS)
    }
    passes = dict(scene.said.passes.group_by("machine").agg(pl.col("at").max()).sort("machine").iter_rows())
    registered = dict(scene.registry.group_by("machine").agg(pl.col("at").max()).sort("machine").iter_rows())
    heard = dict(last.iter_rows())
    unheard = {name: at for name, at in registered.items() if name not in heard}
    ended |= {name: at for name, at in unheard.items() if scene.ends_at - at >= 3 * HOUR_NS}
    return {name: max(passes.get(name, at), registered.get(name, 0)) or at for name, at in ended.items()}
