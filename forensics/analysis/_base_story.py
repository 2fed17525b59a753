"""Findings about removed base files: story, alternatives, remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from forensics.analysis._base_losses import Loss, Scene
from forensics.analysis._base_needs import place
from forensics.analysis._base_removals import Removal
from forensics.analysis._correlate import UNKNOWN_BOUND_NS, order
from forensics.records.finding import Alternative, Finding, Reference, Step, identity, iso

KIND = "base-file-removed-in-use"


def amount(count: int, noun: str) -> str:
    """A count with its noun.

    Examples:
        >>> amount(1, "instance"), amount(2, "instance")
        ('1 instance', '2 instances')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence, the first few of many.

    Examples:
        >>> listed(["a"]), listed(["a", "b", "c"]), listed(list("abcdef"))
        ('a', 'a, b and c', 'a, b, c, d and 2 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def span(nanoseconds: float) -> str:
    """A span as people say it.

    Examples:
        >>> span(3600e9), span(86400e9), span(1620e9)
        ('1 h', '24 h', '27 min')
    """
    minutes = nanoseconds / 60e9
    return f"{minutes:.0f} min" if minutes < 59.5 else f"{minutes / 60:.3g} h"


def finding(
    loss: Loss, scene: Scene, images: pl.DataFrame, commands: pl.DataFrame, following: list[dict[str, Any]]
) -> Finding:
    """Write the finding of one removal.

    Args:
        loss: What was removed, and who needed it.
        scene: What the judgement went by.
        images: Rows of `Image`.
        commands: Rows of `ShellCommand` that remove something.
        following: Instances that come next, as facts have them.
    """
    one = loss.removal
    inferred = _inferred(loss)
    confidence = ("proven", "likely", "possible")[min(len(inferred), 2)]
    victims, at_risk = sorted(v.instance for v in loss.victims), sorted(n.instance for n in loss.at_risk)
    silent = [silence.host for silence in loss.silences]
    homes = {needer.host for needer in loss.needers if needer.host} | {host for host, _ in loss.owners}
    entities = {
        "hosts": tuple(sorted({one.host, *silent, *homes})),
        "instances": tuple(sorted({*victims, *at_risk})),
        "images": (loss.image,) if loss.image else (),
    }
    named = identity(KIND, {**entities, "base_file": (one.path,), "removed_at": (iso(one.at) or "",)})
    return Finding(
        kind=KIND,
        title=_title(loss, victims, at_risk),
        severity=_severity(loss),
        confidence=confidence,
        start=iso(one.at),
        end=None,
        entities=entities,
        facts={
            "base_file": one.path,
            "image": loss.image,
            "removed_at": iso(one.at),
            "removed_by": [one.host],
            "owners_down": [silence.as_fact() for silence in loss.silences],
            "victims": victims,
            "at_risk": at_risk,
            "next": [dict(one) for one in following],
        },
        story=_story(loss, scene),
        evidence=_evidence(loss),
        alternatives=_alternatives(loss, images, commands),
        remedy=_remedy(loss, images, following),
        next_evidence=tuple(text for _, text in inferred),
        id=named,
    )


def _severity(loss: Loss) -> str:
    """Harm that cannot be seen, because nothing tells that the folder is shared, is none yet."""
    if loss.removal.shared is None and not any(victim.named for victim in loss.victims):
        return "info"
    return "high" if loss.victims else "medium"


def _title(loss: Loss, victims: list[str], at_risk: list[str]) -> str:
    one = loss.removal
    hit = [f"{amount(len(victims), 'instance')} did not start"] if victims else []
    hit += [f"{amount(len(at_risk), 'instance')} will not start again"] if at_risk else []
    whose = listed(sorted({silence.host for silence in loss.silences} | {host for host, _ in loss.owners}))
    several = len({silence.host for silence in loss.silences}) > 1
    while_ = f" while {whose} {'were' if several else 'was'} silent" if loss.silences else ""
    return f"{one.host} removed base file {one.name}, which was in use{while_}" + (
        f": {', '.join(hit)}" if hit else ": instances there will not find their disk"
    )


def _inferred(loss: Loss) -> list[tuple[str, str]]:
    """Links of the chain that no line shows, and what would show them."""
    one, missing = loss.removal, []
    if one.shared is None or one.inferred:
        text = "`df /var/lib/nova/instances` on both hosts: whether they share the folder"
        missing.append(("the folder is shared", text))
    if loss.owners:
        text = "nova's `instances` table, or notifications: which instances ran from the image"
        missing += [("an instance needed it", text), ("it was that image", f"`ls -l` of the folder of {one.name}")]
    elif not any(n.direct for n in loss.needers) and all(n.root_gb is None for n in loss.needers):
        missing.append(
            ("its size is that of the flavor", "`qemu-img info` of the instances' disks: their backing file")
        )
    if not loss.silences and not any(needer.direct for needer in loss.needers):
        hosts = listed(sorted({needer.host for needer in loss.needers if needer.host})) or "the instances' hosts"
        missing.append(("its host was silent", f"nova-compute's log of {hosts} from the day of the removal"))
    if loss.victims and all(victim.vague for victim in loss.victims) and not loss.at_risk:
        missing.append(("they failed for want of it", "libvirt's log of the instances: /var/log/libvirt/qemu/NAME.log"))
    return missing


def _story(loss: Loss, scene: Scene) -> tuple[Step, ...]:
    one = loss.removal
    steps: list[tuple[Reference, str | tuple[str, tuple[Reference, ...]]]] = []
    margin = scene.margins[one.size_gb is not None]
    steps += [(where, f"{host} takes the file to be in use, for the last time.") for host, where in loss.owners]
    steps += [(where, f"{host} looks after the file for the last time.") for host, where in loss.looks]
    for silence in loss.silences:
        sure = order(silence.from_at, UNKNOWN_BOUND_NS, one.at, one.bound)
        doubt = "" if sure == "certain" else f" (its order with the removal is {sure})"
        steps.append((silence.last, f"The last sign of life of {silence.host}{doubt}."))
        if silence.first:
            steps.append((silence.first, f"{silence.host} is back after {span(silence.to_at - silence.from_at)}."))  # type: ignore[operator]
    what = f"the copy that was resized to {one.size_gb} GiB of" if one.size_gb is not None else "the base file of"
    image = f"image {loss.image}" if loss.image else "an image"
    text = f"{one.host} removes {what} {image}: nobody has touched it for {span(margin)}."
    if one.checked:
        steps.append((one.checked, "The same pass has seen in the database that an instance uses the image."))
    steps.append((one.where, text))
    steps += [(where, f"{host} wanted to remove it too, and found it gone.") for host, where in one.losers[:4]]
    if loss.at_risk:
        names = listed([needer.instance for needer in loss.at_risk])
        text = f"From here on {names} run on a file that has no name any more: as long as their qemu lives."
        refs = tuple(dict.fromkeys(ref for needer in loss.at_risk for ref in needer.where))[:6]
        steps.append((Reference(one.where.source, one.where.locator, one.where.at), (text, refs)))
    for victim in loss.victims:
        why = re.sub(r"\s+", " ", victim.text)[:160]
        steps.append((victim.where, f"{victim.instance} does not start{': ' + why if why else ''}."))
    if one.seen_again:
        _, host, where = one.seen_again
        steps.append((where, f"{host} speaks of the file again: it has been fetched anew."))
    told = [
        Step(ref.at, text[0], text[1]) if isinstance(text, tuple) else Step(ref.at, text, (ref,)) for ref, text in steps
    ]
    return tuple(sorted(told, key=lambda step: step.when))


def _evidence(loss: Loss) -> tuple[Reference, ...]:
    one = loss.removal
    refs = [one.where, *([one.checked] if one.checked else []), *one.sharing]
    refs += [ref for needer in loss.needers for ref in needer.where]
    refs += [ref for silence in loss.silences for ref in silence.references()]
    refs += [where for _, where in loss.owners] + [victim.where for victim in loss.victims]
    return tuple(dict.fromkeys(refs))


def _in_glance(images: pl.DataFrame, image: str | None) -> dict[str, Any] | None:
    rows = images.filter(pl.col("image") == image) if image else images.head(0)
    return rows.row(0, named=True) if rows.height else None


def _alternatives(loss: Loss, images: pl.DataFrame, commands: pl.DataFrame) -> tuple[Alternative, ...]:
    one = loss.removal
    glance = _in_glance(images, loss.image)
    needed = tuple(ref for needer in loss.needers[:3] for ref in needer.where[:1]) or tuple(r for _, r in loss.owners)
    fate = ""
    if glance:
        gone = glance["is_deleted"] or glance["status"] == "deleted"
        fate = " It is deleted there, so it cannot be fetched again." if gone else " It is still there."
    typed = [row for row in commands.iter_rows(named=True) if one.name in row["command"] or "_base" in row["command"]]
    cited = tuple(place(row) for row in typed[:3])
    told = [
        Alternative(
            "its user deleted the image in glance", "ruled out",
            f"nova's image cache goes by instances, not by glance; its own line says that it removed the file.{fate}",
            (one.where, *([place(glance)] if glance else [])),
        ),
        Alternative(
            "somebody removed it by hand", "open" if typed else "ruled out",
            "a command that could have is in the evidence" if typed else "nova-compute says itself that it removed it",
            cited or (one.where,),
        ),
        Alternative(
            "nothing needed it any more", "ruled out" if loss.needers and not loss.owners else "open",
            "instances that are backed by it were alive" if loss.needers and not loss.owners
            else "no database tells which instances ran from the image", needed,
        ),
    ]  # fmt: skip
    if one.others_after:
        told.append(Alternative("the storage was lost", "ruled out", "the image caches go on to look at other files of "
                                "the folder", (one.others_after,)))  # fmt: skip
    else:
        told.append(Alternative("the storage was lost", "open", "no image cache says anything after the removal"))
    overlay = [victim for victim in loss.victims if not victim.named]
    if overlay:
        refs = tuple(victim.where for victim in overlay[:3])
        shown = {needer.instance for needer in loss.needers if needer.direct}
        sure = all(victim.instance in shown for victim in overlay)
        because = (
            "its disk is there, and names the removed file"
            if sure
            else ("the error names the disk; up to qemu 1.x it does so for a missing backing file too")
        )
        told.append(Alternative("the instance's own disk is lost", "ruled out" if sure else "open", because, refs))
    if one.shared is None:
        told.append(Alternative("each host has a folder of its own", "open", "nothing tells that they share it"))
    else:
        told.append(Alternative("each host has a folder of its own", "ruled out", one.shared, one.sharing))
    return tuple(told)


def _remedy(loss: Loss, images: pl.DataFrame, following: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    one = loss.removal
    glance = _in_glance(images, loss.image)
    kept = glance is not None and not glance["is_deleted"] and glance["status"] != "deleted"
    resized = f"; `qemu-img resize -f raw {one.path} {one.size_gb}G`" if one.size_gb is not None else ""
    where = "`remove_unused_base_images=False` ([DEFAULT]; [image_cache] since Ussuri)"
    steps = [f"First stop it: {where} in nova.conf on every compute host, then restart nova-compute: instances run on."]
    if following:
        first, hosts = following[0], listed(sorted({str(one["host"]) for one in following}))
        steps.append(
            f"Next, unless that is done: {hosts} is silent, and the base files of {amount(len(following), 'instance')} "
            f"there are nobody else's; from {first['removable_at']} on {first['base_file']} may go."
        )
    if loss.at_risk:
        names = listed([needer.instance for needer in loss.at_risk])
        find = "`ls -l /proc/$(pgrep -of NAME)/fd | grep deleted`"
        steps.append(f"Neither stop, reboot nor migrate {names}: their qemu is the last that holds the file.")
        steps.append(
            f"Get it back from a running one, on its host: {find} tells PID and N, then "
            f"`cp --sparse=always /proc/PID/fd/N {one.path}.saved` and `mv` it into its place. If that says "
            "`Stale file handle` (NFS before version 4), save the data from inside the guest, now."
        )
    if loss.image and kept:
        fetch = (
            f"`glance image-download {loss.image} --file /tmp/image`, `qemu-img convert -O raw /tmp/image {one.path}`"
        )
        steps.append(f"Glance still has the image: {fetch}{resized}; owner and mode as its neighbours have.")
    elif loss.image:
        steps.append(
            f"Look whether glance still has it (`openstack image show {loss.image}`), or a snapshot, a backup or "
            "another host's copy: the content must be the same to the last byte."
        )
    steps.append(f"Check a disk before it starts: `qemu-img info --backing-chain DISK`, then `touch {one.path}`.")
    steps.append(
        "For good: with a shared instances folder keep the removal off, or remove only by hand what no disk is backed "
        "by; Grizzly and later count other hosts' instances, for 24 h after a host's last pass."
    )
    return tuple(steps)


def removal_of(facts: Mapping[str, Any], removals: Sequence[Removal]) -> Removal | None:
    """The removal that a finding is about."""
    for one in removals:
        if one.path == facts["base_file"] and iso(one.at) == facts["removed_at"]:
            return one
    return None
