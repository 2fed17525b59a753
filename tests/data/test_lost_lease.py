"""The lost lease: what each half's truth says, its evidence holds: by tshark, by plain reading, by our loaders."""

import gzip
import json
import re
import subprocess
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import forensics
from forensics.analysis._lease_verdict import CAUSES
from forensics.records import DhcpMessage
from tests._bundled import Bundled
from tests._system import program

CASE = Path(__file__).resolve().parents[2] / "data" / "lost_lease"
HALVES = sorted(path.name.split(".")[0] for path in CASE.glob("*.truth.json"))
LOST = [half for half in HALVES if half != "healthy"]
ALIVE = [half for half in LOST if half != "guilty"]
NEAR, FAR = "web-3/eth0.pcap.gz", "controller/br100.pcap.gz"
AHEAD_S = 6.5
DISCOVER, OFFER, REQUEST, ACK, NAK = "1", "2", "3", "5", "6"
BAD = "0"
KINDS = {DISCOVER: "DISCOVER", OFFER: "OFFER", REQUEST: "REQUEST", ACK: "ACK", NAK: "NAK"}


@cache
def truth(half: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((CASE / f"{half}.truth.json").read_text())
    return told


def facts(half: str) -> dict[str, Any]:
    (finding,) = truth(half)["findings"]
    found: dict[str, Any] = finding["facts"]
    return found


@cache
def tshark(half: str, source: str, what: str, *fields: str) -> list[list[str]]:
    columns = [part for field in ("frame.time_epoch", *fields) for part in ("-e", field)]
    command = [program("tshark"), "-n", "-r", str(CASE / half / source), "-Y", what, "-T", "fields"]
    command += ["-E", "occurrence=f", "-o", "udp.check_checksum:TRUE", *columns]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in said.splitlines()]


def nanoseconds(text: str) -> int:
    """Of tshark's seconds since 1970, or of an ISO stamp in UTC."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    since = int(datetime.fromisoformat(whole + "+00:00").timestamp()) if "T" in whole else int(whole)
    return since * 10**9 + int(fraction.ljust(9, "0"))


def exchanged(half: str, source: str) -> list[list[str]]:
    """The instance's own DHCP messages: time, type, destination, lease, transaction, how the UDP checksum is."""
    what = "dhcp && !icmp && dhcp.hw.mac_addr == fa:16:3e:4b:77:d2"  # ICMP errors quote requests
    fields = ("dhcp.option.dhcp", "ip.dst", "dhcp.option.ip_address_lease_time", "dhcp.id")
    return tshark(half, source, what, *fields, "udp.checksum.status")


def afterwards(half: str, source: str) -> list[list[str]]:
    """Those since the last answer that the client took, by the lease's end."""
    granted = nanoseconds(truth(half)["on_the_wire"]["lease_ended_at"]) - facts(half)["lease_s"] * 10**9
    if source == FAR:
        granted += round((AHEAD_S + 0.1) * 1e9)
    return [row for row in exchanged(half, source) if nanoseconds(row[0]) > granted]


def text(half: str, host: str) -> str:
    """A host's whole syslog, the rotated part first."""
    older = sorted((CASE / half / host).glob("syslog.*.gz"), reverse=True)
    return "".join(
        [*(gzip.decompress(path.read_bytes()).decode() for path in older), (CASE / half / host / "syslog").read_text()]
    )


def numbers(rows: list[list[str]]) -> dict[str, int]:
    """How many messages of each type."""
    return {name: sum(row[1] == kind for row in rows) for kind, name in KINDS.items()}


def test_every_cause_of_the_catalogue_is_there() -> None:
    assert {facts(half)["cause"] for half in LOST} == set(CAUSES)
    assert truth("healthy")["findings"] == []


