"""Section 7 of the reference: switches, bonds and bridges, services that are down, and whose a MAC address is."""

import pytest

from forensics.records import ForwardingEntry, HostInterface, InstancePort, LogRecord, PortEvent, ServiceState
from tests.formats._met import Line, Wanted, meet, parameters
from tests.formats._tables import boxed

MAC = "fa:16:3e:24:e7:22"
Y = {"year": 2013}
AT = "2013-02-15 01:40:18"
UUID = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
PORT = "cf0a1b2c-3d00-4000-8000-000000000001"


def _said(section: str, text: str, event: str | None, **want: object) -> Line:
    """One line that tells of a port."""
    return Line(section, text, PortEvent, {"event": event, **want} if event else [], "sw.log", Y)


def eos(text: str, event: str, **want: object) -> Line:
    agent = text.partition(":")[0]
    tag = {"vendor": "arista", "agent": agent, "host": "SW-1", "ts": AT}
    return _said("7.1", f"Feb 15 01:40:18 SW-1 {text}", event, **(tag | want))


def cisco(text: str, event: str, **want: object) -> Line:
    return _said("7.2", text, event, **({"vendor": "cisco", "ts": AT} | want))


def kernel(text: str, event: str, **want: object) -> Line:
    said = {"vendor": "linux", "agent": "kernel", "host": "cc12", "ts": AT}
    return _said("7.3", f"Feb 15 01:40:18 cc12 kernel: [98765.432100] {text}", event, **(said | want))


def service(text: str, *want: Wanted, name: str = "cc12/var/log/nova/nova-api.log", **known: object) -> Line:
    return Line("7.4", text, ServiceState, want, name, known)


BPDU = {"state": "errdisabled", "cause": "bpduguard", "facility": "SPANTREE", "level": 4, "mnemonic": "BLOCK_BPDUGUARD"}
COLUMNS = {"service": "nova-compute", "service_host": "cc12", "zone": "nova", "told_by": "listing"}
OLD = COLUMNS | {"seen_at": "2013-02-15 01:39:41"}
GUARD = "with BPDU Guard enabled. Disabling port."
DUPLEX = "Flow Control: RX/TX"
LOST = "Lost connection to nova-conductor for reporting service status."

