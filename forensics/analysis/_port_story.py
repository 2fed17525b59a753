"""A cut-off in words: from the guest to the switch, who was hit, what else it could have been, what to do."""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.analysis._common_factor import common_factors, population
from forensics.analysis._correlate import SECOND_NS, UNKNOWN_BOUND_NS, order
from forensics.analysis._links import links
from forensics.analysis._port_cuts import Cut
from forensics.analysis._port_hosts import edge_reference
from forensics.analysis._port_names import short
from forensics.analysis._port_reasons import alternatives, confidence, next_evidence, remedy, severity
from forensics.analysis._port_scene import Scene
from forensics.records.finding import Finding, Reference, Step, iso

TOLD = 4
"""So many strikes are told in full; the rest are counted."""
STRIKE_NS = 60 * SECOND_NS
"""A bond turns to its other card, which is cut in its turn, within this time: one strike."""
HOST_WORDS = {
    "cable": "by LLDP",
    "description": "named by the port's description",
    "twin": "the same port of the other switch leads to it",
    "changes": "inferred: its cards went down and up as the port did",
    "capture": "inferred: the BPDU was captured there",
}


def finding(cuts: list[Cut], scene: Scene, down: pl.DataFrame) -> Finding:
    """One source's cuts as a finding.

    Args:
        cuts: All cuts of one source, by time.
        scene: What happened to the ports.
        down: Services that something says are down: ``service``, ``service_host``, ``seen_at``, ``at``, ``source``,
            ``position``.
    """
    strikes = in_strikes(cuts)
    bystanders = sorted({name for cut in cuts for name in cut.bystanders})
    macs = sorted(set(links(scene.edges, "instance", bystanders, "mac")["linked"])) if bystanders else []
    hosts = list(dict.fromkeys(cut.host for cut in cuts if cut.host))
    users = sorted({cut.user for cut in cuts if cut.user})
    images = sorted({cut.image for cut in cuts if cut.image})
    facts = {
        "cuts": [_fact(cut) for cut in cuts],
        "source_image": images[0] if len(images) == 1 else None,
        "source_user": users[0] if len(users) == 1 else None,
        "bystanders": bystanders,
        "bystander_macs": macs,
    }
    entities = {
        "hosts": tuple(sorted(hosts)),
        "instances": tuple(sorted({cut.instance for cut in cuts if cut.instance})),
        "macs": tuple(sorted({cut.mac for cut in cuts if cut.mac})),
        "images": tuple(images),
        "users": tuple(users),
        "projects": tuple(sorted({cut.project for cut in cuts if cut.project})),
        "switches": tuple(sorted({cut.switch for cut in cuts})),
        "interfaces": tuple(sorted({cut.port for cut in cuts})),
    }
    ends = [cut.restored for cut in cuts]
    starts = [(strike[0].instance, strike[0].started_at) for strike in strikes]
    story = [
        step
        for number, strike in enumerate(strikes[:TOLD])
        for step in _strike(strike, scene, down, number, told=starts[number] in starts[:number])
    ]
    if len(strikes) > TOLD:
        rest = [cut for strike in strikes[TOLD:] for cut in strike]
        refs = tuple(ref for cut in rest[:6] for ref in cut.refs[:1])
        again = f"It happened {len(strikes) - TOLD} times more, until {iso(rest[-1].at)}: {len(rest)} ports shut."
        story.append(Step(iso(rest[0].at), again, refs))
    story += _in_common(cuts, scene)
    story.sort(key=lambda step: (step.at is None, step.when))
    last = max((end for end in ends if end is not None), default=None)
    return Finding(
        kind="bpdu-guard-cutoff",
        title=_title(cuts, strikes, hosts, bystanders),
        severity=severity(cuts, scene),
        confidence=confidence(cuts),
        start=iso(cuts[0].at),
        end=None if None in ends else iso(last),
        entities=entities,
        facts=facts,
        story=tuple(story),
        evidence=tuple(dict.fromkeys(ref for cut in cuts for ref in _proof(cut))),
        alternatives=alternatives(cuts, scene),
        remedy=remedy(cuts),
        next_evidence=next_evidence(cuts),
    )


def _fact(cut: Cut) -> dict[str, Any]:
    return {
        "switch": cut.switch,
        "port": cut.port,
        "mac": cut.mac,
        "instance": cut.instance,
        "host": cut.host,
        "cut_at": iso(cut.at),
        "restored_at": iso(cut.restored),
    }


def _proof(cut: Cut) -> list[Reference]:
    up = [cut.up_ref] if cut.up_ref else []
    return [*cut.refs[:3], *cut.mac_refs[:1], *cut.map_refs[:3], *cut.host_refs[:1], *up]