@pytest.mark.parametrize("half", LOST)
def test_tshark_counts_what_the_truth_counts(half: str) -> None:
    near, far, wire = afterwards(half, NEAR), afterwards(half, FAR), truth(half)["on_the_wire"]
    asked = [row for row in near if row[1] == REQUEST]
    alone = sum(row[2] == "10.0.0.1" for row in asked)
    assert wire["unicast_requests_left_the_client"] == alone
    assert wire["broadcast_requests_left_the_client"] == len(asked) - alone
    assert wire["requests_reached_the_server"] == numbers(far)["REQUEST"]
    assert wire["acks_left_the_server"] == numbers(far)["ACK"]
    if half == "guilty":
        return
    assert wire["acks_reached_the_client"] == numbers(near)["ACK"]
    assert wire["naks_reached_the_client"] == numbers(near)["NAK"]
    assert wire["naks_left_the_server"] == numbers(far)["NAK"]
    assert wire["discovers_left_the_client"] == numbers(near)["DISCOVER"]
    assert wire["discovers_reached_the_server"] == numbers(far)["DISCOVER"]
    spoilt = [row for row in near if row[1] in (OFFER, ACK, NAK) and row[5] == BAD]
    assert wire["answers_with_a_bad_checksum_reached_the_client"] == len(spoilt)


@pytest.mark.parametrize("half", LOST)
def test_the_instants_are_those_of_the_instances_capture(half: str) -> None:
    told, near = facts(half), exchanged(half, NEAR)
    end = nanoseconds(truth(half)["on_the_wire"]["lease_ended_at"])
    (granted,) = (row for row in near if nanoseconds(row[0]) == end - told["lease_s"] * 10**9)
    assert (granted[1], int(granted[3])) == (ACK, told["lease_s"])
    later = near[near.index(granted) + 1 :]
    first = next((row for row in later if row[1] == REQUEST), None)
    assert (told["first_unanswered_at"] is None) == (first is None)
    if first:
        assert nanoseconds(told["first_unanswered_at"]) == nanoseconds(first[0])
    last = max((nanoseconds(row[0]) for row in later if row[1] in (DISCOVER, REQUEST)), default=0)
    assert nanoseconds(told["gave_up_at"]) == max(last, end)


@pytest.mark.parametrize("half", LOST)
def test_the_programs_logs_count_what_the_facts_count(half: str) -> None:
    told = facts(half)
    client, server = text(half, "web-3"), text(half, "controller")
    before, _, after = client.rpartition("bound to")
    taken = before.count("bound to") + 1
    assert len(re.findall(r"DHCPREQUEST for 10\.0\.0\.5 on eth0 to 10\.0\.0\.1 ", after)) == told["unicast_attempts"]
    to_all = re.findall(r"DHCPREQUEST for 10\.0\.0\.5 on eth0 to 255\.255\.255\.255 ", after)
    assert len(to_all) == told["broadcast_attempts"]
    said = re.findall(r"DHCP(ACK|NAK)\(br100\) 10\.0\.0\.5 fa:16:3e:4b:77:d2", server)
    refused = said.count("NAK")
    assert (refused > 0) == (told["cause"] == "refused")
    assert told["server_replies"] == (refused or said.count("ACK") - taken)
    assert ("Exiting" in after) == (told["cause"] != "client-gone")


@pytest.mark.parametrize("half", ALIVE)
def test_the_wire_bears_out_the_cause_and_no_other(half: str) -> None:
    cause, near, far = facts(half)["cause"], numbers(afterwards(half, NEAR)), numbers(afterwards(half, FAR))
    struck = nanoseconds(truth(half)["fault_struck_at"])
    reached = tshark(half, NEAR, "!dhcp && eth.dst == fa:16:3e:4b:77:d2")
    others = sum(nanoseconds(row[0]) > struck for row in reached)
    assert others == truth(half)["on_the_wire"]["other_frames_reached_the_client"] > 100, "the link is alive"
    asks, arrives = near["REQUEST"] > 0, far["REQUEST"] == near["REQUEST"]
    answered, delivered = far["ACK"] == far["REQUEST"] > 0, near["ACK"] == far["ACK"]
    pattern = (asks, arrives, answered, delivered, far["NAK"] > 0)
    assert (
        pattern
        == {
            "server-silent": (True, True, False, True, False),
            "request-not-delivered": (True, False, False, True, False),
            "reply-not-delivered": (True, True, True, False, False),
            "client-deaf": (True, True, True, True, False),
            "refused": (True, True, False, True, True),
            "client-gone": (False, True, False, True, False),
        }[cause]
    )


