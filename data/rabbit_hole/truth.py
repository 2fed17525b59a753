"""What is true of a half: from what was done, the programs' own logs, curl, and tshark's reading of the capture."""

import json
import re
import subprocess
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from _lab import AstrayError
from plan import LOUD, USERS

STAMPED = r"^(\S+ \S+) \[\w+\] <[\d.]+> "
ACCESS = r'"POST /v2/\w+/servers/{uuid}/action HTTP/1\.1" 200 (\d+) '
CONNECTION, BLOCKED, UNBLOCKED = 10, 60, 61  # AMQP class and methods
LARGE_BYTES = 100_000
HEADER = re.compile("020001[0-9a-f]{8}003c0000([0-9a-f]{16})")
"""A content header on channel 1: type, channel, size, class, weight, body size. tshark decodes no frame that the snap
length cut, and loses its place behind one; these 22 octets are never cut, and no console text looks like them."""


def truth(
    half: str, evidence: Path, work: Path, addresses: dict[str, str], ahead_s: dict[str, float], zones: dict[str, str]
) -> dict[str, Any]:
    """The findings to expect, the clocks, and what other people's tools counted."""
    broker = (evidence / "mq1" / "rabbit@mq1.log").read_text()
    ahead = timedelta(seconds=ahead_s["mq1"])
    alarms: dict[str, list[dict[str, str]]] = {}
    for state in ("set", "cleared"):
        told = re.findall(rf"{STAMPED}memory resource limit alarm {state} on node (\S+?)\.?$", broker, re.MULTILINE)
        times = [instant(datetime.fromisoformat(at).astimezone(UTC) - ahead) for at, _ in told]
        alarms[state] = [{"at": at, "node": node, "kind": "memory"} for at, (_, node) in zip(times, told, strict=True)]
    uuid = LOUD["uuid"]
    access = re.findall(ACCESS.format(uuid=uuid), (evidence / "cloud" / "nova-api.log").read_text())
    replies = [int(size) for size in access]
    got = [step for step in journal(work / "received") if step["path"] == f"/{uuid}/action"]
    received = [step["received_bytes"] for step in got]
    answers = [answer["body_bytes"] for answer in journal(work / "answers") if answer["instance"] == uuid]
    compute = (evidence / "cc12" / "nova-compute.log").read_text()
    requests = len(re.findall(rf"\[instance: {uuid}\] Get console output$", compute, re.MULTILINE))
    log = work / "cc12" / "nova" / "instances" / f"instance-{LOUD['id']:08x}" / "console.log"
    if not requests == len(replies) == len(received) == len(answers) or sorted(replies) != sorted(received):
        raise AstrayError(f"a request went missing: {requests} asked, {replies} logged, {received} received")
    if bool(alarms["set"]) != (half == "guilty") or len(alarms["set"]) != len(alarms["cleared"]):
        raise AstrayError(f"the broker's alarms went another way than told: {alarms}")
    wire = on_the_wire(evidence / "mq1" / "eth0.pcap.gz", addresses)
    wire["reply_body_bytes"] = sum(answers)
    facts = {
        "instance": uuid,
        "console_bytes": log.stat().st_size,
        "console_lines": log.read_bytes().count(b"\n"),
        "requests": requests,
        "carried_bytes": sum(replies),
        "requested_by": [USERS[LOUD["user"]]["id"]],
        "broker_alarms": alarms["set"],
    }
    alarm = {"node": "rabbit@mq1", "kind": "memory", "alarms": len(alarms["set"])}
    guilty = [{"kind": "console-log-flood", "facts": facts}, {"kind": "broker-alarm", "facts": alarm}]
    used = re.findall(r"vm_memory_high_watermark set\. Memory used:(\d+) allowed:(\d+)", broker)
    return {
        "findings": guilty if half == "guilty" else [],
        "on_the_wire": wire,
        "in_the_api_log": {"replies": len(replies), "reply_bytes": sum(replies), "largest_reply_bytes": max(replies)},
        "in_the_brokers_log": {
            "alarms_set": alarms["set"],
            "alarms_cleared": alarms["cleared"],
            "memory_used_bytes": [int(one) for one, _ in used],
            "memory_allowed_bytes": sorted({int(limit) for _, limit in used}),
            "connections_accepted": len(re.findall("accepting AMQP connection", broker)),
        },
        "clocks": {
            path.relative_to(evidence).as_posix(): {
                "offset_s": ahead_s.get(path.parent.name, 0),
                "zone": "UTC" if "pcap" in path.name else zones.get(path.parent.name, "UTC"),
            }
            for path in sorted(evidence.glob("*/*"))
            if path.suffix in {".log", ".gz"}
        },
    }


def instant(at: datetime) -> str:
    """ISO 8601 in UTC, to the nanosecond."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}000Z"


def journal(path: Path) -> list[dict[str, Any]]:
    """What a program noted for the truth alone."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def fields(capture: Path, what: str, *names: str) -> list[list[str]]:
    """Fields of the packets that `what` lets pass, as tshark reads them."""
    columns = [part for name in names for part in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", *columns]
    said = subprocess.run([*command, "-Y", what], capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in said.splitlines()]


def on_the_wire(capture: Path, addresses: dict[str, str]) -> dict[str, Any]:
    """Octets of the TCP streams by their sequence numbers, and how often the broker blocked a publisher."""
    packets = fields(capture, "tcp", "ip.src", "ip.dst", "tcp.stream", "tcp.seq", "tcp.len")
    ends: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [1 << 62, 0])
    for src, dst, stream, seq, size in packets:
        if int(size):
            span = ends[src, dst, stream]
            span[:] = min(span[0], int(seq)), max(span[1], int(seq) + int(size))
    octets: dict[tuple[str, str], int] = defaultdict(int)
    for (src, dst, _), (first, end) in ends.items():
        octets[src, dst] += end - first
    told: dict[str, Any] = {"packets": len(packets)}
    for name in ("cc12", "cc07", "cloud"):
        told[f"{name}_to_broker_bytes"] = octets[addresses[name], addresses["mq1"]]
        told[f"broker_to_{name}_bytes"] = octets[addresses["mq1"], addresses[name]]
    for name, method in (("blocked", BLOCKED), ("unblocked", UNBLOCKED)):
        what = f"amqp.method.class == {CONNECTION} && amqp.method.method == {method}"
        told[f"connections_{name}"] = len(fields(capture, what, "frame.number"))
    payloads = fields(capture, "tcp.len > 0", "ip.dst", "tcp.payload")
    for name, published in (("published", True), ("delivered", False)):
        bodies = [HEADER.findall(data) for dst, data in payloads if (dst == addresses["mq1"]) is published]
        sizes = sorted(int(size, 16) for found in bodies for size in found)
        told[f"large_bodies_{name}"] = [size for size in sizes if size >= LARGE_BYTES]
    return told
