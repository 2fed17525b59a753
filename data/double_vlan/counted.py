"""What is true of a half: tshark's reading of the captures, compared point by point."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from _lab import AstrayError
from rendered import Tags

OUTSIDE, INSTANCE = "198.51.100.9", "10.0.100.5"
CAPTURES = ("outside/eth0", "controller/bond0", "compute/bond0", "web-1/eth0")  # in the order of the way in
FIELDS = (
    "vlan.id", "ieee8021ad.id", "ip.src", "ip.dst", "ip.len", "ip.flags.df", "icmp.type", "icmp.code", "icmp.ident",
    "icmp.seq", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.len", "frame.len",
)  # fmt: skip
REQUEST, REPLY, UNREACHABLE = "8", "0", "3"


class Probe(NamedTuple):
    """An echo request: who asked, its identifier and number, its IP total length."""

    src: str
    ident: str
    seq: str
    size: int


def read(capture: Path) -> list[dict[str, str]]:
    """A capture's packets as tshark reads them; tags joined by commas, outermost first."""
    columns = [part for field in FIELDS for part in ("-e", field)]
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "occurrence=a", *columns]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    packets = [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]
    for packet in packets:
        packet["tags"] = ",".join(t for t in (packet["ieee8021ad.id"], packet["vlan.id"]) if t)
    return packets


def echoes(packets: list[dict[str, str]], kind: str, src: str) -> dict[Probe, str]:
    """Echo requests (or replies) that `src` sent, and whether each may not be fragmented."""
    return {
        Probe(p["ip.src"], p["icmp.ident"], p["icmp.seq"], int(p["ip.len"])): p["ip.flags.df"]
        for p in packets
        if p["icmp.type"] == kind and p["ip.src"] == src
    }


def segments(packets: list[dict[str, str]], src: str) -> dict[tuple[str, str, str, str], int]:
    """Distinct TCP data segments that `src` sent, and their IP total length."""
    return {
        (p["tcp.srcport"], p["tcp.dstport"], p["tcp.seq_raw"], p["tcp.len"]): int(p["ip.len"])
        for p in packets
        if p["ip.src"] == src and p["tcp.len"] not in ("", "0")
    }


def by_tags(packets: list[dict[str, str]]) -> dict[str, int]:
    """How many frames carry which tags."""
    found: dict[str, int] = {}
    for packet in packets:
        found[packet["tags"] or "untagged"] = found.get(packet["tags"] or "untagged", 0) + 1
    return dict(sorted(found.items()))


def truth(evidence: Path, tags: Tags, dropped: int, ahead_s: dict[str, float], zone: str) -> dict[str, object]:
    """The findings to expect, the clocks, and what the wire carried; refuses a run that went another way than told."""
    seen = {point: read(evidence / f"{point}.pcap.gz") for point in CAPTURES}
    outside, controller, compute, instance = seen.values()
    guilty = tags.outer_vid == 20
    asked = echoes(outside, REQUEST, OUTSIDE) | echoes(instance, REQUEST, INSTANCE)
    answered = {
        Probe(OUTSIDE, p.ident, p.seq, p.size) for p in echoes(outside, REPLY, INSTANCE)
    } | {Probe(INSTANCE, p.ident, p.seq, p.size) for p in echoes(instance, REPLY, OUTSIDE)}  # fmt: skip
    lost = [probe for probe in asked if probe not in answered]
    # what went from compute to the controller, and what of it came there (tagged as a tenant's: before the routing)
    tenant = ",".join(str(t) for t in (tags.outer_vid, 100) if t)
    sent = [p for p in compute if p["ip.src"] == INSTANCE]
    came = [p for p in controller if p["ip.src"] == INSTANCE and p["tags"] == tenant]
    sizes_sent, sizes_came = (sorted(int(p["ip.len"]) for p in packets) for packets in (sent, came))
    vanished = list(sizes_sent)
    for size in sizes_came:
        vanished.remove(size)
    data = segments(instance, INSTANCE)
    lost_data = data.keys() - segments(outside, INSTANCE).keys()
    errors = [p for packets in seen.values() for p in packets if p["icmp.type"].startswith(UNREACHABLE)]
    needed = sum(p["icmp.code"].startswith("4") for p in errors)
    tagged = {point: by_tags(packets) for point, packets in seen.items()}
    stray = sum(n for names, n in tagged["outside/eth0"].items() if names != "untagged")
    agreed = (
        bool(vanished) == bool(lost) == bool(lost_data) == bool(stray) == guilty
        and dropped == len(vanished)
        and len(asked) == 2 * 2 * 3 * 13
        and not needed
        and {p["tags"] for p in compute if p["ip.src"]} == {tenant}
        and tagged["web-1/eth0"].keys() == {"untagged"}
    )
    if guilty:
        edge = min(vanished)
        agreed = agreed and max(sizes_came) < edge and lost == [p for p in asked if p.size >= edge]
    if not agreed:
        raise AstrayError(f"the run went another way than told ({len(lost)} of {len(asked)} echoes lost, "
                           f"{len(vanished)} packets vanished, {dropped} dropped, tags {tagged})")  # fmt: skip
    there = {
        "echo_requests": len(asked),
        "echo_requests_lost": len(lost),
        "echo_requests_by_outside": sum(p.src == OUTSIDE for p in asked),
        "echo_requests_by_outside_lost_as_reply": sum(p.src == OUTSIDE for p in lost),
        "echo_requests_by_instance": sum(p.src == INSTANCE for p in asked),
        "echo_requests_by_instance_lost_as_request": sum(p.src == INSTANCE for p in lost),
        "echo_requests_with_df_lost": sum(asked[p] in ("1", "True") for p in lost),
        "tcp_data_segments_by_instance": len(data),
        "tcp_data_segments_by_instance_lost": len(lost_data),
        "tcp_largest_segment_ip_bytes": max(data.values()),
        "ip_packets_compute_to_controller": len(sizes_sent),
        "ip_packets_compute_to_controller_lost": len(vanished),
        "dropped_by_the_interface": dropped,
        "largest_ip_bytes_compute_to_controller": max(sizes_came),
        "largest_frame_bytes_at_compute": max(int(p["frame.len"]) for p in compute),
        "fragmentation_needed": needed,
        "packets": {point: len(packets) for point, packets in seen.items()},
        "frames_by_tags": tagged,
    }
    clocks: dict[str, object] = {}
    for point in CAPTURES:
        host = point.partition("/")[0]
        clocks[f"{point}.pcap.gz"] = {"offset_s": ahead_s[host], "zone": "UTC"}
    for host in ("controller", "compute"):
        clocks[f"{host}/session.txt"] = {"offset_s": ahead_s[host], "zone": zone}
    told: dict[str, object] = {"findings": [], "on_the_wire": there, "clocks": clocks}
    if guilty:
        loss = {
            "largest_delivered_bytes": max(sizes_came),
            "smallest_lost_bytes": min(vanished),
            "lost_between": ["compute/bond0", "controller/bond0"],
            "probes": len(asked),
            "probes_lost": len(lost),
        }
        stacked = {
            "outer_vid": 20,
            "inner_vid": 100,
            "overhead_bytes": 4,
            "interface": "vlan100",
            "parent_interface": tags.parent,
        }
        told["findings"] = [
            {"kind": "stacked-vlan", "facts": stacked | loss},
            {"kind": "vlan-leak", "facts": {"capture_point": "outside/eth0", "vid": 100, "frames": stray}},
        ]
        told["explained"] = [
            {"kind": "size-dependent-loss", "facts": loss | {"direction": "both", "fragmentation_needed_seen": False}}
        ]
    return told
