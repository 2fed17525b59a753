"""What stands around a cause: what the truth says, the committed evidence holds, by other people's tools."""

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests._system import program

CASE = Path(__file__).resolve().parents[2] / "data" / "around_the_cause"
HALVES = ["guilty", "healthy"]
RIVAL, TWICE = "fa:16:3e:e0:31:7c", "10.0.0.20"


def truth(half: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((CASE / f"{half}.truth.json").read_text())
    return told


def tshark(half: str, what: str, field: str) -> list[str]:
    capture = CASE / half / "controller" / "eth1.pcap.gz"
    command = [program("tshark"), "-n", "-r", str(capture), "-Y", what, "-T", "fields", "-e", field]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("half", HALVES)
def test_tshark_counts_what_the_truth_counts(half: str) -> None:
    wire = truth(half)["on_the_wire"]
    claims = tshark(half, f"arp.src.proto_ipv4 == {TWICE}", "arp.src.hw_mac")
    assert {mac: claims.count(mac) for mac in claims} == wire["claims"]
    servers = tshark(half, f"eth.src == {RIVAL} && dhcp.type == 2", "dhcp.option.dhcp_server_id")
    assert len(servers) == wire["answers_of_build_1"]
    assert set(servers) == {"192.168.122.1" if half == "guilty" else "10.0.0.3"}


@pytest.mark.parametrize("half", HALVES)
def test_only_the_guilty_half_has_alarms_a_hole_and_a_tag_without_room(half: str) -> None:
    log = gzip.decompress((CASE / half / "mq1" / "rabbit@mq1.log.gz").read_bytes()).decode()
    alarms = {
        one["facts"]["kind"]: one["facts"]["alarms"] for one in truth(half)["findings"] if "alarms" in one["facts"]
    }
    guilty = half == "guilty"
    assert {kind: log.count(f"{kind} resource limit alarm set") for kind in ("memory", "disk")} == {
        kind: alarms.get(kind, 0) for kind in ("memory", "disk")
    }
    assert bool(alarms) == guilty
    assert (bytes(4096) in (CASE / half / "compute" / "eth1.pcap").read_bytes()) == guilty
    listed = (CASE / half / "compute" / "ip_-d_link.txt").read_text()
    assert f"vlan protocol {'802.1Q' if guilty else '802.1ad'} id 20 " in listed


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in CASE.rglob("*.*") if path.is_file()) < 200 * 1024
