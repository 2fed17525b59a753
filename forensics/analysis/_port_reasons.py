"""How sure a cut-off is and how bad, what else could explain it, what to do, and what would settle it."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._port_cuts import Cut
from forensics.analysis._port_names import short
from forensics.analysis._port_scene import Scene
from forensics.records.finding import Alternative, Reference, iso

MAPPINGS = (
    "Which instance had that address: nova's virtual_interfaces and instances, or `openstack port list --long`, `nova "
    "list --all-tenants --fields name,host,user_id,image`; on the host `virsh dumpxml` of its domains."
)


FILTER = (
    "Let no guest speak spanning tree: `ebtables -A FORWARD -i tap+ -d 01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0 -j DROP` "
    "(and `vnet+`), or libvirt's filter `no-other-l2-traffic`; do the same for 01:00:0c:cc:cc:cd (PVST+)."
)


def inferred(cut: Cut) -> int:
    """How many links of a cut's chain are inferred and not told."""
    sender = 0 if cut.mac and cut.mac_basis is None else 1 if cut.mac or cut.instance else 2
    return sender + (cut.instance is None and cut.mac is not None)


def confidence(cuts: list[Cut]) -> str:
    """Proven where every sender is named and known; no better than its weakest cut."""
    return ("proven", "likely", "possible")[min(max(inferred(cut) for cut in cuts), 2)]


def severity(cuts: list[Cut], scene: Scene) -> str:
    """By who was hit: a host without network is worst; a port of which nothing is known is only noted."""
    if all(cut.mac is None and cut.instance is None for cut in cuts):
        return "medium" if any(cut.host for cut in cuts) else "info"
    if all(_kept_a_card(cut, cuts, scene) for cut in cuts):
        return "medium"
    hosts = {short(cut.host) for cut in cuts if cut.host}
    lasting = any(cut.restored is None for cut in cuts)
    others = any(cut.bystanders for cut in cuts)
    return "critical" if others or lasting or len(hosts) > 1 else "high"


def _kept_a_card(cut: Cut, cuts: list[Cut], scene: Scene) -> bool:
    """Whether the host's own log shows that its bond went on with another card."""
    if not cut.host:
        return False
    names = [name for name in scene.spans["machine"].unique() if short(name) == short(cut.host)]
    own = scene.spans.filter(pl.col("machine").is_in(names))
    near = (pl.col("from_at") - cut.at).is_between(-60 * SECOND_NS, 60 * SECOND_NS)
    lost = own.filter(near & pl.col("said").list.contains("no_active_member")).height > 0
    members = own.filter(near & pl.col("said").list.contains("member_down")).height > 0
    twin = any(other.switch != cut.switch and other.host == cut.host and abs(other.at - cut.at) <= 60 * SECOND_NS
               for other in cuts)  # fmt: skip
    return members and not lost and not twin


def alternatives(cuts: list[Cut], scene: Scene) -> tuple[Alternative, ...]:
    """What else takes a host's network away, and what else a guard may have seen."""
    guard = tuple(cut.refs[0] for cut in cuts if cut.refs)[:4]
    unnamed = [cut for cut in cuts if cut.mac is None and cut.instance is None]
    named = tuple(cut.refs[0] for cut in cuts if cut.mac and cut.mac_basis is None)[:4]
    seen = tuple(ref for cut in cuts for ref in cut.mac_refs[:1])[:4]
    told = [
        Alternative(
            "a card, a cable or a switch port has failed",
            "ruled out",
            f"the switch itself shut the port, and says why ({cuts[0].reason or 'BPDU guard'})",
            guard,
        )
    ]
    bridge = "a switch, a bridge of the host, or a loop in the cabling sent the BPDU"
    if unnamed:
        why = "the switch names no source address, and no capture shows the frame"
        told.append(Alternative(bridge, "open", why, tuple(cut.refs[0] for cut in unnamed)[:4]))
    elif named:
        why = "its source is the address of a guest's card; bridges send with an address of their own ports (802.1D)"
        told.append(Alternative(bridge, "ruled out", why, named))
    elif seen:
        why = (
            "the frame on the host's card was a guest's; that the switch acted on this one follows from its time alone"
        )
        told.append(Alternative(bridge, "open", why, seen))
    else:
        why = "who sent it is inferred from when an instance was started"
        told.append(Alternative(bridge, "open", why, guard))
    if named or seen:
        told.append(_forged(cuts, scene))
    told.append(_crashed(cuts, scene))
    return tuple(told)


