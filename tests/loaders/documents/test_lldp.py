"""`lldpctl` in every form, `lldptool`, and what switches print of their neighbours."""

import json

import pytest

from forensics.records import LldpNeighbour
from tests.loaders.documents._picked import TAKEN, done, picked, rejects, rows

NEIGHBOUR = {
    "interface": "eth2", "chassis_id": "00:1c:73:aa:bb:cc", "port_id": "Ethernet35", "port_description": "Server35",
    "system_name": "SW-1", "system_description": "Arista Networks EOS version 4.10\nrunning on: a DCS-7050",
    "management_ip": "192.168.1.1", "capabilities": ["Bridge"], "vlan_id": 20, "mtu_bytes": 9236, "ttl_s": 120.0,
}  # fmt: skip
SEEN = TAKEN - (86_400 + 3_723) * 1_000_000_000
RULE = "-" * 79
TEXT = f"""\
{RULE}
LLDP neighbors:
{RULE}
Interface:    eth2, via: LLDP, RID: 1, Time: 1 day, 01:02:03
  Chassis:     \n\
    ChassisID:    mac 00:1c:73:aa:bb:cc
    SysName:      SW-1
    SysDescr:     Arista Networks EOS version 4.10
                  running on: a DCS-7050
    MgmtIP:       192.168.1.1
    MgmtIP:       fe80::1
    Capability:   Bridge, on
    Capability:   Router, off
  Port:        \n\
    PortID:       ifname Ethernet35
    PortDescr:    Server35
    TTL:          120
    MFS:          9236
    PMD autoneg:  supported: no, enabled: no
      MAU oper type: 10GbaseT - Four-pair Category 6A or better, full duplex mode only
  VLAN:         10, pvid: no servers
  VLAN:         20, pvid: yes vlan-20
{RULE}
"""
OLD = TEXT.replace("    TTL:          120\n", "").replace(
    "    MgmtIP:       192", "    TTL:          120\n    MgmtIP:       192"
)
PORT = {"id": {"type": "ifname", "value": "Ethernet35"}, "descr": "Server35", "ttl": "120", "mfs": "9236"}
CHASSIS = {
    "id": {"type": "mac", "value": "00:1c:73:aa:bb:cc"}, "descr": NEIGHBOUR["system_description"],
    "mgmt-ip": ["192.168.1.1", "fe80::1"],
    "capability": [{"type": "Bridge", "enabled": True}, {"type": "Router", "enabled": False}],
}  # fmt: skip
VLANS = [{"vlan-id": "10", "pvid": False, "value": "servers"}, {"vlan-id": "20", "pvid": True, "value": "vlan-20"}]
ENTRY = {"via": "LLDP", "rid": "1", "age": "1 day, 01:02:03", "chassis": {"SW-1": CHASSIS}, "port": PORT, "vlan": VLANS}


def wrapped(value: object) -> list:
    """Values as the verbose JSON has them."""
    return [{"value": one} for one in (value if isinstance(value, list) else [value])]


JSON0 = {"lldp": [{"interface": [{
    "name": "eth2", "via": "LLDP", "rid": "1", "age": "1 day, 01:02:03",
    "chassis": [{"id": [CHASSIS["id"]], "name": wrapped("SW-1"), "descr": wrapped(CHASSIS["descr"]),
                 "mgmt-ip": wrapped(CHASSIS["mgmt-ip"]), "capability": CHASSIS["capability"]}],
    "port": [{"id": [PORT["id"]], "descr": wrapped("Server35"), "ttl": wrapped("120"), "mfs": wrapped("9236")}],
    "vlan": VLANS,
}]}]}  # fmt: skip
XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<lldp label="LLDP neighbors">
 <interface label="Interface" name="eth2" via="LLDP" rid="1" age="1 day, 01:02:03">
  <chassis label="Chassis">
   <id label="ChassisID" type="mac">00:1c:73:aa:bb:cc</id>
   <name label="SysName">SW-1</name>
   <descr label="SysDescr">Arista Networks EOS version 4.10
