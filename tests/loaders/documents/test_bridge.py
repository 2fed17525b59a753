"""`bridge link`, `vlan`, `fdb` with their JSON, and the address tables of switches: formats.md 7.5, 11.2."""

import json

import pytest

from forensics.records import ForwardingEntry, HostInterface, LldpNeighbour, ShellCommand
from tests.loaders.documents._picked import done, picked, rejects, rows

PORT = {
    "interface": "v1", "index": 3, "parent": "v0", "mtu_bytes": 1500, "master": "br0", "carrier": True,
    "mode": "forwarding", "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
}  # fmt: skip


REST = "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state forwarding priority 32 cost 2 \n"
DETAIL = "    hairpin off guard off root_block off fastleave off learning on flood on\n"


@pytest.mark.parametrize("text", [f"3: v1@v0: {REST}", f"3: v1@v0: {REST}{DETAIL}", f"3: v1 state UP @v0: {REST}",
                                  f"3: v1@v0 state UP : {REST}"])  # fmt: skip
def test_ports_of_bridges(text: str) -> None:
    assert picked(text) == "bridge-link"
    assert rejects(text) == []
    (row,) = rows(text, HostInterface)
    row.pop("state", None)  # only the first releases print it
    assert row == PORT


def test_ports_of_bridges_as_json() -> None:
    port = {"ifindex": 3, "link": "v0", "ifname": "v1", "flags": PORT["flags"], "mtu": 1500, "master": "br0",
            "state": "forwarding", "priority": 32, "cost": 2}  # fmt: skip
    for indent in (None, 4):
        text = json.dumps([port], indent=indent)
        assert picked(text) == "bridge-link-json"
        assert rows(text, HostInterface) == [PORT]


@pytest.mark.parametrize("heading", ["port\tvlan ids", "port              vlan-id  "])
def test_vlans_of_ports(heading: str) -> None:
    text = f"""\
{heading}
vnet0\t 1 PVID Egress Untagged
\t 100
\t 200-202

vnet1             7 PVID Egress Untagged
br0\tNone
trunk0            20
"""
    assert picked(text) == "bridge-vlan"
    assert rejects(text) == []
    told = [
        {"interface": "vnet0", "vlan_id": 1, "trunks": [100, 200, 201, 202]},
        {"interface": "vnet1", "vlan_id": 7},
        {"interface": "trunk0", "trunks": [20]},
    ]
    assert rows(text, HostInterface) == told
    own = {"vlan": 1, "flags": ["PVID", "Egress Untagged"]}
    listed = {
        "vnet0": [own, {"vlan": 100}, {"vlan": 200, "vlanEnd": 202}],
        "vnet1": [own | {"vlan": 7}],
        "trunk0": [{"vlan": 20}],
    }
    modern = json.dumps([{"ifname": name, "vlans": vlans} for name, vlans in listed.items()])
    assert picked(modern) == picked(json.dumps(listed)) == "bridge-vlan-json"
    assert rows(modern, HostInterface) == rows(json.dumps(listed), HostInterface) == told


FDB = """\
33:33:00:00:00:01 dev br0 self permanent
fa:16:3e:24:e7:22 dev vnet0 vlan 7 master br0 \n\
16:56:68:29:23:73 dev v1 used 5/10 master br0 permanent
02:00:00:00:00:01 dev v1 master br0 static
00:00:00:00:00:00 dev vx0 dst 10.9.9.9 via v0 self permanent
fa:16:3e:24:e7:23 dev vx0 dst 10.9.9.8 self \n\
fa:16:3e:24:e7:24 dev vnet1 master br0 extern_learn
"""
ENTRIES = [
    {"mac": "33:33:00:00:00:01", "interface": "br0", "kind": "permanent"},
    {
        "mac": "fa:16:3e:24:e7:22",
        "interface": "vnet0",
        "bridge": "br0",
        "vlan_id": 7,
        "is_local": False,
        "kind": "dynamic",
    },
    {
        "mac": "16:56:68:29:23:73",
        "interface": "v1",
        "bridge": "br0",
        "is_local": True,
        "kind": "permanent",
        "age_s": 10.0,
    },
    {"mac": "02:00:00:00:00:01", "interface": "v1", "bridge": "br0", "is_local": False, "kind": "static"},
    {"mac": "00:00:00:00:00:00", "interface": "vx0", "kind": "permanent", "remote_ip": "10.9.9.9"},
    {"mac": "fa:16:3e:24:e7:23", "interface": "vx0", "kind": "self", "remote_ip": "10.9.9.8"},
    {"mac": "fa:16:3e:24:e7:24", "interface": "vnet1", "bridge": "br0", "is_local": False, "kind": "dynamic"},
]


def test_addresses_that_bridges_forward() -> None:
    assert picked(FDB) == "bridge-fdb"
    assert rejects(FDB) == []
    assert rows(FDB, ForwardingEntry) == ENTRIES


def test_addresses_that_bridges_forward_as_json() -> None:
    listed = [
        {"mac": "33:33:00:00:00:01", "ifname": "br0", "flags": ["self"], "state": "permanent"},
        {"mac": "fa:16:3e:24:e7:22", "ifname": "vnet0", "vlan": 7, "flags": [], "master": "br0", "state": ""},
        {"mac": "16:56:68:29:23:73", "ifname": "v1", "flags": [], "master": "br0", "state": "permanent",
         "used": 5, "updated": 10},
        {"mac": "02:00:00:00:00:01", "ifname": "v1", "flags": [], "master": "br0", "state": "static"},
        {"mac": "00:00:00:00:00:00", "ifname": "vx0", "dst": "10.9.9.9", "flags": ["self"], "state": "permanent"},
        {"mac": "fa:16:3e:24:e7:23", "ifname": "vx0", "dst": "10.9.9.8", "flags": ["self"], "state": ""},
        {"mac": "fa:16:3e:24:e7:24", "ifname": "vnet1", "flags": ["extern_learn"], "master": "br0", "state": ""},
    ]  # fmt: skip
    assert picked(json.dumps(listed)) == "bridge-fdb-json"
    assert rows(json.dumps(listed), ForwardingEntry) == ENTRIES


