"""Port events of real switches and hosts, against what others say of the same lines."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from forensics.loaders._message_format import leaves
from forensics.records import PortEvent
from tests._evidence import evidence_root
from tests.loaders.lines._reading import read

# what napalm-logs expects of a port, in our words: event, state, cause
NAPALM = {
    "eos/INTERFACE_DOWN/default": ("protocol_down", "down", None),
    "eos/INTERFACE_UP/consistency_ftw": ("protocol_up", "up", None),
    "eos/INTERFACE_UP/default": ("protocol_up", "up", None),
    "huawei/INTERFACE_DOWN/default": ("link_down", "down", None),
    "ios/INTERFACE_DOWN/default": ("link_down", "down", "administratively down"),
    "ios/INTERFACE_DOWN/message_with_timezone": ("link_down", "down", "administratively down"),
    "ios/INTERFACE_DOWN/oper_down": ("protocol_down", "down", None),
    "iosxr/INTERFACE_DOWN/default": ("link_down", "down", None),
    "junos/INTERFACE_UP/default": ("link_up", "up", None),
    "netiron/INTERFACE_DOWN/remote_fault": ("link_down", "down", "remote fault"),
    "netiron/INTERFACE_UP/default": ("link_up", "up", None),
    "nxos/INTERFACE_DOWN/error_disabled": ("error_disabled", "errdisabled", "Received REINIT_NO_FLAP request"),
    "nxos/INTERFACE_DOWN/individual_port_down": ("link_down", "down", None),
    "nxos/INTERFACE_UP/mode_trunk": ("link_up", "up", None),
    "nxos/STP_BLOCK_BPDUGUARD/default": ("bpdu_received", "errdisabled", "bpduguard"),
    "sonic/INTERFACE_DOWN/default": ("protocol_down", "down", None),
    "sonic/INTERFACE_UP/default": ("protocol_up", "up", None),
}
NOT_TYPED = {
    "junos/INTERFACE_MAC_LIMIT_REACHED/default": "how many addresses were learned; the port stays as it is",
    "nxos/INTERFACE_DUPLEX_MODE/default": "a duplex mode: the port's IF_UP follows",
}
# Only these say their year and have their own stamp in the expectation: that of Huawei was made two hours east of
# Greenwich, and both of SONiC have it too.
YEAR_STATED = ("nxos/",)


def port_events(path: Path) -> pl.DataFrame:
    return PortEvent.validate(leaves(read(path.read_bytes(), year=2018), [PortEvent]).get(PortEvent, PortEvent.empty()))


def test_every_message_of_napalm_about_a_port() -> None:
    root = evidence_root() / "logs" / "switch" / "napalm-logs"
    seen = set()
    for path in sorted(root.rglob("syslog.msg")):
        folder = path.parent.relative_to(root).as_posix()
        want = json.loads((path.parent / "yang.json").read_text())
        rows = port_events(path)
        ports = want.get("yang_message", {}).get("interfaces", {}).get("interface", {})
        if folder not in NAPALM:
            assert rows.is_empty(), folder
            assert folder in NOT_TYPED or not ports, folder
            continue
        seen.add(folder)
        assert rows.height == 1, folder
        row = rows.row(0, named=True)
        [(name, told)] = ports.items()
        state = told["state"]
        assert row["interface"].replace(" ", "") == name, folder  # as written: NetIron says `ethernet 3/8`
        assert row["host"] == want["host"], folder
        assert (row["event"], row["state"], row["cause"]) == NAPALM[folder], folder
        up = "UP" in (state.get("oper_status"), state.get("admin_status"))
        assert (row["state"] == "up") is up, folder
        if folder.startswith(YEAR_STATED):
            assert row["ts"].replace(microsecond=0) == datetime.fromtimestamp(want["timestamp"], UTC), folder
    assert seen == set(NAPALM)


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("cisco_ios_show_logging_1", ["protocol_up", "protocol_down", "link_down", "link_up"]),
        ("cisco_ios_show_logging_2", []),  # power over Ethernet, and a configuration
        ("cisco_ios_show_logging_3", ["protocol_down"]),
        ("cisco_asa_show_logging_1", []),  # connections of a firewall
        ("cisco_asa_show_logging_2", []),
    ],
)
def test_show_logging_as_the_templates_read_it(name: str, events: list[str]) -> None:
    root = evidence_root() / "logs" / "switch" / "ntc-templates"
    frame = read((root / f"{name}.raw").read_bytes(), year=2018)
    wanted = (root / f"{name}.yml").read_text().split("\n  - ")[1:]
    field = [dict(line.strip().split(": ", 1) for line in one.split("\n") if ": " in line) for one in wanted]
    assert frame.height == len(wanted)
    times = frame["ts"].dt.strftime("%d %H:%M:%S").to_list()
    for time, one in zip(times, field, strict=True):
        day, clock = one["day"].strip('"'), one["time"].strip('"')
        assert time == (f"{int(day):02} {clock[:8]}" if day else None)
    assert [host or "" for host in frame["host"]] == [one.get("hostname", '""').strip('"') for one in field]
    assert port_events(root / f"{name}.raw")["event"].to_list() == events


def test_bridge_ports_of_a_gate_node() -> None:
    """os-loganalyze: 338 taps come and go on br100."""
    rows = port_events(evidence_root() / "logs" / "syslog" / "os-loganalyze" / "syslog.txt")
    assert Counter(rows["event"]) == {"forwarding": 1016, "promiscuous": 339, "disabled": 338, "other": 338}
    assert set(rows.filter(pl.col("event") == "forwarding")["master"]) == {"br100"}
    assert set(rows.filter(pl.col("event") == "other")["message"].str.contains("left promiscuous mode")) == {True}
    assert set(rows["vendor"]) == {"linux"}
    assert set(rows["agent"]) == {"kernel"}


def test_no_other_log_of_the_collection_has_a_port_event() -> None:
    root = evidence_root() / "logs"
    known = {"syslog/os-loganalyze/syslog.txt"}
    looked = 0
    for folder in ("openstack", "rabbitmq", "syslog"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.relative_to(root).as_posix() not in known:
                assert port_events(path).is_empty(), path
                looked += 1
    assert looked > 50
