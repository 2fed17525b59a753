"""The BPDU cut-off's evidence holds what its truth says: by tshark, by plain reading, and by the loaders."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import forensics
from forensics.records import Bpdu, Instance, InstancePort, Notification, PortEvent, ServiceState
from tests._bundled import Bundled
from tests._system import program

DATA = Path(__file__).resolve().parents[2] / "data" / "bpdu_cutoff"
HALVES = ("guilty", "healthy")
GUEST, SWITCH = "fa:16:3e", "00:1c:73"


@cache
def truth(half: str) -> dict[str, Any]:
    """What is true of a half."""
    told: dict[str, Any] = json.loads((DATA / f"{half}.truth.json").read_text())
    return told


def facts(kind: str) -> list[dict[str, Any]]:
    """The facts of the guilty half's findings of a kind."""
    return [finding["facts"] for finding in truth("guilty")["findings"] if finding["kind"] == kind]


def at(stamp: str) -> datetime:
    """An instant of the truth."""
    return datetime.fromisoformat(stamp[:26] + "+00:00")


@pytest.fixture(scope="module", params=HALVES)
def half(request: pytest.FixtureRequest) -> str:
    """Both halves, one after the other."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def case(half: str, bundled: Bundled) -> forensics.Case:
    """A half as the toolkit reads it."""
    return forensics.open_case(bundled("bpdu_cutoff", half))


def rows(case: forensics.Case, record: Any) -> pl.DataFrame:
    """All records of a kind."""
    return case.records(record).lazy().collect()


def tshark(capture: Path, *more: str) -> list[list[str]]:
    """Time and sender of each packet."""
    command = [
        program("tshark"),
        "-n",
        "-r",
        str(capture),
        *more,
        "-T",
        "fields",
        "-e",
        "frame.time_epoch",
        "-e",
        "eth.src",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in told.splitlines()]


def test_tshark_counts_the_same(half: str) -> None:
    for name, said in truth(half)["on_the_wire"].items():
        assert len(tshark(DATA / half / name)) == said["packets"]
        senders = [sender for _, sender in tshark(DATA / half / name, "-Y", "stp")]
        assert {sender: senders.count(sender) for sender in senders} == said["bpdus"]


def test_only_the_guilty_half_has_bpdus_of_instances(half: str) -> None:
    senders = {name: set(said["bpdus"]) for name, said in truth(half)["on_the_wire"].items()}
    sent = {mac for macs in senders.values() for mac in macs if mac.startswith(GUEST)}
    assert sent == ({cut["mac"] for cut in facts("bpdu-guard-cutoff")[0]["cuts"]} if half == "guilty" else set())
    assert all(mac.startswith(SWITCH) for name, macs in senders.items() if name.startswith("SW-1/") for mac in macs)


def test_a_bpdu_left_the_host_at_each_cut() -> None:
    for cut in facts("bpdu-guard-cutoff")[0]["cuts"]:
        ahead = truth("guilty")["clocks"][f"{cut['host']}/bond0.pcap.gz"]["offset_s"]
        sent = tshark(DATA / "guilty" / cut["host"] / "bond0.pcap.gz", "-Y", f"stp && eth.src == {cut['mac']}")
        assert min(abs(float(when) - ahead - at(cut["cut_at"]).timestamp()) for when, _ in sent) < 0.05


def test_the_switches_write_six_lines_a_cut() -> None:
    for cut in facts("bpdu-guard-cutoff")[0]["cuts"]:
        lines = (DATA / "guilty" / cut["switch"] / "messages").read_text().splitlines()
        (first,) = (n for n, line in enumerate(lines) if f"(source mac {cut['mac']})" in line)
        said = [re.findall(r"%\S+(?=:)", line)[0] for line in lines[first : first + 6]]
        assert said == [
            "%SPANTREE-4-BLOCK_BPDUGUARD", "%ETH-4-ERRDISABLE", "%MLAG-4-INTF_INACTIVE_LOCAL", "%LINEPROTO-5-UPDOWN",
            "%SPANTREE-6-INTERFACE_DEL", "%LINEPROTO-5-UPDOWN",
        ]  # fmt: skip
        assert f"{at(cut['cut_at']):%b %d %H:%M:%S}" == lines[first][:15]
        up = [line[:15] for line in lines if f"{cut['port']} (Server" in line and line.endswith("changed state to up")]
        assert up == ([f"{at(cut['restored_at']):%b %d %H:%M:%S}"] if cut["restored_at"] else [])


def test_the_healthy_switches_change_their_tree_and_shut_nothing() -> None:
    for switch in ("SW-1", "SW-2"):
        text = (DATA / "healthy" / switch / "messages").read_text()
        assert "%SPANTREE-6-ROOTCHANGE" in text
        assert not re.search("BPDUGUARD|ERRDISABLE|UPDOWN|INACTIVE", text)


def test_the_log_server_lost_what_the_truth_says(half: str) -> None:
    for host, said in truth(half)["at_the_log_server"].items():
        here = (DATA / half / host / "syslog").read_text().splitlines()
        there = (DATA / half / "controller" / "rsyslog" / host / "syslog.log").read_text().splitlines()
        assert (len(here), len(there)) == (said["lines"], said["received"])
        assert set(there) <= set(here)
        assert bool(said["lost"]) == (half == "guilty" and host != "cc37")


def test_hosts_lose_both_cards_when_the_truth_says() -> None:
    for down in (told for told in facts("link-down") if "host" in told):
        host = down["host"]
        clock = truth("guilty")["clocks"][f"{host}/syslog"]
        words = {"bond0": "now running without any active interface!"}.get(
            down["interface"], f"{down['interface']}: NIC Link is Down"
        )
        said = (DATA / "guilty" / host / "syslog").read_text().splitlines()
        (line,) = (line for line in said if words in line)
        local = (at(down["from"]) + timedelta(seconds=clock["offset_s"])).astimezone(ZoneInfo(clock["zone"]))
        written = datetime.strptime(f"{local.year} {line[:15]}", "%Y %b %d %H:%M:%S").replace(tzinfo=local.tzinfo)
        assert abs((written - local).total_seconds()) <= 1.1


def test_the_dump_maps_each_address_to_its_instance(half: str) -> None:
    dump = (DATA / half / "controller" / "nova.sql").read_text()
    told = facts("bpdu-guard-cutoff")[0]
    instances, cards = (
        dump.split(f"INSERT INTO `{table}` VALUES\n")[1].split(";\n")[0].splitlines()
        for table in ("instances", "virtual_interfaces")
    )
    assert len(instances) == len(cards) == 7
    for cut in told["cuts"]:
        assert [card for card in cards if cut["mac"] in card and cut["instance"] in card]
        (row,) = (row for row in instances if cut["instance"] in row)
        assert all(f"'{part}'" in row for part in (told["source_image"], told["source_user"], cut["host"]))
    for bystander in told["bystanders"]:
        (row,) = (row for row in instances if bystander in row)
        assert "'active'" in row


def test_loaders_read_every_file(case: forensics.Case) -> None:
    rejects = case.sources.filter(pl.col("rejects") > 0).select("source", "rejects").rows()
    # what `date -u` printed before each listing of nova-manage
    assert set(rejects) <= {("controller/services.txt", 3)}
    unread = case.sources.filter(pl.col("format").is_null())["source"].to_list()
    assert unread == ["case.toml"]


def test_loaders_see_the_cuts(half: str, case: forensics.Case) -> None:
    shut = rows(case, PortEvent).filter(pl.col("event") == "bpdu_received").sort("ts")
    cuts = facts("bpdu-guard-cutoff")[0]["cuts"] if half == "guilty" else []
    assert shut.select("host", "interface", "mac").rows() == [(c["switch"], c["port"], c["mac"]) for c in cuts]
    for seen, cut in zip(shut["ts"], cuts, strict=True):
        assert timedelta(0) <= at(cut["cut_at"]) - seen < timedelta(seconds=1)


def test_loaders_count_the_bpdus(half: str, case: forensics.Case) -> None:
    counted = rows(case, Bpdu).group_by("source", "eth_src").len()
    said = {
        (name, mac): count for name, told in truth(half)["on_the_wire"].items() for mac, count in told["bpdus"].items()
    }
    assert {(source, mac): count for source, mac, count in counted.rows()} == said


def test_loaders_see_who_was_there(half: str, case: forensics.Case) -> None:
    told = facts("bpdu-guard-cutoff")[0]
    instances, ports = rows(case, Instance), rows(case, InstancePort)
    cut = {cut["instance"]: cut for cut in told["cuts"]}
    mine = instances.filter(pl.col("user_id") == told["source_user"], pl.col("database").is_not_null())
    assert set(mine.select("instance", "compute_host", "image").rows()) == {
        (uuid, cut["host"], told["source_image"]) for uuid, cut in cut.items()
    }
    for uuid, one in cut.items():
        assert set(ports.filter(pl.col("mac") == one["mac"])["instance"]) == {uuid}
    alive = instances.filter(pl.col("compute_host").is_in(["cc35", "cc36"]) & ~pl.col("is_deleted").fill_null(False))
    assert set(alive["instance"].to_list()) - set(cut) == set(told["bystanders"])
    created = rows(case, Notification).filter(pl.col("event_type") == "compute.instance.create.end")
    assert created.height == 2


def test_loaders_see_the_services_fall(half: str, case: forensics.Case) -> None:
    listed = rows(case, ServiceState).filter(pl.col("told_by") == "listing").sort("position")
    down = listed.filter(pl.col("state") == "down")["service_host"].to_list()
    assert listed.height == 12
    assert down == (["cc35", "cc35", "cc36", "cc36"] if half == "guilty" else [])


def test_the_clocks_are_apart(half: str) -> None:
    """The dump ends at the controller's time; cc36's last line is ahead of it by what the truth says, or nearly."""
    dump = (DATA / half / "controller" / "nova.sql").read_text()
    ended = datetime.fromisoformat(re.findall(r"-- Dump completed on +(\S+ +\S+)", dump)[0]).replace(tzinfo=UTC)
    for host, ahead in (("cc35", 0), ("cc36", 3.5)):
        assert truth(half)["clocks"][f"{host}/syslog"] == {"offset_s": ahead, "zone": "America/Regina"}
        last = (DATA / half / host / "syslog").read_text().splitlines()[-1][:15]
        local = ended.astimezone(ZoneInfo("America/Regina"))
        wrote = datetime.strptime(f"{local.year} {last}", "%Y %b %d %H:%M:%S").replace(tzinfo=local.tzinfo)
        assert abs(wrote - local) < timedelta(seconds=30)
