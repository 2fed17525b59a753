"""The finding in words: what happened in which order, what else could explain it, what to do now."""

from __future__ import annotations

from typing import Any

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_messages import Message, citations
from forensics.analysis._lease_scene import Scene, machine
from forensics.analysis._lease_verdict import CAUSES, Verdict
from forensics.records.finding import Alternative, Finding, Reference, Step, identity, iso

RAN_OUT = "The lease has run out."
REMEDIES = {
    "link-dead-before-dhcp": (
        "Leave the lease time and dnsmasq alone: DHCP only noticed first that nothing reached the client.",
        "Bring the client's link back without a reboot: on its console `ip link set eth0 down; ip link set eth0 up`.",
        "Start its DHCP client again; if that does not help, detach and attach the interface, or restart the instance.",
        "Look at the tap device on its compute host (`ip -s link show TAP`: TX drops that grow) and at qemu's log.",
        "If it happens under load, update qemu and the guest's virtio driver, use vhost-net, reproduce it with iperf3.",
    ),
    "reply-not-delivered": (
        "Follow one answer with tcpdump `port 67 or port 68`: server's bridge, the compute host's NIC, the tap device.",
        "On the first hop that lacks it compare `nft list ruleset`, `ebtables -L`, `ip neigh` and `bridge fdb show`.",
        "A unicast answer needs the client's neighbour entry on the server: `ip neigh show IP`; delete a wrong one.",
    ),
    "client-deaf": (
        "Look at the client: its firewall (`nft list ruleset`), rp_filter, whether its DHCP client reads its socket.",
        "If `tcpdump -vv` in it says `bad udp cksum`, fill them at the server (iptables: CHECKSUM --checksum-fill).",
        "Restart its DHCP client, and update it if it repeats.",
    ),
    "server-silent": (
        "See whether dnsmasq runs and listens: `ss -ulnp 'sport = :67'`, its log and its host file.",
        "Check that the client's address is in the host file, and that the server's own filter lets port 67 in.",
        "Restart it for that network (nova-network, or neutron's DHCP agent); leases are kept.",
    ),
    "request-not-delivered": (
        "Follow one request from the tap device to the server: tcpdump `port 67` on each hop; note where it ends.",
        "On that hop compare VLAN, bridge membership and filters with one that works (`bridge vlan show`).",
    ),
    "refused": (
        "Compare the client's hardware and IP address with the server's host file and the ports in the database.",
        "If a second DHCP server said no, find it by its hardware address and take it off the network.",
        "If the pool is used up, free old leases or enlarge the range; then renew from the client.",
    ),
    "client-gone": (
        "Start the DHCP client on the instance again, through its console if the address is gone already.",
        "Find out who ended it (its log, the kernel's out-of-memory lines), and let the init system restart it.",
        "With ifupdown's `dhclient -1` the client exits after one failure: use a client that keeps trying.",
    ),
}


def amount(count: int, noun: str) -> str:
    """A count with its noun.

    Examples:
        >>> amount(1, "request"), amount(3, "reply")
        ('1 request', '3 replies')
    """
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count} {noun if count == 1 else plural}"