def in_strikes(cuts: list[Cut]) -> list[list[Cut]]:
    """Cuts of one host in quick succession."""
    found: list[list[Cut]] = []
    for cut in cuts:
        whose = (short(cut.host) if cut.host else None, cut.mac, cut.key if not cut.host else "")
        for strike in found:
            last = strike[-1]
            if cut.at - last.at <= STRIKE_NS and whose == (
                short(last.host) if last.host else None, last.mac, last.key if not last.host else "",
            ):  # fmt: skip
                strike.append(cut)
                break
        else:
            found.append([cut])
    return found


def amount(count: int, noun: str) -> str:
    """A count with its noun.

    Examples:
        >>> amount(1, "port"), amount(4, "port")
        ('1 port', '4 ports')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed(names: list[str], most: int = 3) -> str:
    """A few names in a row.

    Examples:
        >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d", "e"])
        ('a, b and c', 'a, b, c and 2 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _title(cuts: list[Cut], strikes: list[list[Cut]], hosts: list[str], bystanders: list[str]) -> str:
    ports = f"{amount(len({cut.named for cut in cuts}), 'switch port')}"
    where = f"cut off {listed(hosts)}" if hosts else f"shut {ports} ({listed(sorted({c.port for c in cuts}))})"
    senders = sorted({who for cut in cuts if (who := cut.name or cut.instance or cut.mac)})
    of = f" of image {cuts[0].image}" if cuts[0].image else ""
    if senders:
        who = f"{'Instance' if len(senders) == 1 else 'Instances'} {listed(senders)}{of}"
        said = f"{who} sent spanning-tree BPDUs: BPDU guard {where}"
    else:
        said = f"BPDUs of an unknown sender: BPDU guard {where}"
    hit = (
        f", and {amount(len(bystanders), 'other instance')} with {'it' if len(hosts) == 1 else 'them'}"
        if bystanders
        else ""
    )
    struck = {(cut.host and short(cut.host)) or cut.key for cut in cuts}
    often = f", {len(strikes)} times" if len(strikes) > len(struck) else ""
    return f"{said}{hit}{often}"


def _strike(strike: list[Cut], scene: Scene, down: pl.DataFrame, number: int, *, told: bool) -> list[Step]:
    """One strike from the start of the guest, unless that was told before, to the port's return."""
    first = strike[0]
    steps = [*_sender(first, scene, told=told)]
    for place, cut in enumerate(strike):
        named = f" from {cut.mac}" if cut.mac and cut.mac_basis is None else ""
        after = (
            f", {(cut.at - first.at) / SECOND_NS:.3g} s after {first.switch}"
            if place and cut.switch != first.switch
            else ""
        )
        again = " again" if number and place == 0 and cut.by_timer else ""
        members = [name for name in cut.names[1:] if name != cut.port]
        went = f"; {listed(members)} went down with it" if members else ""
        why = f"({cut.reason or 'BPDU guard'})"
        said = f"{cut.switch} received a BPDU{named} on {cut.port} and shut it{again} {why}{after}{went}."
        steps.append(Step(iso(cut.at), said, tuple(cut.refs)))
    steps += _at_the_host(strike, scene, down)
    back = [cut for cut in strike if cut.restored is not None]
    for cut in back:
        how = " by err-disable's timer" if cut.by_timer else ""
        refs = tuple(dict.fromkeys(ref for ref in (cut.timer_ref, cut.up_ref) if ref))
        steps.append(Step(iso(cut.restored), f"{cut.switch} took {cut.port} back{how}.", refs))
    if not back:
        ports = listed([f"{cut.switch} {cut.port}" for cut in strike])
        steps.append(Step(None, f"Nothing in the evidence says that {ports} came back.", tuple(first.refs[:1])))
    return steps


def _sender(cut: Cut, scene: Scene, *, told: bool) -> list[Step]:
    steps = []
    if cut.instance and not told:
        whose = f" by user {cut.user}" if cut.user else ""
        image = f" from image {cut.image}" if cut.image else ""
        since = cut.started_at
        before = _before(cut, since)
        name = f"{cut.name} ({cut.instance})" if cut.name else cut.instance
        mac = f", {cut.mac}," if cut.mac else ""
        ran = "ran" if since is None else "was started"
        steps.append(
            Step(iso(since), f"{name}{mac} {ran} on {cut.host}{whose}{image}{before}.", tuple(cut.map_refs[:4]))
        )
    if cut.mac:
        sent = scene.bpdus.filter(
            (pl.col("eth_src") == cut.mac) & (pl.col("at") - cut.at).is_between(-STRIKE_NS, STRIKE_NS)
        )
        if sent.height:
            points = sent.group_by("source", maintain_order=True).first()
            refs = [
                Reference(r["source"], f"frame:{r['position']}", iso(r["at"])) for r in points.iter_rows(named=True)
            ]
            most = sent.group_by("source").len()["len"].max()
            said = f"{cut.mac} sent BPDUs, as captures show: {amount(int(str(most)), 'frame')} within a minute."
            steps.append(Step(iso(sent["at"][0]), said, tuple(refs)))
    if cut.mac_basis == "again":
        alone = f"{cut.mac} alone is known to have sent BPDUs on {cut.host}"
        steps.append(Step(iso(cut.at), f"The line names nobody; inferred: {alone}.", tuple(cut.refs[:1])))
    if cut.mac_basis == "start":
        alone = f"{cut.instance} alone was started on {cut.host} in the quarter of an hour before"
        steps.append(Step(iso(cut.at), f"The line names nobody; inferred: {alone}.", tuple(cut.map_refs[:1])))
    return steps


def _before(cut: Cut, since: int | None) -> str:
    """How long before the cut an instance was started, as far as the clocks of database and switch tell."""
    if since is None:
        return ""
    apart = (cut.asked_at - since) / SECOND_NS
    if order(since, UNKNOWN_BOUND_NS, cut.asked_at, cut.bound) == "within clock error":
        return ", at the same time within clock error"
    return f", {apart:.0f} s before" if apart > 0 else f", {-apart:.0f} s later by the clock of the database"


def _at_the_host(strike: list[Cut], scene: Scene, down: pl.DataFrame) -> list[Step]:
    """The bond, the services and the others on the host."""
    first = strike[0]
    if not first.host:
        return []
    steps = []
    begin, end = first.at - 2 * SECOND_NS, max(cut.at for cut in strike) + 10 * SECOND_NS
    same = scene.spans["machine"].unique().to_list()
    names = [name for name in same if short(name) == short(first.host)]
    fell = scene.spans.filter(pl.col("machine").is_in(names) & pl.col("from_at").is_between(begin, end)).sort("from_at")
    bonds = fell.filter(pl.col("said").list.contains("no_active_member"))
    for row in bonds.iter_rows(named=True):
        ref = Reference(row["source"], f"line:{row['position']}", iso(row["from_at"]))
        steps.append(Step(iso(row["from_at"]), f"{row['name']} of {first.host} was without any active member.", (ref,)))
    if bonds.is_empty() and fell.height:
        refs = tuple(
            Reference(r["source"], f"line:{r['position']}", iso(r["from_at"])) for r in fell.iter_rows(named=True)
        )
        cards = listed(fell["name"].unique(maintain_order=True).to_list())
        steps.append(Step(iso(fell["from_at"][0]), f"{first.host} lost {cards}.", refs))
    basis = HOST_WORDS.get(first.host_basis or "")
    if basis:
        steps.append(Step(iso(first.at), f"Behind {first.switch} {first.port} is {first.host}, {basis}.",
                          tuple(first.host_refs[:2] or first.refs[:1])))  # fmt: skip
    host = short(first.host)
    until = max((cut.restored or 2**62) for cut in strike) + 600 * SECOND_NS
    told = down.filter(
        pl.col("service_host").is_in([name for name in down["service_host"].unique() if short(name) == host])
        & pl.col("at").is_between(first.at - 2 * SECOND_NS, until)
    ).unique("told_by", keep="first", maintain_order=True)  # fmt: skip
    for row in told.iter_rows(named=True):
        ref = Reference(row["source"], f"line:{row['position']}", iso(row["at"]))
        said = f"{row['service'] or 'A service'} on {first.host} is reported down."
        steps.append(Step(iso(row["at"]), said, (ref,)))
    others = {name: ref for cut in strike for name, ref in cut.bystanders.items()}
    if others:
        refs = tuple(others[name] for name in sorted(others))[:6]
        count = amount(len(others), "other instance")
        said = f"{count} on {first.host} lost the network with it: {listed(sorted(others))}."
        steps.append(Step(iso(max(cut.at for cut in strike)), said, refs))
    return steps


def _in_common(cuts: list[Cut], scene: Scene) -> list[Step]:
    """What the senders share against the rest, where there are several."""
    senders = sorted({cut.instance for cut in cuts if cut.instance})
    if len(senders) < 2:
        return []
    table = common_factors(senders, population(scene.edges))
    shared = table.filter((pl.col("with_it") == pl.col("incidents")) & pl.col("factor").is_in(["user", "image"]))
    parts = []
    for row in shared.iter_rows(named=True):
        rest = f"{row['others_with_it']} of the {row['others']} others"
        sure = {"shared": f"no chance (p = {row['p']:.2g})", "as the rest": f"which may be chance (p = {row['p']:.2g})",
                "too few to tell": f"too few instances to tell it from chance (p = {row['p']:.2g}, n = "
                                   f"{row['incidents'] + row['others']})"}[row["verdict"]]  # fmt: skip
        parts.append(f"{row['factor']} {row['value']} ({rest}): {sure}")
    if not parts:
        return []
    refs = [edge_reference(row) for row in links(scene.edges, "instance", senders, "image").iter_rows(named=True)]
    return [
        Step(
            iso(cuts[-1].at),
            f"All {len(senders)} senders share {'; and '.join(parts)}.",
            tuple(dict.fromkeys(refs))[:6],
        )
    ]
