"""Histories of DHCP clients: boots, renewals and what befalls them, played on the model of `tests._leases_model`."""

from typing import Any

from forensics.records import DhcpMessage, LogRecord
from tests._leases_model import (
    BROADCAST,
    CAUSES,
    EPOCH,
    HEALTHY,
    LOGS,
    NS,
    POINTS,
    SERVER_IP,
    SERVER_MAC,
    Guest,
    History,
    Plan,
    World,
)

__all__ = ["CAUSES", "HEALTHY", "LOGS", "POINTS", "History", "Plan", "history"]

CRON = {"program": "cron", "framing": "syslog-traditional", "n_lines": 1}
CRON |= {"year_basis": "neighbour", "zone_basis": "assumed"}


def traffic(world: World, guest: Guest, start: int, end: int, rate: float) -> None:
    """A TCP stream to the client, pings both ways, ARP: what goes on beside DHCP."""
    dice, plan = world.dice, world.plan
    step = max(int(NS / (rate or 1)), (end - start) // 500)
    seq, t = dice.randrange(2**32), start
    ack = seq
    while t < end and rate > 0 and not plan.quiet:
        t += int(step * dice.uniform(0.5, 1.5))
        packet = {
            "eth_src": SERVER_MAC,
            "eth_dst": guest.mac,
            "src": "10.0.0.1",
            "dst": guest.ip,
            "protocol": 6,
            "src_port": 44000,
            "dst_port": 5001,
            "tcp_flags": 0x18,
            "tcp_seq": seq,
            "tcp_ack": 1,
            "payload_bytes": 1400,
        }
        heard = world.send(t, "down", packet, None, guest.mac)
        if heard:
            seq = ack = (seq + 1400) % 2**32
            packet = {
                "eth_src": guest.mac,
                "eth_dst": SERVER_MAC,
                "src": guest.ip,
                "dst": "10.0.0.1",
                "protocol": 6,
                "src_port": 5001,
                "dst_port": 44000,
                "tcp_flags": 0x10,
                "tcp_seq": 1,
                "tcp_ack": ack,
                "payload_bytes": 0,
            }
            world.send(heard + dice.randrange(50_000, 400_000), "up", packet, None, guest.mac)
    ping, t, number = max(NS, (end - start) // 250), start, 0
    while t < end and plan.pings:
        t, number = t + int(ping * dice.uniform(0.98, 1.02)), (number + 1) % 65536
        icmp = {"protocol": 1, "icmp_code": 0, "icmp_id": 77, "icmp_seq": number, "payload_bytes": 56}
        there = {"eth_src": SERVER_MAC, "eth_dst": guest.mac, "src": SERVER_IP, "dst": guest.ip, "icmp_type": 8}
        back = {"eth_src": guest.mac, "eth_dst": SERVER_MAC, "src": guest.ip, "dst": SERVER_IP, "icmp_type": 0}
        heard = world.send(t, "down", {**icmp, **there}, None, guest.mac)
        if heard:
            world.send(heard + 60_000, "up", {**icmp, **back}, None, guest.mac)
        own = {**icmp, **back, "icmp_type": 8, "icmp_id": 99}
        if world.send(t + NS // 3, "up", own, None, guest.mac):
            answer = {**icmp, **there, "icmp_type": 0, "icmp_id": 99}
            world.send(t + NS // 3 + 2_000_000, "down", answer, None, guest.mac)


def history(plan: Plan) -> History:
    """Play one history: `plan.cause` strikes about one renewal after the middle, or never."""
    world = World(plan)
    dice, lease = world.dice, plan.lease_s * NS
    main = Guest(world, "fa:16:3e:24:e7:22", "10.0.0.5", main=True)
    start, renewals = EPOCH, 4
    end = EPOCH + int(lease * (renewals + 2.2))
    strike = EPOCH + int(lease * dice.uniform(1.6, 2.2))
    guilty = plan.cause is not None
    bad = plan.cause
    healthy = None if guilty else plan.healthy
    if bad == "link-dead-before-dhcp":
        world.drops = lambda t, way, step, dhcp: way == "down" and step == plan.segment and t >= strike
    if bad == "reply-not-delivered":
        world.drops = lambda t, way, step, dhcp: way == "down" and step == plan.segment and t >= strike and bool(dhcp)
    if bad == "request-not-delivered":
        world.drops = lambda t, way, step, dhcp: way == "up" and step == plan.segment and t >= strike and bool(dhcp)
    others = [Guest(world, f"fa:16:3e:00:00:{n:02x}", f"10.0.0.{20 + n}", main=False) for n in range(plan.clients - 1)]
    attempts: list[tuple[int, bool]] = []
    life = end
    t = start + int(dice.uniform(1, 5) * NS)
    t = main.boot(t)
    lost_once = healthy == "lost-once"
    count, first, lost_at = 0, 0, 0
    while True:
        due = t + main.first_wait()
        count += 1
        if bad == "client-gone" and due > strike:
            if plan.exits:
                main.event(due - lease // 8, "exited")
            lost_at = t + lease
            break
        if due > end:
            break
        if healthy == "released" and count == 3:
            main.say(due, "RELEASE", unicast=True, ciaddr=main.ip)
            life = due
            break
        if healthy == "deleted" and count == 3:
            life = due - lease // 8
            break
        if healthy == "moved" and count == 3:
            life = due - lease // 8
            break
        if healthy == "init-reboot" and count in (2, 3):
            main.fresh()
            heard, _ = main.say(t + int(lease * dice.uniform(0.05, 0.4)), "REQUEST", requested=main.ip)
            t = main.bind(heard or t)
            continue
        if healthy in ("rediscover", "nak-reboot") and count == 2:
            again = t + int(lease * dice.uniform(0.1, 0.4))
            if healthy == "nak-reboot":
                main.fresh()
                main.say(again - NS, "REQUEST", requested="10.0.0.99", wrong=True)
            t = main.boot(again)
            continue
        if healthy == "inform" and count == 2:
            main.fresh()
            main.say(t + lease // 5, "INFORM", ciaddr=main.ip, unicast=True)
        if lost_once and count == 3:
            world.drops = _until(due + NS)
        if due >= strike and bad in ("client-deaf", "server-silent", "refused"):
            main.deaf, main.server_silent, main.refuse = bad == "client-deaf", bad == "server-silent", bad == "refused"
        tried: list[tuple[int, bool]] = []
        before = main.lease_end
        bound = main.renewal(due, tried)
        if not bound:
            attempts, first, lost_at = tried, tried[0][0], before
            break
        t = bound
    last = attempts[-1][0] if attempts else 0
    if bad == "refused" and attempts:
        last = attempts[-1][0] + 50_000_000
        for n in range(3):
            main.fresh()
            last += int(dice.uniform(3, 8) * NS) if n else 0
            main.say(last, "DISCOVER")
    elif attempts:
        main.event(lost_at, "expired", ip=main.ip)
        last = lost_at
        for _ in range(3):
            last += int(dice.uniform(3, 8) * NS)
            main.fresh()
            main.say(last, "DISCOVER")
        main.event(last + 8 * NS, "no_offers")
        if plan.client == "dhclient" and plan.exits:
            main.event(last + 9 * NS, "exited")
    _others(world, others, start, end, strike, bad)
    stop = life
    rate = plan.rate
    traffic(world, main, start + 6 * NS, lost_at if attempts else stop, rate)
    if attempts and healthy is None and plan.pings:
        _afterwards(world, main, lost_at, end)
    if healthy in ("deleted", "released", "moved", "plain") or guilty:
        world.log("web-3/syslog", stop, LogRecord, {**CRON, "message": "cron"})
    for n in range(40):
        at = start + (end - start) * n // 40
        world.log("controller/syslog", at, LogRecord, {**CRON, "message": "tick"})
    if healthy == "mid-start":
        start += int(lease * 1.9)
    if healthy == "cut-end":
        asked = [row[0] for row in world.pending if row[2] is DhcpMessage and row[0] > EPOCH + lease]
        end = min(asked, default=end) + 500_000
    result = world.finish(start, end)
    if guilty and (attempts or bad == "client-gone"):
        _tell(result, main, world, attempts, bad or "", first, lost_at, last, strike)
    return result


def _until(end: int) -> Any:
    """Answers get lost on the last hop for a moment."""
    return lambda t, way, step, dhcp: bool(dhcp) and way == "down" and step == 0 and t < end


def _others(world: World, others: list[Guest], start: int, end: int, strike: int, bad: str | None) -> None:
    """Other clients live on the same network; a fault of the server's is a fault for all of them."""
    plan = world.plan
    keep, lease = world.drops, plan.lease_s * NS
    for guest in others:
        world.drops = lambda t, way, step, dhcp: step == 0
        t = guest.boot(start + int(world.dice.uniform(0.1, 3) * NS)) or start + NS
        guest.lease_end = t + lease
        while t < end:
            t += int(lease * world.dice.uniform(0.4, 0.5))
            guest.fresh()
            if t < end:
                row = {"unicast": True, "ciaddr": guest.ip}
                world.drops = lambda t, way, step, dhcp: step == 0 and way == "up"
                _far_only(world, guest, t, row)
    if plan.healthy == "foreign-discover" and bad is None:
        ghost = Guest(world, "00:11:22:33:44:55", "10.0.0.77", main=False, refuse=True)
        world.drops = lambda t, way, step, dhcp: False
        for n in range(6):
            ghost.fresh()
            ghost.say(start + (n + 1) * (end - start) // 8, "DISCOVER")
    if plan.healthy == "bystander" and bad is None:
        ghost = Guest(world, "fa:16:3e:99:99:99", "10.0.0.78", main=False)
        world.drops = lambda t, way, step, dhcp: way == "down"
        ghost.xid = 4711
        ghost.say(start + 5 * NS, "REQUEST", requested=ghost.ip)
    world.drops = keep


def _far_only(world: World, guest: Guest, t: int, row: dict[str, Any]) -> None:
    """Another client's renewal as the controller sees it: its own compute host is not watched."""
    keep, seen = world.plan.sources, tuple(s for s in world.plan.sources if s.startswith("controller"))
    world.drops = lambda t, way, step, dhcp: False
    world.plan.sources = seen
    guest.say(t, "REQUEST", **row)
    world.plan.sources = keep


def _afterwards(world: World, guest: Guest, start: int, end: int) -> None:
    """The client still asks for the gateway's address, the gateway for its: ARP, unanswered at the client's end."""
    for n in range(20):
        at = start + (end - start) * n // 20
        ask = {"eth_src": SERVER_MAC, "eth_dst": BROADCAST, "src": None, "dst": None, "arp_op": 1,
               "arp_sender_mac": SERVER_MAC, "arp_sender_ip": SERVER_IP, "arp_target_ip": guest.ip}  # fmt: skip
        world.send(at, "down", ask, None, guest.mac)


def _tell(
    result: History, main: Guest, world: World, attempts: list[tuple[int, bool]], cause: str, first: int, lost_at: int,
    last: int, strike: int,
) -> None:  # fmt: skip
    plan = world.plan
    result.truth = {
        "cause": cause,
        "mac": main.mac,
        "ip": main.ip,
        "unicast_attempts": sum(unicast for _, unicast in attempts),
        "broadcast_attempts": sum(not unicast for _, unicast in attempts),
        "first": first or None,
        "gave_up": max(last, lost_at) if cause != "client-gone" else lost_at,
        "lease_s": float(plan.lease_s),
        "strike": strike,
        "server_replies": len(attempts)
        if cause in ("reply-not-delivered", "client-deaf", "link-dead-before-dhcp")
        else 0,
    }
    if cause == "refused":
        result.truth["server_replies"] = len(attempts)
