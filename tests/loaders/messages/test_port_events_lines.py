"""Port events from lines of a log, through every transport: formats.md 7.1 to 7.3, 7.6, 7.7 and Appendix A4 to A9."""

import polars as pl
import pytest

from forensics.loaders._message_format import leaves, message_formats
from forensics.records import PortEvent
from tests.loaders.lines._reading import read
from tests.loaders.messages.test_samples import log_records

# formats.md Appendix A, A4 to A9; tales.txt, the Valentine's Day massacre
STORY = """\
Feb 15 01:40:18 SW-1 Stp: %SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU packet on Port-Channel35 with BPDU guard enabled. \
Disabling interface. (source mac fa:16:3e:24:e7:22)
Feb 15 01:40:18 SW-1 Ebra: %ETH-4-ERRDISABLE: bpduguard error detected on Port-Channel35.
Feb 15 01:40:18 SW-1 Mlag: %MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel35 is link down. MLAG 35 is \
inactive.
Feb 15 01:40:18 SW-1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Port-Channel35 (Server35), changed state to \
down
Feb 15 01:40:19 SW-1 Stp: %SPANTREE-6-INTERFACE_DEL: Interface Port-Channel35 has been removed from instance MST0
Feb 15 01:40:19 SW-1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet35 (Server35), changed state to down
"""


def port_events(text: str, **origin) -> pl.DataFrame:
    """What the loaders make of the lines of a log."""
    found = leaves(read(text, **({"year": 2013} | origin)), [PortEvent])
    rows = found.get(PortEvent, PortEvent.empty())
    return PortEvent.validate(rows)


def test_the_six_lines_of_the_story() -> None:
    rows = port_events(STORY)
    assert rows["ts"].dt.strftime("%m-%d %H:%M:%S").to_list() == ["02-15 01:40:18"] * 4 + ["02-15 01:40:19"] * 2
    assert rows["interface"].to_list() == ["Port-Channel35"] * 5 + ["Ethernet35"]
    assert rows["event"].to_list() == [
        *("bpdu_received", "error_disabled", "inactive"),
        *("protocol_down", "stp_removed", "protocol_down"),
    ]
    assert rows["level"].to_list() == [4, 4, 4, 5, 6, 5]
    assert rows["agent"].to_list() == ["Stp", "Ebra", "Mlag", "Ebra", "Stp", "Ebra"]
    assert rows["description"].to_list() == [None, None, None, "Server35", None, "Server35"]
    assert rows["master"].to_list() == [None, None, "MLAG 35", None, None, None]
    assert rows["mac"].to_list() == ["fa:16:3e:24:e7:22"] + [None] * 5
    assert rows["cause"].to_list() == ["bpduguard", "bpduguard", None, None, None, None]
    assert rows["state"].to_list() == ["errdisabled", "errdisabled", "inactive", "down", None, "down"]
    assert rows["vlan"][4] == "MST0"
    assert rows["facility"].to_list() == ["SPANTREE", "ETH", "MLAG", "LINEPROTO", "SPANTREE", "LINEPROTO"]
    assert rows["mnemonic"][0] == "BLOCK_BPDUGUARD"
    assert set(rows["vendor"]) == {"arista"}
    assert set(rows["host"]) == {"SW-1"}
    assert rows["position"].to_list() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "front",
    [
        "Feb 15 01:40:18 SW-1 Stp: ",
        "<164>Feb 15 01:40:18 SW-1 Stp: ",
        "2013-02-15T01:40:18.000000+00:00 SW-1 Stp: 469: ",
        "<164>1 2013-02-15T01:40:18+00:00 SW-1 Stp 2012 - - ",
        "log/sw.log:Feb 15 01:40:18 SW-1 Stp: ",
        "Feb 15 01:40:18 SW-1 Stp[2012]: ",
    ],
)
def test_arista_says_the_same_through_every_transport(front: str) -> None:
    said = STORY.splitlines()[0].split("Stp: ")[1]
    row = port_events(front + said + "\n").row(0, named=True)
    assert (row["host"], row["agent"], row["event"], row["interface"]) == (
        *("SW-1", "Stp", "bpdu_received", "Port-Channel35"),
    )
    assert row["ts"].strftime("%Y-%m-%d %H:%M:%S") == "2013-02-15 01:40:18"
    assert (row["mac"], row["level"]) == ("fa:16:3e:24:e7:22", 4)