LINES = [
    # 7.1: example lines (the six of the story, A4 to A9: test_appendix.py); EOS_REST with and without seq, both stamps
    _said("7.1", "May  9 16:34:06 PE-1A Stp: %SPANTREE-6-STABLE_CHANGE: Stp state is now not stable", "stp_change",
          host="PE-1A", agent="Stp", facility="SPANTREE", level=6, mnemonic="STABLE_CHANGE", interface=None,
          ts="2013-05-09 16:34:06"),
    _said("7.1", "2013-07-21T09:00:07.173517-07:00 a2-magnesium Stp: 469: %SPANTREE-6-INTERFACE_DEL: Interface "
          "PeerEthernet17 has been removed from instance Vl3908", "stp_removed", host="a2-magnesium", agent="Stp",
          ts="2013-07-21 16:00:07.173517", interface="PeerEthernet17", vlan="Vl3908", mnemonic="INTERFACE_DEL"),
    # BPDU
    eos(f"Stp: %SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU packet on Port-Channel35 with BPDU guard enabled. Disabling "
        f"interface. (source mac {MAC})", "bpdu_received", interface="Port-Channel35", mac=MAC, **BPDU),
    eos("Stp: %SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU on port Ethernet3 with BPDU guard enabled. Disabling port.",
        "bpdu_received", interface="Ethernet3", mac=None, **BPDU),
    eos("Stp: %SPANTREE-4-BLOCK_BPDUGUARD: received bpdu on Ethernet3/1 with bpdu guard enabled. Disabling interface. "
        "(source mac FA16.3E24.E722)", "bpdu_received", interface="Ethernet3/1", mac=MAC, **BPDU),
    # ERRDIS
    eos("Ebra: %ETH-4-ERRDISABLE: bpduguard error detected on Port-Channel35.", "error_disabled",
        interface="Port-Channel35", cause="bpduguard", state="errdisabled", facility="ETH", mnemonic="ERRDISABLE"),
    eos("Ebra: %ETH-4-ERRDISABLE: link-flap error detected on Ethernet7", "error_disabled", interface="Ethernet7",
        cause="link-flap"),
    eos("Ebra: %ETH-4-ERRDISABLE: bpduguard error detected on Et7, putting Et7 in err-disable state", "error_disabled",
        interface="Et7", cause="bpduguard"),
    # LINEPROTO
    eos("Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet35 (Server35), changed state to down",
        "protocol_down", interface="Ethernet35", description="Server35", state="down", level=5),
    eos("Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet35 (rack (3) s35), changed state to up",
        "protocol_up", description="rack (3) s35", state="up"),
    eos("Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet35, changed state to up", "protocol_up",
        interface="Ethernet35", description=None, state="up"),
    # MLAG
    eos("Mlag: %MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel35 is link down. MLAG 35 is inactive.",
        "inactive", interface="Port-Channel35", master="MLAG 35", state="inactive", facility="MLAG"),
    eos("Mlag: %MLAG-6-INTF_ACTIVE: Local interface Port-Channel35 is link up. MLAG 35 is active.", "active",
        master="MLAG 35", state="up"),
    eos("Mlag: %MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel35 is inactive.", "inactive", state="inactive"),
    eos("Mlag: %MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel35 is down", "inactive",
        interface="Port-Channel35", master=None),
    # STPIF
    eos("Stp: %SPANTREE-6-INTERFACE_DEL: Interface Port-Channel35 has been removed from instance MST0", "stp_removed",
        interface="Port-Channel35", vlan="MST0", level=6),
    eos("Stp: %SPANTREE-6-INTERFACE_ADD: Interface Port-Channel35 has been added to instance MST0", "stp_added",
        interface="Port-Channel35", vlan="MST0", mnemonic="INTERFACE_ADD"),
    # 7.2: IOS, with its sequence, origin, mark of the clock, year, fraction and zone
    cisco(f"Feb 15 01:40:18: %SPANTREE-2-BLOCK_BPDUGUARD: Received BPDU on port Et0/2 {GUARD}", "bpdu_received",
          interface="Et0/2", facility="SPANTREE", level=2, mnemonic="BLOCK_BPDUGUARD", cause="bpduguard"),
    cisco(f"*Feb 15 01:40:18.003: %SPANTREE-2-BLOCK_BPDUGUARD: Received BPDU on port Et0/2 {GUARD}", "bpdu_received",
          ts=f"{AT}.003", interface="Et0/2"),
    cisco("000021: sw2: .Feb 15 2013 01:40:18.123 UTC: %PM-4-ERR_DISABLE: bpduguard error detected on Gi0/3, putting "
          "Gi0/3 in err-disable state", "error_disabled", host="sw2", ts=f"{AT}.123", interface="Gi0/3", level=4,
          cause="bpduguard", state="errdisabled", facility="PM", mnemonic="ERR_DISABLE"),
    cisco("21: Feb 15 01:40:18.1: %LINEPROTO-5-UPDOWN: Line protocol on Interface GigabitEthernet1/3, changed state to "
          "down", "protocol_down", ts=f"{AT}.1", interface="GigabitEthernet1/3", state="down"),
    cisco("sw2: Feb  5 01:40:18: %LINK-3-UPDOWN: Interface GigabitEthernet1/3, changed state to down", "link_down",
          ts="2013-02-05 01:40:18", host="sw2", interface="GigabitEthernet1/3", level=3, facility="LINK"),
    cisco("Feb 15 01:40:18: %LINK-SP-3-UPDOWN: Interface GigabitEthernet1/3, changed state to up", "link_up",
          facility="LINK-SP", state="up"),
    # NXOS
    cisco(f"2013 Feb 15 01:40:18 n5k %$ VDC-1 %$ %STP-2-BLOCK_BPDUGUARD: Received BPDU on port Ethernet1/1 {GUARD}",
          "bpdu_received", host="n5k", interface="Ethernet1/1", facility="STP", level=2, cause="bpduguard"),
    cisco("2013 Feb 15 01:40:18.123 n5k %$ VDC-1 %$ %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down "
          "(Link failure)", "link_down", ts=f"{AT}.123", host="n5k", interface="Ethernet1/1", facility="ETHPORT"),
    cisco("n5k: 2013 Feb 15 01:40:18 UTC: %ETH_PORT_CHANNEL-5-PORT_DOWN: port-channel23: Ethernet1/15 is down",
          "member_down", host="n5k", interface="Ethernet1/15", master="port-channel23", facility="ETH_PORT_CHANNEL"),
    cisco("2013 Feb 15 01:40:18 n5k %ETHPORT-5-IF_DOWN_ERROR_DISABLED: Interface Ethernet1/1 is down (Error disabled. "
          "Reason:BPDUGuard)", "error_disabled", state="errdisabled", cause="BPDUGuard", interface="Ethernet1/1"),
    # other vendors
    _said("7.2", "<25>Jun 21 14:03:12  vmx01 eswd[2902]: ESWD_BPDU_BLOCK_ERROR_DISABLED:ge-0/0/17.0: bpdu-block "
          "disabled port", "error_disabled", host="vmx01", interface="ge-0/0/17.0", vendor="juniper", agent="eswd",
          mnemonic="ESWD_BPDU_BLOCK_ERROR_DISABLED", ts="2013-06-21 14:03:12", state="errdisabled"),
    _said("7.2", "Jun 21 14:03:12  re0.vmx01 mib2d[2424]: SNMP_TRAP_LINK_DOWN: ifIndex 501, ifAdminStatus up(1), "
          "ifOperStatus down(2), ifName ge-0/0/17", "link_down", host="vmx01", interface="ge-0/0/17", state="down"),
    _said("7.2", "Feb 15 01:40:18 leaf1 mstpd: error, MSTP_IN_rx_bpdu: bridge:bond0 Recvd BPDU on BPDU Guard Port - "
          "Port Down", "bpdu_received", vendor="cumulus", interface="bond0", master="bridge", state="errdisabled"),
    _said("7.2", "Feb 15 01:40:18.123456 sonic1 NOTICE swss#orchagent: :- updatePortOperStatus: Port Ethernet28 oper "
          "state set from up to down", "link_down", vendor="sonic", interface="Ethernet28", host="sonic1",
          ts=f"{AT}.123456"),
    _said("7.2", "<29>1 2013-02-15T01:40:18.123456+00:00 sonic1 swss#orchagent - - - :- updatePortOperStatus: Port "
          "Ethernet28 oper state set from down to up", "link_up", vendor="sonic", host="sonic1", ts=f"{AT}.123456"),
    _said("7.2", "Feb 15 01:40:18 os10 dn_alm[777]: Node.1-Unit.1:PRI [event], Dell EMC (OS10) %STP_BPDU_GUARD_ERR: "
          "BPDU received on BPDU guard enabled port. Interface:ethernet1/1/17", "bpdu_received", vendor="dell",
          interface="ethernet1/1/17", mnemonic="STP_BPDU_GUARD_ERR"),
    _said("7.2", "Feb 15 01:40:18 aruba1 hpe-mstpd[1234]: Event|2008|LOG_WARN|AMM|-|Port 1/1/3 disabled - BPDU "
          "received on protected port", "bpdu_received", vendor="aruba", interface="1/1/3", state="errdisabled"),
    _said("7.2", "Feb 15 01:40:18 10.0.0.5 00840 stp:  port A5 disabled - BPDU received on protected port.",
          "bpdu_received", vendor="aruba", interface="A5", state="errdisabled"),
    # notations of addresses: tests/loaders/messages/test_port_events_lines.py::test_an_address_is_written_with_colons
    # 7.3: BOND in three generations and each of its alternatives; drivers; bridges
    kernel("bonding: bond0: link status definitely down for interface eth2, disabling it", "member_down",
           interface="eth2", master="bond0", state="down"),
    kernel("bonding: bond0: now running without any active interface !", "no_active_member", master="bond0"),
    kernel("bond0: link status definitely down for interface eth2, disabling it", "member_down", interface="eth2"),
    kernel("bond0: now running without any active interface!", "no_active_member", master="bond0", interface=None),
    kernel("bond0: (slave eth2): link status definitely down, disabling slave", "member_down", interface="eth2",
           master="bond0"),
    kernel("bond0: (slave eth2): link status definitely up, 10000 Mbps full duplex", "member_up", interface="eth2",
           state="up", master="bond0"),
    kernel("bond0: link status up for interface eth2, enabling it in 200 ms", "link_up", interface="eth2"),
    kernel("bond0: link status down for active interface eth2, disabling it in 200 ms", "link_down", interface="eth2"),
    kernel("bonding: bond0: making interface eth3 the new active one.", "active", interface="eth3", master="bond0"),
    kernel("bond0: (slave eth3): making interface the new active one", "active", interface="eth3", master="bond0"),
    kernel("bonding: bond0: first active interface up!", "first_member", master="bond0"),
    kernel("bond0: active interface up!", "first_member", master="bond0", state="up"),
    kernel("ixgbe 0000:04:00.0: eth2: NIC Link is Down", "link_down", interface="eth2", state="down"),
    kernel(f"ixgbe 0000:04:00.0: eth2: NIC Link is Up 10 Gbps, {DUPLEX}", "link_up", interface="eth2", state="up"),
    kernel("bnx2x 0000:04:00.0: eth2: NIC Link is Down", "link_down", interface="eth2"),
    kernel("br100: port 2(vnet0) entered disabled state", "disabled", interface="vnet0", master="br100"),
    kernel("br100: port 2(vnet0) entered forwarding state", "forwarding", interface="vnet0", master="br100"),
    kernel("device vnet0 entered promiscuous mode", "promiscuous", interface="vnet0"),
    kernel("br100: received packet on bond0.100 with own address as source address", "own_address",
           interface="bond0.100", master="br100"),
    # 7.4; the old and the new wording; WARN of the scheduler; the client of the conductor
    service("2014-11-15 01:41:20.123 7 DEBUG nova.servicegroup.drivers.db [-] Seems service is down. Last heartbeat "
            "was 2014-11-15 01:39:41. Elapsed time is 99.123 is_up /usr/lib/nova/servicegroup/drivers/db.py:81",
            {"state": "down", "service": None, "seen_at": "2014-11-15 01:39:41", "ts": "2014-11-15 01:41:20.123"}),
    service("2024-02-15 01:41:20.123 7 DEBUG nova.servicegroup.drivers.db [None req-9a1b2c3d-0000-4000-8000-"
            "000000000001 - - - - - -] Seems service nova-compute on host cc12 is down. Last heartbeat was 2024-02-15 "
            "01:39:41. Elapsed time is 99.123 is_up /nova/servicegroup/drivers/db.py:81",
            {"state": "down", "service": "nova-compute", "service_host": "cc12", "seen_at": "2024-02-15 01:39:41"}),
    service("2014-05-15 01:41:20.123 7 WARNING nova.scheduler.filters.compute_filter [-] (cc12, cc12.example) ram:3 "
            "disk:4 io_ops:0 instances:0 has not been heard from in a while",
            {"state": "down", "service": "nova-compute", "service_host": "cc12"}),
    service("2013-02-15 01:41:20 ERROR nova.servicegroup.drivers.db [-] model server went away\n"
            "2013-02-15 01:41:30 ERROR nova.servicegroup.drivers.db [-] Recovered model server connection!",
            {"state": "down"}, {"state": "up"}, name="cc12/nova-compute.log"),
    service(f"2014-12-15 01:41:20.123 7 WARNING nova.servicegroup.drivers.db [-] {LOST}\n2014-12-15 01:41:30.123 7 "
            "INFO nova.servicegroup.drivers.db [-] Recovered from being unable to report status.",
            {"state": "down"}, {"state": "up"}),
    service("Binary           Host                                 Zone             Status     State Updated_At\n"
            "nova-compute     cc12                                 nova             enabled    XXX   2013-02-15 "
            "01:39:41\nnova-scheduler   ctl                                  nova             disabled   :-)   "
            "2013-02-15 01:41:19\n", {"state": "down", "status": "enabled", **OLD},
            {"state": "up", "status": "disabled", "service_host": "ctl", "seen_at": "2013-02-15 01:41:19"}),
    service(boxed("Binary|Host|Zone|Status|State|Updated_at",
                  "nova-compute|cc12|nova|enabled|down|2013-02-15T01:39:41.000000"),
            {"state": "down", "status": "enabled", **OLD}),
    service(boxed("Binary|Host|Zone|Status|State|Updated_at|Disabled Reason",
                  "nova-compute|cc12|nova|disabled|up|2014-02-15T01:39:41.000000|None"),
            {"state": "up", "status": "disabled", "disabled_reason": None}),
    service(boxed("Id|Binary|Host|Zone|Status|State|Updated_at|Disabled Reason|Forced down",
                  "7|nova-compute|cc12|nova|disabled|down|2013-02-15T01:39:41.000000|bad|True", "|||||||bond|"),
            {"state": "down", "disabled_reason": "bad\nbond", "forced_down": True, **OLD}),
    *(service(f"{word},Binary,Host,Zone,Status,State,Updated At\n7,nova-compute,cc12,nova,enabled,down,"
              "2013-02-15T01:39:41.000000\n", {"state": "down", **OLD}) for word in ("ID", "Id")),
    service('[{"ID": 7, "Binary": "nova-compute", "Host": "cc12", "Zone": "nova", "Status": "enabled", "State": "down"'
            ', "Updated At": "2013-02-15T01:39:41.000000"}]', {"state": "down", **OLD}),
    service("[1360892418] SERVICE ALERT: cc12;nova-compute;CRITICAL;HARD;3;text\n"
            "[1360892418] HOST ALERT: cc12;DOWN;SOFT;1;text\n",
            {"state": "down", "service": "nova-compute", "service_host": "cc12", "told_by": "monitor", "ts": AT},
            {"state": "down", "service": None, "service_host": "cc12", "told_by": "monitor"}, name="nagios.log"),
    # 7.5: sources of the map; databases in tests/loaders/documents/test_mysqldump.py, notifications in
    # test_notification_rows.py::test_a_legacy_notification_in_full, leases in tests/formats/test_section_06.py
    Line("7.5", f"ID,Name,MAC Address,Fixed IP Addresses,Status\n{PORT},,{MAC},\"ip_address='10.0.0.5', subnet_id="
         "'8f0a1b2c-3d00-4000-8000-000000000001'\",ACTIVE\n", InstancePort,
         {"mac": MAC, "ip": "10.0.0.5", "port": PORT, "state": "ACTIVE", "tap": "tapcf0a1b2c-3d"}),
    Line("7.5", f"<domain type='kvm'>\n<name>instance-00000e05</name>\n<uuid>{UUID}</uuid>\n<devices>\n<interface "
         f"type='bridge'>\n<mac address='{MAC}'/>\n<source bridge='br100'/>\n<target dev='vnet0'/>\n</interface>\n"
         "</devices>\n</domain>\n", InstancePort,
         {"mac": MAC, "tap": "vnet0", "instance": UUID, "instance_name": "instance-00000e05", "bridge": "br100"}),
    Line("7.5", "Interface  Type       Source     Model       MAC\n-------------------------------------------------"
         f"------\nvnet0      bridge     br100      virtio      {MAC}\n\n", InstancePort,
         {"mac": MAC, "tap": "vnet0", "bridge": "br100", "instance_name": "instance-00000e05"}, "x",
         {"command": "virsh domiflist instance-00000e05"}),
    Line("7.5", f"{MAC} dev vnet0 master br100\nfe:16:3e:24:e7:22 dev vnet0 master br100 permanent\n", ForwardingEntry,
         [{"mac": MAC, "interface": "vnet0", "is_local": False}, {"mac": "fe:16:3e:24:e7:22", "is_local": True}]),
    Line("7.5", f"port no\tmac addr\t\tis local?\tageing timer\n  1\t{MAC}\tno\t\t   0.91\n", ForwardingEntry,
         {"mac": MAC, "is_local": False, "age_s": 0.91}),
    Line("7.5", "13: vnet0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast master br100 state UNKNOWN qlen 500\n"
         "    link/ether fe:16:3e:24:e7:22 brd ff:ff:ff:ff:ff:ff\n", HostInterface,
         {"interface": "vnet0", "mac": "fe:16:3e:24:e7:22", "master": "br100"}),
    # 7.7: severity in the tag is not the transport's; vendors differ in mnemonic and severity
    Line("7.7", "<134>Feb 15 01:40:18 SW-1 Stp: %SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU on Ethernet3 with BPDU "
         "guard enabled. Disabling interface.", PortEvent, {"level": 4, "event": "bpdu_received"}, "sw.log", Y),
    *(Line("7.7", f"Feb 15 01:40:18 sw2 %{tag}: Received BPDU on port Ethernet1/1 {GUARD}", PortEvent,
           {"event": "bpdu_received", "interface": "Ethernet1/1", "cause": "bpduguard"}, "sw.log", Y)
      for tag in ("SPANTREE-2-BLOCK_BPDUGUARD", "STP-2-BLOCK_BPDUGUARD")),
    # one second, several agents: the order of the file stays
    Line("7.7", "".join(f"Feb 15 01:40:18 SW-1 {said}\n" for said in (
         "Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Port-Channel35 (Server35), changed state to down",
         "Mlag: %MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel35 is link down. MLAG 35 is inactive.",
         "Stp: %SPANTREE-6-INTERFACE_DEL: Interface Port-Channel35 has been removed from instance MST0")), PortEvent,
         [{"agent": "Ebra", "position": 1}, {"agent": "Mlag", "position": 2}, {"agent": "Stp", "position": 3}],
         "sw.log", Y),
    # recovery by a timer
    Line("7.7", "Feb 15 01:45:18 SW-1 Ebra: %ETH-4-ERRDISABLE_RECOVERY: Ethernet35 recovering from err-disabled",
         PortEvent, {"event": "recovering", "interface": "Ethernet35"}, "sw.log", Y),
    Line("7.7", "Feb 15 01:45:18: %PM-4-ERR_RECOVER: Attempting to recover from bpduguard err-disable state on Gi0/3",
         PortEvent, {"event": "recovering", "interface": "Gi0/3", "cause": "bpduguard"}, "sw.log", Y),
    # the host that has fallen silent: a matter of analysis; its last line is a line like others
    Line("7.7", "Feb 15 01:40:17 cc35 kernel: [1.0] x", LogRecord, {"host": "cc35"}, "x.log", Y),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_7(line: Line) -> None:
    meet(line)
