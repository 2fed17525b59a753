"""VLANs on VLANs by what hosts list and are told, without a captured frame."""

from typing import Any

import polars as pl
import pytest

from forensics.analysis import vlan_stacks
from forensics.records import ConfigOption, Finding, HostInterface, Packet

DEVICES = (
    {"interface": "bond0", "mtu_bytes": 1500, "kind": "bond"},
    {"interface": "vlan20", "parent": "bond0", "vlan_id": 20, "mtu_bytes": 1500, "vlan_protocol": "802.1Q"},
    {"interface": "vlan100", "parent": "vlan20", "vlan_id": 100, "mtu_bytes": 1500, "master": "br100"},
)


def listed(*devices: dict[str, Any]) -> pl.LazyFrame:
    """Rows of one host's listing."""
    rows = [
        {"host": "compute", "source": "compute/ip_-d_link.txt", "position": n, "offset_bytes": n, "length_bytes": 1,
         "ts_basis": "none", **device}
        for n, device in enumerate(devices, 1)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=HostInterface.polars_schema()).lazy()


def told(**options: str) -> pl.LazyFrame:
    """Rows of one host's nova.conf."""
    rows = [
        {"host": "compute", "source": "compute/etc/nova/nova.conf", "position": n, "offset_bytes": n,
         "length_bytes": 1, "ts_basis": "none", "file": "/etc/nova/nova.conf", "section": "DEFAULT", "key": key,
         "value": value, "is_commented": False}
        for n, (key, value) in enumerate(options.items(), 1)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=ConfigOption.polars_schema()).lazy()


def captured(size: int) -> pl.LazyFrame:
    """One packet with both tags."""
    row = {"source": "a.pcap", "position": 1, "vlan_ids": [20, 100], "ip_bytes": size}
    return pl.DataFrame([row], schema=Packet.polars_schema()).lazy()


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_listing_and_setting_together_are_likely() -> None:
    finding = only(vlan_stacks.findings(listed(*DEVICES), told(vlan_interface="vlan20")))
    assert (finding.kind, finding.severity, finding.confidence) == ("stacked-vlan", "low", "likely")
    facts = finding.facts
    assert (facts["outer_vid"], facts["inner_vid"], facts["overhead_bytes"]) == (20, 100, 4)
    assert (facts["interface"], facts["parent_interface"]) == ("vlan100", "vlan20")
    assert facts["lost_between"] is None
    assert {str(ref) for ref in finding.evidence} == {
        "compute/ip_-d_link.txt:2", "compute/ip_-d_link.txt:3", "compute/etc/nova/nova.conf:1",
    }  # fmt: skip
    assert any("vlan_interface=bond0" in text for text in finding.remedy)
    assert all(other.verdict == "open" for other in finding.alternatives)


def test_a_listing_alone_is_possible_and_without_mtus_no_alarm() -> None:
    assert only(vlan_stacks.findings(listed(*DEVICES))).confidence == "possible"
    bare = [{key: value for key, value in device.items() if key != "mtu_bytes"} for device in DEVICES]
    assert only(vlan_stacks.findings(listed(*bare))).severity == "info"


def test_a_setting_alone_is_possible() -> None:
    finding = only(vlan_stacks.findings(HostInterface.empty().lazy(), told(vlan_interface="bond0.20")))
    assert (finding.severity, finding.confidence, finding.facts["outer_vid"]) == ("info", "possible", 20)


@pytest.mark.parametrize(
    "devices",
    [
        DEVICES[:2],
        (DEVICES[0], DEVICES[1] | {"vlan_protocol": "802.1ad"}, DEVICES[2]),
        (DEVICES[0] | {"mtu_bytes": 1504}, DEVICES[1] | {"mtu_bytes": 1504}, DEVICES[2]),
        (*DEVICES[:2], DEVICES[2] | {"parent": "bond0"}),
    ],
    ids=["one VLAN", "a provider's service tag", "room for both", "both on the bond"],
)
def test_sound_hosts_give_nothing(devices: tuple[dict[str, Any], ...]) -> None:
    assert vlan_stacks.findings(listed(*devices)) == []


@pytest.mark.parametrize(
    "options",
    [
        {"vlan_interface": "bond0"},
        {"vlan_interface": "vlan20", "network_manager": "nova.network.manager.FlatDHCPManager"},
        {"vlan_interface": "vlan20", "use_neutron": "True"},
        {"vlan_interface": "vlan20", "network_api_class": "nova.network.neutronv2.api.API"},
        {"public_interface": "vlan20"},
    ],
)
def test_settings_that_make_no_stack(options: dict[str, str]) -> None:
    assert vlan_stacks.findings(HostInterface.empty().lazy(), told(**options)) == []


def test_full_frames_in_a_capture_are_the_other_analysis_question() -> None:
    setting = told(vlan_interface="vlan20")
    assert vlan_stacks.findings(listed(*DEVICES), setting, captured(1500)) == []
    assert vlan_stacks.findings(listed(*DEVICES), setting, captured(1000)) != []
