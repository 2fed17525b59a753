"""The rabbit hole: what the truth says, the committed evidence holds, by other people's tools and by our loaders."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import forensics
from forensics import scan_records
from forensics.records import ApiRequest, BrokerEvent, BrokerTransfer, ConsoleRequest, FileSize, Instance
from tests._bundled import Bundled
from tests._system import program

CASE = Path(__file__).resolve().parents[2] / "data" / "rabbit_hole"
HALVES = ["guilty", "healthy"]
LOUD = "7c2f9d4e-6b1a-4c58-9e0f-3d2a1b5c8f70"
CAP_BYTES = 102_400


def truth(half: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((CASE / f"{half}.truth.json").read_text())
    return told


def tshark(half: str, what: str, *fields: str) -> list[list[str]]:
    columns = [part for field in fields for part in ("-e", field)]
    command = [program("tshark"), "-n", "-r", str(CASE / half / "mq1" / "eth0.pcap.gz"), "-Y", what, "-T", "fields"]
    command += ["-o", "tcp.desegment_tcp_streams:FALSE", *columns]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in said.splitlines()]


def rows(half: str, record: type[Any], what: str) -> pl.DataFrame:
    return scan_records(str(CASE / half / what), record).collect()


@pytest.mark.parametrize("half", HALVES)
def test_logs_say_what_the_truth_says(half: str) -> None:
    told = truth(half)
    api = (CASE / half / "cloud" / "nova-api.log").read_text()
    replies = [int(size) for size in re.findall(rf'servers/{LOUD}/action HTTP/1\.1" 200 (\d+) ', api)]
    assert told["in_the_api_log"] == {
        "replies": len(replies), "reply_bytes": sum(replies), "largest_reply_bytes": max(replies),
    }  # fmt: skip
    compute = (CASE / half / "cc12" / "nova-compute.log").read_text()
    assert compute.count(f"[instance: {LOUD}] Get console output\n") == len(replies)
    broker = (CASE / half / "mq1" / "rabbit@mq1.log").read_text()
    assert broker.count("memory resource limit alarm set on node") == len(told["in_the_brokers_log"]["alarms_set"])
    assert broker.count("alarm cleared on node") == len(told["in_the_brokers_log"]["alarms_cleared"])
    for finding in told["findings"]:
        if finding["kind"] == "console-log-flood":
            assert finding["facts"]["requests"] == len(replies)
            assert finding["facts"]["carried_bytes"] == sum(replies)


@pytest.mark.parametrize("half", HALVES)
def test_tshark_counts_what_the_truth_counts(half: str) -> None:
    wire = truth(half)["on_the_wire"]
    assert len(tshark(half, "tcp", "frame.number")) == wire["packets"]
    blocked = tshark(half, "amqp.method.class == 10 && amqp.method.method == 60", "frame.number")
    assert len(blocked) == wire["connections_blocked"]


def test_the_twins_differ_in_the_answers_alone() -> None:
    guilty, healthy = truth("guilty"), truth("healthy")
    assert (healthy["findings"], healthy["in_the_brokers_log"]["alarms_set"]) == ([], [])
    assert guilty["in_the_api_log"]["replies"] == healthy["in_the_api_log"]["replies"]
    assert healthy["in_the_api_log"]["largest_reply_bytes"] < 2 * CAP_BYTES
    facts = guilty["findings"][0]["facts"]
    assert guilty["in_the_api_log"]["largest_reply_bytes"] > facts["console_bytes"]
    assert guilty["clocks"] == healthy["clocks"]
    for half in HALVES:
        found = {path.relative_to(CASE / half).as_posix() for path in (CASE / half).rglob("*") if path.is_file()}
        assert {name for name in found if name != "case.toml"} >= set(guilty["clocks"])
        session = (CASE / half / "cc12" / "session.txt").read_text()
        assert f"{facts['console_lines']} console.log" in session, "the log on the disk is as long in both"
    compute = {half: (CASE / half / "cc12" / "nova-compute.log").read_text() for half in HALVES}
    assert "Truncated console log returned" in compute["healthy"]
    assert "Truncated console log returned" not in compute["guilty"]


@pytest.mark.parametrize("half", HALVES)
def test_loaders_read_the_figures(half: str) -> None:
    told, facts = truth(half), truth("guilty")["findings"][0]["facts"]
    access = rows(half, ApiRequest, "cloud/nova-api.log").filter(
        pl.col("path").str.ends_with(f"/servers/{LOUD}/action")
    )
    access = access.filter(pl.col("response_bytes").is_not_null())
    assert access.height == told["in_the_api_log"]["replies"]
    assert access["response_bytes"].sum() == told["in_the_api_log"]["reply_bytes"]
    asked = rows(half, ConsoleRequest, "*/nova-*.log").filter(stage="compute", instance=LOUD)
    assert asked.height == told["in_the_api_log"]["replies"]
    assert asked["user_id"].unique().to_list() == facts["requested_by"]
    assert set(asked["request_id"]) == set(access["request_id"])
    alarms = rows(half, BrokerEvent, "mq1/rabbit@mq1.log").filter(kind="alarm", state="set")
    alarms = alarms.filter(pl.col("node").is_not_null())
    assert alarms.height == len(told["in_the_brokers_log"]["alarms_set"])
    sizes = rows(half, FileSize, "cc12/session.txt")
    assert sizes["lines"].drop_nulls().to_list() == [facts["console_lines"]]
    assert facts["console_bytes"] in sizes["size_bytes"].to_list()
    named = rows(half, Instance, "cc12/etc/libvirt/qemu/*.xml").filter(instance=LOUD)
    assert named["instance_name"].to_list() == ["instance-00000e05"]


@pytest.mark.parametrize("half", HALVES)
def test_the_capture_tells_the_answers_sizes(half: str) -> None:
    wire = truth(half)["on_the_wire"]
    carried = rows(half, BrokerTransfer, "mq1/eth0.pcap.gz")
    for method, what in (("publish", "published"), ("deliver", "delivered")):
        large = carried.filter(method=method).filter(pl.col("body_bytes") >= 100_000)
        assert sorted(large["body_bytes"]) == wire[f"large_bodies_{what}"]


@pytest.mark.parametrize("half", HALVES)
def test_nothing_is_left_unread(half: str, bundled: Bundled) -> None:
    case = forensics.open_case(bundled("rabbit_hole", half))
    sources = case.sources
    assert sources.filter(pl.col("rejects") > 0).height == 0