def test_what_tells_halves_of_one_cause_apart() -> None:
    closed = {half: len(tshark(half, NEAR, "icmp.type == 3 && icmp.code == 3")) for half in LOST}
    asked = facts("server_stopped")["unicast_attempts"]
    assert closed == {half: asked if half == "server_stopped" else 0 for half in LOST}
    why = {half: set(re.findall(r"DHCPNAK\(br100\) \S+ \S+ (.+)", text(half, "controller"))) for half in LOST}
    assert why.pop("renumbered") == {"wrong network"}
    assert why.pop("pool_exhausted") == {"address not available"}
    assert set(map(frozenset, why.values())) == {frozenset()}
    for half in ("renumbered", "pool_exhausted"):
        assert "fa:16:3e:4b:77:d2 no address available" in text(half, "controller")
    spoilt = {
        half: any(row[5] == BAD and row[1] in (OFFER, ACK, NAK) for row in exchanged(half, NEAR)) for half in LOST
    }
    assert [half for half in LOST if spoilt[half]] == ["client_ignores"]


@pytest.mark.parametrize("half", HALVES)
def test_clocks_are_apart_as_told(half: str) -> None:
    # Retries share their transaction: the first of each is the one that both points hold.
    seen = [
        {(row[4], row[1], row[2]): nanoseconds(row[0]) for row in reversed(exchanged(half, place))}
        for place in (NEAR, FAR)
    ]
    lags = [seen[1][key] - seen[0][key] for key in seen[0].keys() & seen[1].keys() if key[1] in (DISCOVER, REQUEST)]
    assert len(lags) >= 3
    assert all(abs(lag / 1e9 - AHEAD_S) < 0.01 for lag in lags)
    assert truth(half)["clocks"] == truth("guilty")["clocks"]


@pytest.mark.parametrize("half", HALVES)
def test_halves_differ_in_the_fault_alone(half: str) -> None:
    """Same programs, same start, same load, same files, until it strikes."""
    files = {path.relative_to(CASE / half).as_posix() for path in (CASE / half).rglob("*") if path.is_file()}
    assert files == {*truth(half)["clocks"], "case.toml"}
    guilty, own = ((CASE / name / "case.toml").read_text() for name in ("guilty", half))
    assert own == guilty or half == "healthy"

    def start(name: str) -> list[str]:
        packed = gzip.decompress((CASE / name / "controller" / "syslog.1.gz").read_bytes()).decode()
        return [line[16:] for line in packed.splitlines()]

    assert start(half) == start("guilty")
    data = [nanoseconds(row[0]) for row in tshark(half, FAR, "tcp.dstport == 5201 && tcp.len == 1400")]
    rate = sum(at < data[0] + 60 * 10**9 for at in data) / 60
    assert 22 < rate < 24, "256 kbit/s in segments of 1400 octets"
    bound = re.findall(r"bound to 10\.0\.0\.5 -- renewal in (\d+)", text(half, "web-3"))
    assert len(bound) >= 2
    assert all(38 <= int(gap) <= 60 for gap in bound), "dnsmasq spreads renewals over T1 of 120 s"


@pytest.mark.parametrize("half", HALVES)
def test_loaders_read_it_all(half: str, bundled: Bundled) -> None:
    case = forensics.open_case(bundled("lost_lease", half))
    assert case.sources.filter(pl.col("rejects") > 0).rows() == []
    read = case.records(DhcpMessage).filter(pl.col("seen_by") == "capture").collect()
    for place in (NEAR, FAR):
        rows = read.filter((pl.col("source") == place) & (pl.col("chaddr") == "fa:16:3e:4b:77:d2"))
        kinds = {str(kind): count for kind, count in rows["message_type"].value_counts().iter_rows()}
        assert kinds == {name: count for name, count in numbers(exchanged(half, place)).items() if count}
