"""What is true of a half: from what was done, from tshark's reading of the captures, and from the programs' logs."""

import gzip
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from _lab import AstrayError
from faults import FAULTS
from incident import AHEAD_S, CLIENT, LEASE_S, MAC, NAME, SERVER, ZONE

FIELDS = (
    "frame.time_epoch", "eth.src", "eth.dst", "ip.dst", "dhcp.option.dhcp", "dhcp.option.ip_address_lease_time",
    "dhcp.hw.mac_addr", "udp.checksum.status",
)  # fmt: skip
DISCOVER, REQUEST, ACK, NAK = "1", "3", "5", "6"
BAD = "0"
OURS = "dhclient[^\n]*: "


def read(capture: Path, what: str = "") -> list[dict[str, str]]:
    """A capture's packets as tshark reads them; `frame.time_epoch` in whole nanoseconds."""
    columns = [part for field in FIELDS for part in ("-e", field)]
    command = ["tshark", "-n", "-o", "udp.check_checksum:TRUE", "-r", str(capture)]
    command += ["-T", "fields", "-E", "occurrence=f", *columns, *(["-Y", what] if what else [])]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    packets = [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]
    for packet in packets:
        whole, fraction = packet["frame.time_epoch"].split(".")
        packet["frame.time_epoch"] = whole + fraction.ljust(9, "0")
    return packets


def at(packet: dict[str, str]) -> int:
    """When a packet passed, in nanoseconds since 1970."""
    return int(packet["frame.time_epoch"])


def instant(nanoseconds: int) -> str:
    """ISO 8601 in UTC."""
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"


def logged(evidence: Path, host: str, pattern: str) -> int:
    """How many lines of a host's syslog fit."""
    text = b"".join(gzip.decompress(p.read_bytes()) for p in sorted((evidence / host).glob("syslog.*.gz")))
    text += (evidence / host / "syslog").read_bytes()
    return len(re.findall(pattern, text.decode(), re.MULTILINE))


def clocks() -> dict[str, dict[str, object]]:
    """How the sources' clocks were set apart."""
    return {
        "controller/syslog": {"offset_s": AHEAD_S, "zone": ZONE},
        "controller/syslog.1.gz": {"offset_s": AHEAD_S, "zone": ZONE},
        "controller/br100.pcap.gz": {"offset_s": AHEAD_S, "zone": "UTC"},
        f"{NAME}/syslog": {"offset_s": 0, "zone": "UTC"},
        f"{NAME}/eth0.pcap.gz": {"offset_s": 0, "zone": "UTC"},
    }


