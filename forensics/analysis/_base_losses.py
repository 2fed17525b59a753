"""Which removals took a file that somebody still needed, and who was hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from forensics.analysis._base_needs import Needs, place
from forensics.analysis._base_removals import HOUR_NS, RACE_NS, Cache, Removal
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._silence import Silence, machine, reference, silence
from forensics.records.finding import Reference

MARGINS = {True: HOUR_NS, False: 24 * HOUR_NS}
"""Resized or not -> how long nobody has touched a file that is removed, unless configured: nova's defaults of
``remove_unused_resized_minimum_age_seconds`` and ``remove_unused_original_minimum_age_seconds``."""
SEVERAL = 2.5
"""A pause this many times as long as a host's usual one is a silence, where its image cache missed its turn too."""
SHORTEST_NS = 300 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Needer:
    """One instance that needed the file when it was removed."""

    instance: str
    host: str | None
    machine: str | None
    image: str | None
    root_gb: int | None
    where: tuple[Reference, ...]
    direct: bool
    """Whether its own disk or its own error names the file, so that nothing is inferred."""
    told_by: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A start that failed for want of the file."""

    instance: str
    at: int
    text: str
    where: Reference
    named: bool
    """Whether the error names the base file; up to qemu 1.x it names the disk alone."""
    vague: bool


@dataclass(slots=True)
class Loss:
    """A removal that took what somebody needed."""

    removal: Removal
    image: str | None
    needers: list[Needer] = field(default_factory=list)
    victims: list[Failure] = field(default_factory=list)
    at_risk: list[Needer] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    owners: list[tuple[str, Reference]] = field(default_factory=list)
    """Hosts whose own image cache said last that the file is in use, and the line."""
    saved: list[str] = field(default_factory=list)
    """Instances that needed it and have started since, or were deleted."""
    looks: list[tuple[str, Reference]] = field(default_factory=list)
    """Hosts whose instances needed it, and the last line before by which each looked after the file."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the judgement goes by."""

    said: Cache
    needs: Needs
    between: pl.DataFrame
    pauses: dict[str, float]
    """Machine -> length of its usual pause, the median."""
    registry: pl.DataFrame
    margins: dict[bool, int]
    ends_at: int
    """Last row of any host's log."""
    zones_known: bool
    """Whether each log's zone is known: else the end of one says nothing beside another."""


def perhaps_needed(files: pl.DataFrame, scene: Scene) -> pl.DataFrame:
    """Of files that were removed, those that `in_question` has to look at."""
    needs = scene.needs
    named = pl.concat([needs.disks["backing"], needs.failures["missing"]])
    return files.filter(
        pl.col("name").is_in(named.drop_nulls().unique().to_list())
        | (pl.col("used") > 0)
        | pl.col("image_hash").fill_null("").is_in(needs.lives["image_hash"].drop_nulls().unique().to_list())
    )


def in_question(happened: Sequence[Removal], scene: Scene) -> list[Removal]:
    """Removals that may have taken what somebody needed: those of which `loss` may find something.

    A cloud removes files all the time. Of most it is soon told that no disk and no error names them, that no instance
    lived on their image whose host had stopped looking at the folder, and that no other host took them to be in use.
    """
    needs, lines = scene.needs, scene.said.lines
    named = {*needs.disks["backing"].drop_nulls(), *needs.failures["missing"].drop_nulls()}
    lives: dict[str, list[tuple[str | None, int | None, int | None]]] = {}
    for image_hash, *life in needs.lives.select("image_hash", "machine", "from_at", "to_at").iter_rows():
        lives.setdefault(image_hash, []).append(tuple(life))
    used: dict[str, set[str | None]] = {}
    for path, name in lines.filter(pl.col("action").is_in(["active", "in_use"])).select("base_file", "machine").rows():
        used.setdefault(path, set()).add(name)
    looks = {name: rows["at"].to_numpy() for (name,), rows in scene.said.passes.group_by("machine")}

    def unseen(name: str | None, one: Removal) -> bool:
        if name is None or name not in looks:
            return name is None or name != one.machine
        since = one.at - scene.margins[one.size_gb is not None] + RACE_NS + one.bound
        first, last = np.searchsorted(looks[name], (since, one.at))
        return name != one.machine and bool(first >= last)

    def needed(one: Removal) -> bool:
        return any(
            (begun is None or begun <= one.at + RACE_NS) and (ended is None or ended > one.at) and unseen(name, one)
            for name, begun, ended in lives.get(one.image_hash or "", ())
        )

    return [one for one in happened if one.name in named or used.get(one.path, set()) - {one.machine} or needed(one)]