running on: a DCS-7050</descr>
   <mgmt-ip label="MgmtIP">192.168.1.1</mgmt-ip>
   <capability label="Capability" type="Bridge" enabled="on"/>
   <capability label="Capability" type="Router" enabled="off"/>
  </chassis>
  <port label="Port">
   <id label="PortID" type="ifname">Ethernet35</id>
   <descr label="PortDescr">Server35</descr>
   <ttl label="TTL">120</ttl>
   <mfs label="MFS">9236</mfs>
  </port>
  <vlan label="VLAN" vlan-id="10" pvid="no">servers</vlan>
  <vlan label="VLAN" vlan-id="20" pvid="yes">vlan-20</vlan>
 </interface>
</lldp>
"""
KEYVALUE = """\
lldp.eth2.via=LLDP
lldp.eth2.rid=1
lldp.eth2.age=1 day, 01:02:03
lldp.eth2.chassis.mac=00:1c:73:aa:bb:cc
lldp.eth2.chassis.name=SW-1
lldp.eth2.chassis.descr=Arista Networks EOS version 4.10
running on: a DCS-7050
lldp.eth2.chassis.mgmt-ip=192.168.1.1
lldp.eth2.chassis.Bridge.enabled=on
lldp.eth2.chassis.Router.enabled=off
lldp.eth2.port.ifname=Ethernet35
lldp.eth2.port.descr=Server35
lldp.eth2.port.ttl=120
lldp.eth2.port.mfs=9236
lldp.eth2.port.auto-negotiation.supported=no
lldp.eth2.vlan.vlan-id=10
lldp.eth2.vlan.pvid=no
lldp.eth2.vlan=servers
lldp.eth2.vlan.vlan-id=20
lldp.eth2.vlan.pvid=yes
lldp.eth2.vlan=vlan-20
"""


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (TEXT, "lldpctl"),
        (OLD, "lldpctl"),
        (TEXT.replace("LLDP neighbors:\n", "").removeprefix(f"{RULE}\n"), "lldpctl"),
        (json.dumps({"lldp": {"interface": {"eth2": ENTRY}}}), "lldpctl-json"),
        (json.dumps({"lldp": {"interface": [{"eth2": ENTRY}]}}, indent=2), "lldpctl-json"),
        (json.dumps(JSON0), "lldpctl-json"),
        (XML, "lldpctl-xml"),
        (KEYVALUE, "lldpctl-keyvalue"),
    ],
)
def test_a_neighbour_is_the_same_in_every_form(text: str, form: str) -> None:
    assert picked(text) == form
    assert rejects(text) == []
    (row,) = rows(text, LldpNeighbour)
    row.pop("seen_at")
    assert row == NEIGHBOUR
    assert done(text).of(LldpNeighbour)["seen_at"].dt.epoch("ns").to_list() == [SEEN]


def test_several_neighbours_also_on_one_interface() -> None:
    second = "Interface:" + TEXT.partition("Interface:")[2].replace("SW-1", "SW-2").replace("RID: 1", "RID: 2")
    assert [row["system_name"] for row in rows(TEXT + second, LldpNeighbour)] == ["SW-1", "SW-2"]
    both = KEYVALUE + KEYVALUE.replace("SW-1", "SW-2") + KEYVALUE.replace("eth2", "eth3.100")
    found = [(row["interface"], row["system_name"]) for row in rows(both, LldpNeighbour)]
    assert found == [("eth2", "SW-1"), ("eth2", "SW-2"), ("eth3.100", "SW-1")]
    listed = {"lldp": {"interface": [{"eth2": ENTRY}, {"eth3": ENTRY | {"chassis": CHASSIS}}]}}
    assert [row.get("system_name") for row in rows(json.dumps(listed), LldpNeighbour)] == ["SW-1", None]


def test_nobody_there_gives_no_row_and_no_reject() -> None:
    for text in (f"{RULE}\nLLDP neighbors:\n{RULE}\n", '{"lldp": {}}\n', '<lldp label="LLDP neighbors"/>\n'):
        assert (picked(text) or "").startswith("lldpctl")
        assert rows(text, LldpNeighbour) == []
    assert rejects(f"{RULE}\nLLDP neighbors:\n{RULE}\n") == []


def test_lldptool() -> None:
    text = """\