def truth(half: str, evidence: Path, struck: int) -> dict[str, object]:
    """The truth file of a half; a run that went another way than told is an error."""
    fault = FAULTS[half]
    # `pool_exhausted` has other clients, too; `server_stopped` has ICMP errors that quote requests.
    own = f"dhcp && !icmp && dhcp.hw.mac_addr == {MAC}"
    near, far = read(evidence / NAME / "eth0.pcap.gz", own), read(evidence / "controller" / "br100.pcap.gz", own)
    taken = logged(evidence, NAME, rf"{OURS}bound to")
    acks = logged(evidence, "controller", rf"DHCPACK\(br100\) \S+ {MAC}")
    heard = [packet for packet in near if packet["dhcp.option.dhcp"] == ACK]
    check(taken > fault.renewals, "it was bound too few times")
    if not fault.cause:
        check(acks == len(heard) == taken == logged(evidence, NAME, "DHCPREQUEST for"), "an answer went missing")
        return {"findings": [], "clocks": clocks()}
    granted = heard[taken - 1]  # the last answer that dhclient took
    after = [packet for packet in near if at(packet) > at(granted)]
    asked = [packet for packet in after if packet["dhcp.option.dhcp"] == REQUEST]
    told = [packet for packet in after if packet["eth.src"] == MAC]
    beyond = at(granted) + round(AHEAD_S * 1e9) + 10**8  # by the controller's clock, and past that ACK
    at_server = [packet for packet in far if at(packet) > beyond]
    end = at(granted) + LEASE_S * 10**9
    refused = logged(evidence, "controller", rf"DHCPNAK\(br100\) \S+ {MAC}")
    log = (evidence / NAME / "syslog").read_text().rpartition("bound to")[2]
    facts = {
        "cause": fault.cause,
        "mac": MAC,
        "ip": CLIENT,
        "server": SERVER,
        "unicast_attempts": len(re.findall(rf"{OURS}DHCPREQUEST for \S+ on eth0 to {re.escape(SERVER)} ", log)),
        "broadcast_attempts": len(re.findall(rf"{OURS}DHCPREQUEST for \S+ on eth0 to 255\.255\.255\.255 ", log)),
        "server_replies": refused if fault.cause == "refused" else acks - taken,
        "first_unanswered_at": instant(at(asked[0])) if asked else None,
        "silence_at": None,
        "lead_s": None,
        "gave_up_at": instant(max([end, *(at(packet) for packet in told)])),
        "lease_s": int(granted["dhcp.option.ip_address_lease_time"]),
    }
    wire = {
        "unicast_requests_left_the_client": sum(packet["ip.dst"] == SERVER for packet in asked),
        "broadcast_requests_left_the_client": sum(packet["ip.dst"] != SERVER for packet in asked),
        "requests_reached_the_server": kinds(at_server, REQUEST),
        "acks_left_the_server": kinds(at_server, ACK),
        "lease_ended_at": instant(end),
    }
    if fault.cause == "link-dead-before-dhcp":
        reached = [at(packet) for packet in read(evidence / NAME / "eth0.pcap.gz") if packet["eth.src"] != MAC]
        facts |= {"silence_at": instant(reached[-1]), "lead_s": (at(asked[0]) - reached[-1]) / 1e9}
    else:
        wire |= more(evidence, struck, after, at_server)
    verify(fault.cause, wire)
    finding = {"kind": "dhcp-renewal-failure", "facts": facts}
    return {"findings": [finding], "fault_struck_at": instant(struck), "on_the_wire": wire, "clocks": clocks()}


def more(evidence: Path, struck: int, after: list[dict[str, str]], at_server: list[dict[str, str]]) -> dict[str, int]:
    """Counts that tell causes apart: DHCP since the last answer that dhclient took, others since the fault."""
    others = read(evidence / NAME / "eth0.pcap.gz", f"!dhcp && eth.dst == {MAC}")
    wrong = [packet for packet in after if packet["eth.src"] != MAC and packet["udp.checksum.status"] == BAD]
    return {
        "acks_reached_the_client": kinds(after, ACK),
        "naks_left_the_server": kinds(at_server, NAK),
        "naks_reached_the_client": kinds(after, NAK),
        "answers_with_a_bad_checksum_reached_the_client": len(wrong),
        "discovers_left_the_client": kinds(after, DISCOVER),
        "discovers_reached_the_server": kinds(at_server, DISCOVER),
        "other_frames_reached_the_client": sum(at(packet) > struck for packet in others),
    }


def kinds(packets: list[dict[str, str]], kind: str) -> int:
    """How many messages are of a type."""
    return sum(packet["dhcp.option.dhcp"] == kind for packet in packets)


def verify(cause: str, wire: dict[str, object]) -> None:
    """Whether the wire bears out the cause that was arranged."""
    n = {key: count for key, count in wire.items() if isinstance(count, int)}
    left = n["unicast_requests_left_the_client"] + n["broadcast_requests_left_the_client"]
    reached, acks, lost = n["requests_reached_the_server"], n["acks_left_the_server"], n.get("acks_reached_the_client")
    alive = bool(n.get("other_frames_reached_the_client"))
    fits = {
        "link-dead-before-dhcp": left > 0,
        "server-silent": left == reached > 0 == acks and alive,
        "reply-not-delivered": left == reached == acks > 0 == lost and alive,
        "request-not-delivered": left > 0 == reached == acks and alive,
        "client-deaf": left == acks == lost > 0 and n.get("answers_with_a_bad_checksum_reached_the_client", 0) >= acks,
        "refused": left == n.get("naks_reached_the_client") == 1 and acks == 0,
        "client-gone": left == n.get("discovers_left_the_client") == 0 and alive,
    }
    check(fits[cause], f"{cause}: {wire}")


def check(holds: bool, what: str) -> None:
    """End the run with a word where it did not go as told."""
    if not holds:
        raise AstrayError(f"the run went another way than told ({what})")