def loss(one: Removal, scene: Scene) -> Loss | None:
    """Who needed a file when it was removed, if anybody did, and who of them looked after it last."""
    found = _needed(one, scene)
    if found is not None:
        owners = {needer.machine for needer in found.needers} - {one.machine, None}
        spoken = scene.said.of(one.path).filter(
            (pl.col("at") < one.at)
            & pl.col("machine").is_in(sorted(str(name) for name in owners))
            & pl.col("action").is_in(["active", "in_use", "checking"])
        )
        last = spoken.group_by("machine", maintain_order=True).last().sort("machine")
        found.looks = [(row["host"], place(row)) for row in last.head(4).iter_rows(named=True)]
    return found


def _needed(one: Removal, scene: Scene) -> Loss | None:
    """Who needed a file when it was removed; None where nobody did, or where it is there again for all.

    By nova's rules a file goes when no host that uses it has touched it for a while. A host whose image cache passed
    within that while would have touched it: its instances do not need this file, or the folder is its own.
    """
    margin = scene.margins[one.size_gb is not None]
    found = Loss(one, scene.said.images.get(one.image_hash or ""))
    for needer in _needers(one, scene):
        if needer.direct or not _passed(needer.machine, one, margin, scene):
            found.needers.append(needer)
    if not found.needers:
        return _by_logs_alone(one, scene, margin, found)
    found.image = found.image or next((one.image for one in found.needers if one.image), None)
    found.victims = [failure for needer in found.needers for failure in _failure(needer, one, scene)]
    failed = {victim.instance for victim in found.victims}
    started = scene.needs.starts.filter(pl.col("at") > one.at + RACE_NS)["instance"].to_list()
    lives = scene.needs.lives
    ended = lives.filter((pl.col("image_hash") == one.image_hash) & pl.col("to_at").is_not_null())["instance"].to_list()
    lost = scene.needs.disks.filter((pl.col("backing") == one.name) & pl.col("error").is_not_null())
    broken = set(lost["instance"].to_list())
    safe = {*started, *ended}
    for needer in found.needers:
        if needer.instance in failed:
            continue
        if needer.instance in safe or (one.seen_again and needer.instance not in broken):
            found.saved.append(needer.instance)
        else:
            found.at_risk.append(needer)
    if not found.victims and not found.at_risk:
        return None
    _shown_by_victims(found)
    found.silences = _silences(found, scene, margin)
    return found