@pytest.mark.parametrize(
    ("front", "host"),
    [
        ("*Feb 15 01:40:18.123: ", None),
        ("000027: .Feb 15 01:40:18.123 MST: ", None),
        ("<189>29: sw1: 000027: Feb 15 01:40:18.123: ", "sw1"),
        ("Feb 15 01:40:19 sw1 29: Feb 15 01:40:18.123: ", "sw1"),
        ("Feb 15 01:40:19 10.0.0.1 29: sw1: Feb 15 01:40:18.123: ", "sw1"),
        ("Feb 15 01:40:18 sw1 ", "sw1"),
        ("Feb 15 01:40:18 sw1 29: ", "sw1"),
        ("2013-02-15T01:40:18+00:00 sw1 ", "sw1"),
        ("<189>Feb 15 01:40:18 sw1 ", "sw1"),
        ("2013 Feb 15 01:40:18 sw1 %$ VDC-1 %$ ", "sw1"),
        ("<189>2013 Feb 15 01:40:18 sw1 ", "sw1"),
        ("sw1: 2013 Feb 15 01:40:18 MST: ", "sw1"),
        ("Feb 15 01:40:19 10.0.0.1 sw1: 2013 Feb 15 01:40:18 MST: ", "sw1"),
        ("<187>94: sw1 LC/0/2/CPU0:Feb 15 01:40:18.834 : ifmgr[214]: ", "sw1"),
    ],
)
def test_cisco_says_the_same_through_every_transport(front: str, host: str | None) -> None:
    said = "%PM-4-ERR_DISABLE: bpduguard error detected on Gi0/3, putting Gi0/3 in err-disable state"
    for fast in (True, False):
        row = port_events(front + said + "\n", fast=fast).row(0, named=True)
        assert (row["host"], row["event"], row["interface"]) == (host, "error_disabled", "Gi0/3")
        assert (row["cause"], row["vendor"], row["mnemonic"]) == ("bpduguard", "cisco", "ERR_DISABLE")
        assert row["ts"].strftime("%Y-%m-%d %H:%M:%S") == "2013-02-15 01:40:18"
        assert row["agent"] == ("ifmgr" if "ifmgr" in front else None)


@pytest.mark.parametrize(
    "name", ["cisco-ports", "huawei-ports", "dell-os10-ports", "dell-ftos-ports", "bonding", "bridge", "link"]
)
def test_who_names_no_program_is_known_by_the_words(name: str) -> None:
    form = next(form for form in message_formats() if form.name == name)
    for sample in form.samples:
        rows = leaves(log_records(sample.text), [PortEvent])[PortEvent]
        assert rows.height == 1, sample.text
        assert rows["vendor"][0] == form.constants["vendor"]


def test_a_port_list_of_hp_without_a_program() -> None:
    text = (
        "Feb 15 01:40:18 10.0.0.5 00840 stp:  port A5 disabled - BPDU received on protected port.\n"
        "Feb 15 01:40:19 10.0.0.5 00077 ports:  port A5 is now off-line\n"
    )
    rows = port_events(text)
    assert rows["event"].to_list() == ["bpdu_received", "link_down"]
    assert rows["interface"].to_list() == ["A5", "A5"]
    assert set(rows["host"]) == {"10.0.0.5"}


@pytest.mark.parametrize(
    "mac", ["fa:16:3e:24:e7:22", "FA:16:3E:24:E7:22", "fa16.3e24.e722", "fa16-3e24-e722", "fa-16-3e-24-e7-22"]
)
def test_an_address_is_written_with_colons(mac: str) -> None:
    """formats.md 7.2, notations of hardware addresses."""
    said = STORY.splitlines()[0].replace("fa:16:3e:24:e7:22", mac)
    assert port_events(said + "\n")["mac"].to_list() == ["fa:16:3e:24:e7:22"]