def test_a_big_table_is_read_in_pieces() -> None:
    text = "".join(
        f"02:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x} dev v{n % 9} master br0\n" for n in range(20_000)
    )
    found = done(text).of(ForwardingEntry)
    assert found.height == found["mac"].n_unique() == 20_000
    assert found["position"].to_list() == list(range(1, 20_001))


EOS = """\
          Mac Address Table
------------------------------------------------------------------

Vlan    Mac Address       Type        Ports      Moves   Last Move
----    -----------       ----        -----      -----   ---------
 100    fa16.3e24.e722    DYNAMIC     Po35       1       0:00:12 ago
 100    001c.73aa.bbcc    STATIC      Cpu
Total Mac Addresses for this criterion: 2

          Multicast Mac Address Table
------------------------------------------------------------------

Vlan    Mac Address       Type        Ports
----    -----------       ----        -----
Total Mac Addresses for this criterion: 0
"""
IOS = """\
          Mac Address Table
-------------------------------------------

Vlan    Mac Address       Type        Ports
----    -----------       --------    -----
 All    0100.0ccc.cccc    STATIC      CPU
 100    fa16.3e24.e722    DYNAMIC     Gi1/0/35
Total Mac Addresses for this criterion: 2
"""
NXOS = """\
Legend:
        * - primary entry, G - Gateway MAC, (R) - Routed MAC, O - Overlay MAC
        age - seconds since last seen,+ - primary entry using vPC Peer-Link
   VLAN     MAC Address      Type      age     Secure NTFY Ports
---------+-----------------+--------+---------+------+----+------------------
* 100      fa16.3e24.e722   dynamic  270        F      F    Po35
G -        001c.73aa.bbcc   static   -         F      F    sup-eth1(R)
"""


@pytest.mark.parametrize(("text", "port"), [(EOS, "Po35"), (IOS, "Gi1/0/35"), (NXOS, "Po35")])
def test_addresses_that_switches_learned(text: str, port: str) -> None:
    assert picked(text) == "switch-mac-table"
    frame = done(text).of(ForwardingEntry)
    assert rejects(text) == []
    (row,) = [row for row in rows(text, ForwardingEntry) if row["mac"] == "fa:16:3e:24:e7:22"]
    age = {"age_s": 270.0} if text is NXOS else {}
    told = {
        "mac": "fa:16:3e:24:e7:22",
        "interface": port,
        "bridge": "cc12",
        "vlan_id": 100,
        "is_local": False,
        "kind": "dynamic",
    }
    assert row == told | age
    assert frame.height == 2
    assert [row["is_local"] for row in rows(text, ForwardingEntry) if row["mac"] != "fa:16:3e:24:e7:22"] == [True]


def test_a_table_of_a_switch_keeps_its_heading_in_mind_from_piece_to_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forensics.loaders.documents._document.CHUNK_BYTES", 8_192)
    found = done(NXOS + NXOS.splitlines(keepends=True)[5] * 1_000).of(ForwardingEntry)
    assert found["age_s"].drop_nulls().len() == found.height - 1 == 1_001


@pytest.mark.parametrize("prompt", ["SW-1#", "SW-1>", "SW-1# ", "SW-1(config)#"])
def test_what_was_typed_at_a_switch(prompt: str) -> None:
    neighbours = (
        "Port   Neighbor Device ID   Neighbor Port ID    TTL\n----  ----  ----  ---\nEt35   cc12   eth2   120\n"
    )
    text = f"{prompt}show mac address-table\n{EOS}{prompt}sh lldp neighbors\n{neighbours}{prompt}\n"
    found = done(text)
    assert set(found.of(ForwardingEntry)["host"]) == set(found.of(LldpNeighbour)["host"]) == {"SW-1"}
    assert found.of(ForwardingEntry)["bridge"].to_list() == ["SW-1", "SW-1"]
    assert found.of(ShellCommand)["command"].to_list()[:2] == ["show mac address-table", "sh lldp neighbors"]


def test_lines_of_blanks_cost_no_more_than_others() -> None:
    text = NXOS + (" " * 50_000 + "\n") * 200 + (" " * 599 + "x\n") * 2_000
    assert done(text).of(ForwardingEntry).height == 2


def test_addresses_that_sonic_and_junos_learned() -> None:
    sonic = (
        "  No.    Vlan  MacAddress         Port         Type\n-----  ------  -----------------  -----------  -------\n"
        "    1    1000  FA:16:3E:11:22:33  Ethernet0    Dynamic\nTotal number of entries 1\n"
    )
    junos = (
        "Ethernet-switching table: 2 entries, 1 learned\n"
        "  VLAN              MAC address       Type         Age Interfaces\n"
        "  cloud             *                 Flood          - All-members\n"
        "  cloud             fa:16:3e:11:22:33 Learn       1:23 ge-0/0/1.0\n"
    )
    for text, port, vlan in ((sonic, "Ethernet0", 1000), (junos, "ge-0/0/1.0", None)):
        found = done(text, "x.txt")
        table = found.of(ForwardingEntry)
        assert table.select("mac", "interface", "vlan_id").rows() == [("fa:16:3e:11:22:33", port, vlan)]
        assert not rejects(text, "x.txt")