def _needers(one: Removal, scene: Scene) -> list[Needer]:
    """Instances that the file backs: by their disks and errors, else by image and size of the root disk."""
    lives, disks = scene.needs.lives, scene.needs.disks
    alive = lives.filter(
        (pl.col("image_hash") == one.image_hash)
        & (pl.col("from_at").is_null() | (pl.col("from_at") <= one.at + RACE_NS))
        & (pl.col("to_at").is_null() | (pl.col("to_at") > one.at))
    )
    if one.size_gb is not None:
        fits = alive.filter((pl.col("root_gb") == one.size_gb).fill_null(value=True))
    else:
        copies = scene.said.sizes.filter(pl.col("image_hash") == one.image_hash)["size_gb"].cast(pl.Int64).to_list()
        fits = alive.filter(~pl.col("root_gb").is_in(copies).fill_null(value=bool(copies)))
    backed = disks.filter(pl.col("backing").str.contains(r"^[0-9a-f]{40}"))
    on_it = backed.filter(pl.col("backing") == one.name)
    elsewhere = set(backed["instance"]) - set(on_it["instance"])
    shown = {row["instance"]: place(row) for row in on_it.iter_rows(named=True)}
    failed = scene.needs.failures.filter(
        (pl.col("missing") == one.name) & (pl.col("at") + pl.col("bound") + one.bound >= one.at)
    )
    errors: dict[str, Reference] = {}
    hosts: dict[str, dict[str, Any]] = {}
    for row in failed.filter(pl.col("instance").is_not_null()).iter_rows(named=True):
        errors.setdefault(row["instance"], place(row))
        hosts.setdefault(row["instance"], row)
    homes = {row["instance"]: row for row in lives.iter_rows(named=True)}
    dead = {row["instance"] for row in lives.filter(pl.col("to_at") <= one.at).iter_rows(named=True)}
    cited = {name: [ref for ref in (shown.get(name), errors.get(name)) if ref] for name in {*shown, *errors}}
    told: dict[str, Needer] = {}
    for row in fits.filter(~pl.col("instance").is_in(list(elsewhere))).iter_rows(named=True):
        name, proofs = row["instance"], (place(row), *cited.get(row["instance"], ()))
        direct = name in cited
        told[name] = Needer(
            name, row["host"], row["machine"], row["image"], row["root_gb"], proofs, direct, row["told_by"]
        )  # fmt: skip
    for name in sorted(set(cited) - set(told) - dead):
        home = hosts.get(name) or homes.get(name, {})
        told[name] = Needer(
            name, home.get("host"), home.get("machine"), home.get("image"), home.get("root_gb"), tuple(cited[name]),
            direct=True, told_by="DiskImage" if name in shown else "InstanceEvent",
        )  # fmt: skip
    return [told[name] for name in sorted(told)]


def _passed(name: str | None, one: Removal, margin: int, scene: Scene) -> bool:
    """Whether a host's own image cache looked at the folder so late that the file could not be old enough."""
    if name is None:
        return False
    if name == one.machine:
        return True
    late = pl.col("at").is_between(one.at - margin + RACE_NS + one.bound, one.at - 1)
    return scene.said.passes.filter((pl.col("machine") == name) & late).height > 0


def _failure(needer: Needer, one: Removal, scene: Scene) -> list[Failure]:
    """The first start of an instance that failed for want of the file, if there is one."""
    own = scene.needs.failures.filter(
        (pl.col("instance") == needer.instance) & (pl.col("at") + pl.col("bound") + one.bound >= one.at)
    )
    if one.seen_again:
        own = own.filter((pl.col("at") < one.seen_again[0]) | (pl.col("missing") == one.name))
    named = own.filter(pl.col("missing") == one.name)
    disk = own.filter(pl.col("no_file") & pl.col("missing").is_null())
    for rows, says in ((named, True), (disk, False)):
        for row in rows.head(1).iter_rows(named=True):
            return [Failure(needer.instance, row["at"], row["text"] or "", place(row), says, vague=False)]
    clear = own.filter(~pl.col("vague") & pl.col("text").is_not_null())
    for row in own.filter(pl.col("vague")).head(1).iter_rows(named=True):
        if clear.is_empty():
            return [Failure(needer.instance, row["at"], row["text"] or "", place(row), named=False, vague=True)]
    return []


def _shown_by_victims(found: Loss) -> None:
    """A start on one host that fails for want of what another removed shows that they share the folder."""
    one = found.removal
    homes = {needer.instance: needer for needer in found.needers}
    if one.shared is None:
        for victim in found.victims:
            home = homes[victim.instance]
            if victim.named and home.machine not in (None, one.machine):
                one.shared = f"{home.host} missed it after {one.host} had removed it"
                one.sharing = (victim.where,)
                return