def test_junos_in_each_of_its_layouts() -> None:
    """formats.md 7.2: two blanks, a routing engine's name, an explicit priority, structured data with or no text."""
    said = "ifIndex 501, ifAdminStatus up(1), ifOperStatus down(2), ifName ge-0/0/17"
    data = '[junos@2636.1.1.1.2.18 admin-status="up(1)" operational-status="down(2)" interface-name="ge-0/0/17"]'
    rows = port_events(
        "<25>Feb 15 01:40:18  vmx01 eswd[2902]: ESWD_BPDU_BLOCK_ERROR_DISABLED:ge-0/0/17.0: bpdu-block disabled port\n"
        f"Feb 15 01:40:18  re0.vmx01 mib2d[2424]: SNMP_TRAP_LINK_DOWN: {said}\n"
        f"Feb 15 01:40:18  vmx01 mib2d[2424]: %DAEMON-4-SNMP_TRAP_LINK_DOWN: {said}\n"
        f"<28>1 2013-02-15T01:40:18.123Z vmx01 mib2d 2424 SNMP_TRAP_LINK_DOWN {data} {said}\n"
        f"<28>1 2013-02-15T01:40:18.123Z vmx01 mib2d 2424 SNMP_TRAP_LINK_DOWN {data}\n"
        f"<28>1 2013-02-15T01:40:18.123Z vmx01 mib2d 2424 SNMP_TRAP_LINK_DOWN - {said}\n"
    )
    assert rows["event"].to_list() == ["error_disabled"] + ["link_down"] * 5
    assert rows["interface"].to_list() == ["ge-0/0/17.0"] + ["ge-0/0/17"] * 5
    assert set(rows["host"]) == {"vmx01"}
    assert rows["level"].to_list() == [None, None, 4, None, None, None]


def test_sonic_in_both_layouts() -> None:
    """formats.md 7.2; a neighbour that is down is no port."""
    said = ":- setHostIntfsOperStatus: Set operation status DOWN to host interface Ethernet28"
    rows = port_events(
        f"<13>1 2013-02-22T10:57:30.359427+00:00 ss12.00.lab orchagent - - -  {said}\n"
        f"Feb 21 16:46:14.931186 ss12 NOTICE swss#orchagent: {said}\n"
        "<166>1 2013-02-20T15:10:35.073589+00:00 ss12.00.lab bgpd 83 - -  %ADJCHANGE: neighbor 100.67.0.142 Down\n"
    )
    assert rows["event"].to_list() == ["protocol_down", "protocol_down"]
    assert rows["interface"].to_list() == ["Ethernet28", "Ethernet28"]


@pytest.mark.parametrize(
    ("line", "interface"),
    [
        ("bonding: bond0: link status definitely down for interface eth2, disabling it", "eth2"),
        ("bond0: link status definitely down for interface eth2, disabling it", "eth2"),
        ("bond0: (slave eth2): link status definitely down, disabling slave", "eth2"),
    ],
)
@pytest.mark.parametrize("front", ["", "[65818.378287] ", "[65818.378287][  T123] ", "<4>[65818.378287] "])
def test_three_generations_of_bonds(line: str, interface: str, front: str) -> None:
    """formats.md 7.3."""
    row = port_events(f"2013-02-15T01:40:18.159524+01:00 c12 kernel: {front}{line}\n").row(0, named=True)
    assert (row["event"], row["interface"], row["master"]) == ("member_down", interface, "bond0")
    assert (row["host"], row["agent"], row["vendor"]) == ("c12", "kernel", "linux")