Chassis ID TLV
\tMAC: 00:1c:73:aa:bb:cc
Port ID TLV
\tIfname: Ethernet35
Time to Live TLV
\t120
Port Description TLV
\tServer35
System Name TLV
\tSW-1
System Description TLV
\tArista Networks EOS version 4.10
\trunning on: a DCS-7050
System Capabilities TLV
\tSystem capabilities:  Bridge, Router
\tEnabled capabilities: Bridge
Management Address TLV
\tIPv4: 192.168.1.1
\tIfindex: 999999
Port VLAN ID TLV
\tPVID: 20
Maximum Frame Size TLV
\t9236
End of LLDPDU TLV
"""
    assert picked(text) == "lldptool"
    assert rejects(text) == []
    assert rows(text, LldpNeighbour, command="lldptool -t -n -i eth2") == [NEIGHBOUR]
    assert "interface" not in rows(text, LldpNeighbour)[0]
    assert len(rows(text * 3, LldpNeighbour)) == 3


EOS = """\
Last table change time   : 0:12:33 ago
Number of table inserts  : 4
Number of table deletes  : 0
Number of table drops    : 0
Number of table age-outs : 0

Port          Neighbor Device ID       Neighbor Port ID    TTL
---------- ------------------------ ---------------------- ---
Et35          cc12.example             fa16.3e24.e722      120
Et36/1        cc13.example             eth2                120
"""
IOS = """\
Capability codes:
    (R) Router, (B) Bridge, (T) Telephone, (C) DOCSIS Cable Device
    (W) WLAN Access Point, (P) Repeater, (S) Station, (O) Other

Device ID           Local Intf     Hold-time  Capability      Port ID
cc12.example        Gi1/0/35       120        B,S             fa16.3e24.e722
cc13                Gi 1/0/36      120                        eth2
a-name-that-is-too-long-for-it.example
                    Eth1/3         120        BR              eno1
Total entries displayed: 3
"""


def test_neighbours_of_switches() -> None:
    assert picked(EOS) == picked(IOS) == "switch-lldp"
    assert rejects(EOS) == []
    mac = "fa:16:3e:24:e7:22"
    assert rows(EOS, LldpNeighbour) == [
        {"interface": "Et35", "system_name": "cc12.example", "port_id": mac, "ttl_s": 120.0},
        {"interface": "Et36/1", "system_name": "cc13.example", "port_id": "eth2", "ttl_s": 120.0},
    ]
    first, second, third = rows(IOS, LldpNeighbour)
    assert first == {
        "interface": "Gi1/0/35",
        "system_name": "cc12.example",
        "port_id": mac,
        "ttl_s": 120.0,
        "capabilities": ["B", "S"],
    }
    assert second == {"interface": "Gi1/0/36", "system_name": "cc13", "port_id": "eth2", "ttl_s": 120.0}
    assert third.items() >= {"interface": "Eth1/3", "system_name": "a-name-that-is-too-long-for-it.example"}.items()
    assert rejects(IOS) == []


@pytest.mark.parametrize(
    "text",
    [
        "<lldp>" * 20_000,
        '<lldp><interface name="a"/></lldp><!DOCTYPE x [<!ENTITY a "b">]>',
        '<lldp><interface name="&a;"/></lldp>',
        "<lldp>" + "<a>" * 500 + "</a>" * 500 + "</lldp>",
    ],
)
def test_hostile_xml_gives_no_row_but_a_reject(text: str) -> None:
    assert rows(text + "\n", LldpNeighbour) == []
    assert rejects(text + "\n") == [1]