def _silences(found: Loss, scene: Scene, margin: int) -> list[Silence]:
    """The silences that cover the removal, of the hosts whose instances needed the file."""
    one = found.removal
    names = {needer.machine: needer.host for needer in found.needers if needer.machine}
    told = []
    for name in sorted(set(names) - {one.machine}):
        if _passed(name, one, margin, scene):
            continue
        around = silence(scene.between, name, one.at)
        if around is None:
            seen = scene.registry.filter((pl.col("machine") == name) & (pl.col("at") <= one.at)).sort("at").tail(1)
            for row in seen.iter_rows(named=True):
                where = reference(row["source"], row["position"], row["at"])
                told.append(Silence(str(names[name]), row["at"], None, where, None))
            continue
        if _long(around, name, scene):
            told.append(around)
    if not names:  # disks tell who needs it, and no evidence on which host they run
        told = [quiet for _, quiet in _owners(one, scene, margin)]
    return told


def _by_logs_alone(one: Removal, scene: Scene, margin: int, found: Loss) -> Loss | None:
    """No instance is known: the owner is a host that took the file to be in use until it fell silent.

    What fails to start there afterwards for want of a file is its victim.
    """
    if one.seen_again or scene.needs.tabled or not scene.needs.lives.filter(
        pl.col("image_hash") == one.image_hash
    ).is_empty():  # fmt: skip
        return None
    for where, quiet in _owners(one, scene, margin):
        found.owners.append((quiet.host, where))
        found.silences.append(quiet)
    quiet_ones = pl.DataFrame({"host": [silence.host for silence in found.silences]}, schema={"host": pl.String})
    machines = dict(quiet_ones.select(machine().alias("machine"), "host").iter_rows())
    hit = scene.needs.failures.filter(
        pl.col("instance").is_not_null(),
        pl.col("machine").is_in(sorted(machines)),
        pl.col("at") + pl.col("bound") + one.bound >= one.at,
        (pl.col("missing") == one.name) | (pl.col("no_file") & pl.col("missing").is_null()),
    )
    for row in hit.unique("instance", keep="first", maintain_order=True).iter_rows(named=True):
        where, named = place(row), row["missing"] == one.name
        home, why = machines[row["machine"]], row["text"] or ""
        needer = Needer(
            row["instance"], home, row["machine"], found.image, None, (where,), named, "InstanceEvent"
        )  # fmt: skip
        found.needers.append(needer)
        found.victims.append(Failure(row["instance"], row["at"], why, where, named, vague=False))
    return found if found.owners else None


def _owners(one: Removal, scene: Scene, margin: int) -> list[tuple[Reference, Silence]]:
    """Hosts whose last pass before a silence took the file to be in use, by their own lines.

    A host that deleted an instance after that pass may have stopped needing the file, and is no owner.
    """
    told = []
    spoken = scene.said.of(one.path).filter((pl.col("at") <= one.at) & (pl.col("machine") != one.machine))
    for (name,), rows in spoken.partition_by("machine", as_dict=True, maintain_order=True).items():
        last = rows.filter(pl.col("at") > rows["at"].max() - RACE_NS)  # type: ignore[operator]
        spare = last.filter(pl.col("action").is_in(["removable", "not_in_use", "too_young", "unknown", "removing"]))
        used = last.filter((pl.col("action") == "active") | ((pl.col("action") == "in_use") & (pl.col("local") > 0)))
        counted = last.filter((pl.col("action") == "in_use") & (pl.col("local") == 0))
        if used.is_empty() or not spare.is_empty() or not counted.is_empty():
            continue
        around = silence(scene.between, str(name), one.at)
        row = used.row(-1, named=True)
        if around is None or not _long(around, str(name), scene) or _passed(str(name), one, margin, scene):
            continue
        if around.to_at is None and not scene.zones_known:
            continue
        if scene.needs.ended.filter((pl.col("machine") == name) & pl.col("at").is_between(row["at"], one.at)).height:
            continue
        told.append((place(row), around))
    return told


def _long(around: Silence, name: str, scene: Scene) -> bool:
    """Whether a pause is a silence: much longer than the host's usual ones."""
    length = (around.to_at if around.to_at is not None else scene.ends_at) - around.from_at
    return length >= max(SEVERAL * scene.pauses.get(name, 0.0), SHORTEST_NS)