def test_the_kernels_ring_buffer_with_times() -> None:
    """``dmesg -T`` and ``dmesg --time-format iso`` name neither host nor program."""
    rows = port_events(
        "[Fri Feb 15 01:40:18 2013] ixgbe 0000:04:00.0 eth2: NIC Link is Down\n"
        "[Fri Feb 15 01:40:18 2013] bond0: link status definitely down for interface eth2, disabling it\n"
        "2013-02-15T01:40:19,123456+00:00 br100: port 2(vnet0) entered disabled state\n"
    )
    assert rows["event"].to_list() == ["link_down", "member_down", "disabled"]
    assert rows["interface"].to_list() == ["eth2", "eth2", "vnet0"]
    assert rows["master"].to_list() == [None, "bond0", "br100"]


def test_a_service_that_quotes_a_kernel_is_no_kernel() -> None:
    quoted = "bond0: now running without any active interface!"
    assert leaves(log_records(quoted, logger="nova.virt.libvirt", program=None), [PortEvent]) == {}


FRIENDS = (
    ("Bgp", "%BGP-5-ADJCHANGE: peer 192.0.2.2 (VRF default AS 12345) old state Established event AdminReset"),
    ("Bfd", "%BFD-5-STATE_CHANGE: peer (vrf:default, ip:18.11.5.1, intf:Ethernet50/1) changed state from Init to Up"),
    ("ConfigAgent", "%SYS-5-CONFIG_I: Configured from console by admin on vty3 (127.0.0.1)"),
    ("Lldp", "546: %LLDP-5-NEIGHBOR_NEW: LLDP neighbor with portId 'Ethernet3/1' added on interface Ethernet22"),
    ("Stp", "524: %SPANTREE-6-LOOPGUARD_CONFIG_CHANGE: Loop guard enabled on port Ethernet22."),
    (None, "%OSPF-5-ADJCHG: Process 1, Nbr 172.16.46.4 on GigabitEthernet2.45 from INIT to DOWN, Neighbor Down"),
    (None, "%ILPOWER-7-DETECT: Interface Gi4/3: Power Device detected: IEEE PD"),
    (None, "%ETHPORT-5-IF_DUPLEX: Interface Ethernet1/33, operational duplex mode changed to Full"),
    (None, "%ASA-6-302014: Teardown TCP connection 2208441 for outside:69.172.216.111/443 duration 0:00:00"),
    (None, "Line protocol on Interface Gi0/3, changed state to down"),
    ("l2ald", "L2ALD_MAC_LIMIT_REACHED_IF: Limit on learned MAC addresses reached for ge-1/0/23.0; current count is 3"),
    ("rpd", "RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 1.1.1.1 changed state from Active to Idle (event Stop)"),
    ("System", "Module 3 powered on"),
    ("kernel", "ata1: SATA link down (SStatus 0 SControl 300)"),
    ("kernel", "pcieport 0000:00:1c.0: pciehp: Slot(1): Link Up"),
    ("kernel", "pciehp 0000:80:02.0:pcie004: Slot(2): Link Down"),
    ("kernel", "vnet0: no IPv6 routers present"),
    ("kernel", "mlx4_core 0000:04:00.0: mlx4_ib: Port 1 logical link is up"),
    ("kernel", "IPv4: martian source 10.0.0.5 from 10.0.0.1, on dev br100"),
    ("kernel", "libata version 3.00 loaded."),
    ("systemd-networkd", "eth0: Lost carrier"),
    ("nova-compute", "bond0: now running without any active interface!"),
    ("kernel", "bond0: link " + "is " * 2000),
)


@pytest.mark.parametrize(("program", "message"), FRIENDS, ids=lambda x: str(x)[:40])
def test_what_concerns_no_port_is_no_port_event(program: str | None, message: str) -> None:
    assert leaves(log_records(message, program=program), [PortEvent]) == {}


def test_each_event_of_the_record_is_said_by_some_switch_or_kernel() -> None:
    forms = [form for form in message_formats() if form.record is PortEvent]
    said = {
        event
        for form in forms
        for sample in form.samples
        for event in leaves(log_records(sample.text, program=form.said_by), [PortEvent])[PortEvent]["event"]
    }
    words = PortEvent.columns()["event"].regex
    assert set(words.removeprefix("^(?:").removesuffix(")$").split("|")) == said