def rate(bytes_per_s: float) -> str:
    """A rate as people say it.

    Examples:
        >>> rate(950), rate(12_300_000)
        ('950 B/s', '12.3 MB/s')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if bytes_per_s >= size:
            return f"{bytes_per_s / size:.1f} {unit}/s"
    return f"{bytes_per_s:.0f} B/s"


def seconds(nanoseconds: int) -> str:
    """A span as people say it.

    Examples:
        >>> seconds(8_012_345_678), seconds(4_200_000)
        ('8.01 s', '4.2 ms')
    """
    if abs(nanoseconds) < SECOND_NS // 10:
        return f"{nanoseconds / 1e6:.1f} ms"
    return f"{nanoseconds / 1e9:.2f} s" if abs(nanoseconds) < 100 * SECOND_NS else f"{nanoseconds / 1e9:.0f} s"


def order_of(earlier: int, later: int, bound: int) -> str:
    """How sure it is that one instant comes before another: the words of every output.

    Examples:
        >>> order_of(0, 10, 5), order_of(0, 3, 5), order_of(9, 0, 5)
        ('certain', 'within clock error', 'contradicted')
    """
    if later - earlier > bound:
        return "certain"
    return "contradicted" if earlier - later > bound else "within clock error"


def is_unicast(message: Message, scene: Scene) -> bool:
    """Whether a request went to the server alone; a server's log does not say, so the lease's T2 decides there."""
    if message.unicast is not None:
        return message.unicast
    lease = scene.attempt.lease
    if lease and lease.t2_s is None and scene.attempt.usual_s:
        return message.at < lease.ack.at + 1.9 * scene.attempt.usual_s * SECOND_NS  # T1 is half, T2 seven eighths
    if lease is None or lease.t2_s is None:
        return message is scene.attempt.first
    # Stamps in whole seconds put a request that was sent at T2 on either side of it.
    return message.at < lease.ack.at + lease.t2_s * SECOND_NS - min(message.half, SECOND_NS // 2)


def facts(scene: Scene, found: Verdict) -> dict[str, Any]:
    """The figures of the kind, as its catalogue counts them."""
    attempt = scene.attempt
    requests = [message for message in attempt.asked if message.kind == "REQUEST"]
    unicast = sum(is_unicast(message, scene) for message in requests)
    said = "NAK" if found.cause == "refused" else "ACK"
    first = attempt.first.stated if attempt.first else None
    silence = found.silence[0] if found.silence else None
    lease = attempt.lease
    return {
        "cause": found.cause,
        "mac": scene.mac,
        "ip": scene.ip,
        "server": server_of(scene),
        "unicast_attempts": unicast,
        "broadcast_attempts": len(requests) - unicast,
        "server_replies": sum(message.kind == said for message in attempt.answers),
        "first_unanswered_at": iso(first),
        "silence_at": iso(silence),
        "lead_s": (first - silence) / 1e9 if first is not None and silence is not None else None,
        "gave_up_at": iso(attempt.ends or None),
        "lease_s": lease.lease_s if lease else None,
    }


def server_of(scene: Scene) -> str | None:
    """The server that the client dealt with: of its lease, else the one it asked."""
    lease = scene.attempt.lease
    told = [lease.ack.server] if lease else []
    told += [message.server for message in (*scene.attempt.asked, *scene.attempt.answers)]
    told += [message.server for message in scene.messages]
    return next((server for server in told if server), None)


def finding(scene: Scene, found: Verdict, *, again: bool) -> Finding:
    """Write the finding of one failed attempt.

    Args:
        scene: What was seen.
        found: What it means.
        again: Whether the client has an earlier one: then the start becomes part of the id.
    """
    attempt, figures = scene.attempt, facts(scene, found)
    name = next(
        (machine(m.point) for message in scene.messages for m in message.sightings if m.seen_by == "client"), None
    )
    who = name or scene.ip or scene.mac or scene.client
    address = f" {scene.ip}" if scene.ip and who != scene.ip else ""
    lost = "lost its lease" if attempt.expired or not attempt.recovered else "was without an answer"
    if not attempt.expired and not attempt.recovered and found.cause not in ("refused", "client-gone"):
        lost = "could not renew its lease"
    servers = {m.point for message in scene.messages for m in message.sightings if m.seen_by == "server"}
    entities = {
        "hosts": tuple(sorted({machine(point) for point in servers} | ({name} if name else set()))),
        "macs": (scene.mac,) if scene.mac else (),
        "ips": (scene.ip,) if scene.ip else (),
        "capture_points": tuple(view.point for view in scene.views),
    }
    begun = (
        attempt.first and attempt.first.stated,
        found.silence and found.silence[0],
        attempt.lease and attempt.lease.ends,
    )
    start = next((at for at in begun if at), attempt.ends or None)
    steps = story(scene, found)
    refs = tuple(dict.fromkeys((*found.evidence, *citations(attempt.asked[:2]))))
    severity = "medium" if attempt.recovered or not (attempt.expired or attempt.refusals) else "high"
    marked = {**entities, "start": (iso(start) or "",)} if again else entities
    return Finding(
        kind="dhcp-renewal-failure",
        title=f"{who}{address} {lost}: {CAUSES[found.cause]}",
        severity=severity,
        confidence=found.confidence,
        start=iso(start),
        end=iso(attempt.ends or None),
        entities=entities,
        facts=figures,
        story=steps,
        evidence=refs,
        alternatives=alternatives(found),
        remedy=REMEDIES[found.cause],
        next_evidence=tuple(found.next_evidence),
        id=identity("dhcp-renewal-failure", marked),
    )


def alternatives(found: Verdict) -> tuple[Alternative, ...]:
    """The other causes: what rules them out, or that nothing does."""
    told = [Alternative(f"{cause}: {CAUSES[cause]}", "open", why) for cause, why in found.open.items()]
    for cause, (why, refs) in found.ruled_out.items():
        told.append(Alternative(f"{cause}: {CAUSES[cause]}", "ruled out", why, refs))
    return tuple(told)


def story(scene: Scene, found: Verdict) -> tuple[Step, ...]:
    """What happened, in order of time; every step says where it is written."""
    attempt = scene.attempt
    steps: list[tuple[int, str, tuple[Reference, ...]]] = []
    if attempt.lease:
        lease = attempt.lease
        for_s = f" for {lease.lease_s:g} s" if lease.lease_s else ""
        steps.append(
            (
                lease.ack.stated,
                f"The client gets {scene.ip or 'an address'}{for_s}, for the last time.",
                lease.ack.references(),
            )
        )
        if attempt.expired and lease.ends is not None:
            steps.append((lease.ends, RAN_OUT, lease.ack.references()))
    first = attempt.first
    if found.silence and first:
        at, ref = found.silence
        same = any(seen.source == ref.source for seen in first.sightings)
        bound = 0 if same else first.half + 2 * max((view.bound for view in scene.views), default=0)
        sure = order_of(at, first.stated, bound)
        why = "both stand in one capture" if same else f"the clocks are known to {seconds(bound)}"
        ahead = seconds(first.stated - at)
        text = f"The last frame reaches the client, {ahead} before that renewal (this order is {sure}: {why})."
        steps.append((at, text, (ref,)))
    steps += _asked(scene)
    if found.cause == "link-dead-before-dhcp" and scene.near and scene.near.load and first:
        before, usually = scene.near.load
        text = (
            f"In the minute before, {rate(before)} went to the client at {scene.near.point}, usually {rate(usually)}. "
            "Load at the same time is no proof that load was the cause."
        )
        told = (scene.near.last[1],) if scene.near.last else first.references()
        steps.append((first.stated - 60 * SECOND_NS, text, told))
    if scene.port_closed and found.cause == "server-silent":
        at, ref = scene.port_closed
        steps.append((at, "The server's host answers that nobody listens on its DHCP port.", (ref,)))
    if scene.server_stopped and found.cause == "server-silent":
        at, ref = scene.server_stopped
        steps.append((at, "The server's own log says that it ends; it does not start again.", (ref,)))
    if found.cause == "reply-not-delivered" and scene.near and scene.near.resumed:
        at, ref = scene.near.resumed
        steps.append((at, f"Meanwhile other frames reach it at {scene.near.point}: the link is alive.", (ref,)))
    for event in attempt.events:
        if event["event"] in ("expired", "exited", "no_offers", "carrier_lost", "send_failed") and event["reference"]:
            text = f"The client's log: {str(event['message'])[:160]}"
            steps.append((int(str(event["at"])), text, (event["reference"],)))  # type: ignore[arg-type]
    if scene.sent_after and found.cause == "client-gone":
        at, ref = scene.sent_after
        steps.append((at, "The host still sends, though it should have renewed long ago.", (ref,)))
    if attempt.recovered:
        text = "The client has an address again."
        steps.append((attempt.recovered.stated, text, attempt.recovered.references()))
    ordered = sorted(steps, key=lambda step: step[0])
    return tuple(Step(iso(at), text, refs) for at, text, refs in ordered)


def _asked(scene: Scene) -> list[tuple[int, str, tuple[Reference, ...]]]:
    """Questions and answers, one step each; a long row of retries as one."""
    steps: list[tuple[int, str, tuple[Reference, ...]]] = []
    requests = [message for message in scene.attempt.asked if message.kind == "REQUEST"]
    for number, message in enumerate(requests[:12]):
        whom = "the server" if is_unicast(message, scene) else "everybody (255.255.255.255)"
        text = f"It asks {whom} again."
        if number == 0:
            text = f"The client asks {whom} to renew {scene.ip}: the first question without effect."
        elif whom[0] == "e" and is_unicast(requests[number - 1], scene):
            text = f"It gives up on the server and asks {whom}."
        steps.append((message.stated, text, message.references()))
    if len(requests) > 12:
        rest = requests[12:]
        steps.append((rest[0].stated, f"It asks {amount(len(rest), 'more time')}.", citations(rest[:1] + rest[-1:])))
    for message in scene.attempt.answers[:12]:
        if message.kind in ("ACK", "NAK"):
            near = scene.near and scene.near.point in message.at_points("capture")
            text = f"The server answers {message.kind}" + (f" ({message.refusal})" if message.refusal else "")
            if scene.near and not scene.near.at_server:
                text += f", seen at {scene.near.point}" if near else f", not seen at {scene.near.point}"
            steps.append((message.stated, text + ".", message.references()))
    discovers = [message for message in scene.attempt.asked if message.kind == "DISCOVER"]
    if discovers:
        text = f"Without an address it looks for any server: {amount(len(discovers), 'DISCOVER')} in vain."
        steps.append((discovers[0].stated, text, citations(discovers[:1] + discovers[-1:])))
    return steps