def _forged(cuts: list[Cut], scene: Scene) -> Alternative:
    """Whether another guest used that address."""
    forged = "another guest sent frames with that instance's address"
    taps = [ref for cut in cuts for ref in _on_tap(cut, scene)]
    if taps:
        return Alternative(
            forged, "ruled out", "the frames were captured at the instance's own device", tuple(taps[:4])
        )
    known = [cut for cut in cuts if cut.instance and cut.host_refs and cut.host_basis != "mapping"]
    placed = [cut for cut in cuts if cut.instance and _fell_too(cut, scene)]
    if known or placed:
        why = "the frames came in on the port of the host where that instance ran"
        return Alternative(forged, "ruled out", why, tuple(cut.refs[0] for cut in known or placed)[:4])
    return Alternative(forged, "open", "no capture at the instance's device shows the frames", tuple(cuts[0].refs[:1]))


def _on_tap(cut: Cut, scene: Scene) -> list[Reference]:
    rows = scene.bpdus.filter((pl.col("eth_src") == cut.mac) & pl.col("source").str.contains(r"vnet|tap|qvo|qvb|qbr"))
    near = rows.filter((pl.col("at") - cut.at).is_between(-60 * SECOND_NS, 60 * SECOND_NS)).head(1)
    return [Reference(r["source"], f"frame:{r['position']}", iso(r["at"])) for r in near.iter_rows(named=True)]


def _fell_too(cut: Cut, scene: Scene) -> bool:
    """Whether the cards of the host where the instance ran went down with the port."""
    if not cut.host:
        return False
    names = [name for name in scene.spans["machine"].unique() if short(name) == short(cut.host)]
    near = (pl.col("from_at") - cut.at).is_between(-3 * SECOND_NS, 3 * SECOND_NS)
    return scene.spans.filter(pl.col("machine").is_in(names) & near & ~pl.col("is_switch")).height > 0


def _crashed(cuts: list[Cut], scene: Scene) -> Alternative:
    crashed = "the host itself failed, and its links with it"
    for cut in cuts:
        names = [name for name in scene.spans["machine"].unique() if cut.host and short(name) == short(cut.host)]
        rows = scene.spans.filter(pl.col("machine").is_in(names) & (pl.col("from_at") >= cut.at - 3 * SECOND_NS))
        for row in rows.sort("from_at").head(1).iter_rows(named=True):
            ref = Reference(row["source"], f"line:{row['position']}", iso(row["from_at"]))
            return Alternative(crashed, "ruled out", "its own kernel went on and told of the loss", (ref,))
    return Alternative(crashed, "ruled out", "a host that fails sends no BPDUs, and the guard shut the port first",
                       tuple(cuts[0].refs[:2]))  # fmt: skip


def remedy(cuts: list[Cut]) -> tuple[str, ...]:
    """What to do now, safest first."""
    shut = [cut for cut in cuts if cut.restored is None]
    first = (shut or cuts)[0]
    senders = list(dict.fromkeys(cut.instance for cut in cuts if cut.instance))
    if senders:
        named = " and ".join(f"`openstack server pause {name}`" for name in senders[:2])
        stop = f"Stop the source before anything else: {named}; then tell its user."
    else:
        stop = "Find the source before the port is opened (see below), and stop it: it would cut the port again."
    ports = ", ".join(dict.fromkeys(f"{cut.switch} {cut.port}" for cut in (shut or cuts)[:4]))
    return (
        stop,
        f"Then open what is still shut ({ports}): `interface {first.port}`, `shutdown`, `no shutdown`."
        if shut else f"The ports are open again ({ports}): check with `show interfaces status err-disabled`.",
        FILTER,
        "Turn spanning tree off inside the image: `ip link set BRIDGE type bridge stp_state 0`.",
        "Keep BPDU guard. Recovery by err-disable's timer helps once guests are filtered: until then it starts anew.",
    )  # fmt: skip


def next_evidence(cuts: list[Cut]) -> tuple[str, ...]:
    """What would settle each link that is inferred."""
    wanted = []
    first = cuts[0]
    if any(cut.mac is None or cut.mac_basis for cut in cuts):
        where = (
            f"`tcpdump -e -i bond0 stp` on {first.host}"
            if first.host
            else "`tcpdump -e stp` on the card of the host behind it"
        )
        wanted.append(f"A capture of BPDUs, whose source address names the sender: {where}.")
    if any(cut.instance is None for cut in cuts):
        wanted.append(MAPPINGS)
    if any(cut.host is None for cut in cuts):
        ports = ", ".join(dict.fromkeys(f"{cut.switch} {cut.port}" for cut in cuts if cut.host is None))
        wanted.append(f"Which host is behind {ports}: `show lldp neighbors`, or `lldpctl` on the hosts.")
    elif any(cut.host_basis in ("changes", "capture", "twin") for cut in cuts):
        wanted.append(
            f"`lldpctl` on {first.host}, or `show lldp neighbors` on {first.switch}: which host is behind the port."
        )
    if any(cut.instance and not (cut.user and cut.image) for cut in cuts):
        wanted.append("Whose instance it was and from which image: nova's table instances, or `openstack server show`.")
    return tuple(wanted)
