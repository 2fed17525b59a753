"""What is true of a half: from what was done, from tshark's reading of the captures, and from the broker's log."""

import gzip
import re
import subprocess
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from _lab import AstrayError

TWICE, ROGUE = "10.0.0.20", "192.168.122.1"
NODE = "rabbit@mq1"
SET, CLEARED = "{} resource limit alarm set on node", "{} resource limit alarm cleared on node"


def tshark(capture: Path, what: str, *fields: str) -> list[list[str]]:
    """Fields of the packets that fit."""
    columns = [part for field in fields for part in ("-e", field)]
    command = ["tshark", "-n", "-r", str(capture), "-Y", what, "-T", "fields", "-E", "occurrence=f", *columns]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


def truth(evidence: Path, macs: dict[str, str], torn: dict[str, int] | None, *, guilty: bool) -> dict[str, Any]:
    """The content of the truth file."""
    capture = evidence / "controller" / "eth1.pcap.gz"
    claims = tshark(capture, f"arp.src.proto_ipv4 == {TWICE}", "frame.time_epoch", "arp.src.hw_mac", "arp.opcode")
    spoken = [mac for _, mac, _ in claims]
    changes = sum(one != other for one, other in pairwise(spoken))
    wire = {
        "claims": {mac: spoken.count(mac) for mac in sorted(set(spoken))},
        "changes": changes,
        "answers_of_build_1": len(answers(capture, macs["build-1"])),
    }
    check(len(set(spoken)) == 2, f"two machines had {TWICE}: {wire}")
    check(wire["answers_of_build_1"] > 3, f"the second server answered: {wire}")
    check((changes > 5) == guilty and changes > 0, f"claims: {wire}")
    found = findings(evidence, macs, torn, wire) if guilty else []
    return {"findings": found, "on_the_wire": wire, "clocks": {}} | ({"torn": torn} if torn else {})


def findings(
    evidence: Path, macs: dict[str, str], torn: dict[str, int] | None, wire: dict[str, Any]
) -> list[dict[str, Any]]:
    """What is to be told of the guilty half."""
    rows = answers(evidence / "controller" / "eth1.pcap.gz", macs["build-1"])
    assert torn
    told = [
        ("duplicate-ip", {"ip": TWICE, "macs": sorted(wire["claims"]), "changes": wire["changes"],
                          "announcements": wire["claims"]}),
        ("rogue-dhcp-server", {"server": ROGUE, "mac": macs["build-1"], "offers": len(rows),
                               "clients": len({row[2] for row in rows}), "offered": sorted({row[3] for row in rows}),
                               "rivals": ["10.0.0.1"]}),
        *(("broker-alarm", alarm) for alarm in alarms(evidence / "mq1" / "rabbit@mq1.log.gz")),
        ("stacked-vlan", {"outer_vid": 20, "inner_vid": 100, "overhead_bytes": 4, "interface": "vlan100",
                          "parent_interface": "vlan20"}),
        ("evidence-damaged", {"source": "compute/eth1.pcap", "gaps": 1, "lost_bytes": torn["lost_bytes"],
                              "first_gap_offset_bytes": torn["first_gap_offset_bytes"]}),
    ]  # fmt: skip
    return [{"kind": kind, "facts": facts} for kind, facts in told]


def answers(capture: Path, mac: str) -> list[list[str]]:
    """What a DHCP server sent: time, type, client, address."""
    kinds = "dhcp.option.dhcp in {2, 5, 6}"
    return tshark(capture, f"eth.src == {mac} && {kinds}", "frame.time_epoch", "dhcp.option.dhcp", "dhcp.hw.mac_addr",
                  "dhcp.ip.your")  # fmt: skip


def alarms(path: Path) -> list[dict[str, Any]]:
    """How often each alarm was raised, and for how long it stood."""
    log = gzip.decompress(path.read_bytes()).decode()
    told = []
    for kind in ("memory", "disk"):
        begun, ended = (instants(log, words.format(kind)) for words in (SET, CLEARED))
        check(len(begun) == len(ended) > 0, f"the broker's {kind} alarms: {begun}, {ended}")
        lasted = sum((end - start).total_seconds() for start, end in zip(begun, ended, strict=True))
        told.append({"node": NODE, "kind": kind, "alarms": len(begun), "lasted_s": round(lasted, 3)})
    return told


def instants(log: str, words: str) -> list[datetime]:
    """When the broker said so."""
    found = re.findall(rf"^(\S+ \S+) \[\w+\] [^\n]*{words}", log, re.MULTILINE)
    return [datetime.fromisoformat(stamp) for stamp in found]


def check(holds: bool, what: str) -> None:
    """End the run with a word where it did not go as told."""
    if not holds:
        raise AstrayError(f"the run went another way than told ({what})")
