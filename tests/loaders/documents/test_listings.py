"""Servers, ports, images and networks as clients list and show them (formats.md 7.5, 10.4)."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from forensics.records import Image, Instance, InstancePort, Network
from tests.loaders.documents._boxes import as_csv, as_json, box, shown
from tests.loaders.documents._said import said

SERVER = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
PORT = "cf0a1b2c-3d00-4321-9999-aabbccddeeff"
NET = "11111111-1234-4321-9999-aabbccddeeff"
IMAGE = "22222222-1234-4321-9999-aabbccddeeff"
HASH = hashlib.sha1(IMAGE.encode()).hexdigest()
MAC = "fa:16:3e:24:e7:22"


@pytest.mark.parametrize("draw", [box, as_csv, as_json])
@pytest.mark.parametrize(
    ("headings", "row", "told"),
    [
        ("ID|Name|Status|Networks", [SERVER, "web", "SHUTOFF", "net=192.0.2.3"], ("web", "stopped", None, None)),
        (
            "ID|Name|Tenant ID|Status|Task State|Power State|Networks",
            [SERVER, "テスト", "t1", "ACTIVE", "-", "Running", "net=192.0.2.3"],
            ("テスト", "active", "running", "t1"),
        ),
        ("ID|Name|Status|Networks|Image|Flavor", [SERVER, "web", "ERROR", "net=192.0.2.3", "c", "m1"],
         ("web", "error", None, None)),
        (
            "ID|Name|Status|Task State|Power State|Networks|Image Name|Image ID|Flavor Name|Availability Zone|Host",
            [SERVER, "a | b", "ACTIVE", "None", "Running", "net=192.0.2.3", "cirros", IMAGE, "m1", "nova", "cc12"],
            ("a | b", "active", "running", None),
        ),
    ],
)  # fmt: skip
def test_lists_of_servers(draw, headings: str, row: list[str], told: tuple[str | None, ...]) -> None:
    found = said("openstack_list", draw(headings, row))
    assert (found.rejects, found.format) == ([], "openstack-listing")
    assert found.of(Instance, "instance", "display_name", "vm_state", "power_state", "project_id") == [(SERVER, *told)]
    assert found.of(Instance, "is_deleted", "task_state", "addresses") == [(False, None, "net=192.0.2.3")]
    assert found.of(InstancePort, "instance", "ip", "floating_ip") == [(SERVER, "192.0.2.3", None)]
    if "Host" in headings:
        assert found.of(Instance, "compute_host", "image", "image_hash", "flavor") == [("cc12", IMAGE, HASH, "m1")]


@pytest.mark.parametrize(
    ("networks", "ports"),
    [
        ("net=10.0.0.2, 203.0.113.5", [("10.0.0.2", "203.0.113.5")]),
        ("net=10.0.0.2; other=fd00::2, 10.1.0.2", [("10.0.0.2", None), ("10.1.0.2", None), ("fd00::2", None)]),
        ("net=10.0.0.2, 10.0.0.3", []),  # which is whose, the listing does not say
        ("", []),
    ],
)
def test_addresses_of_a_server(networks: str, ports: list[tuple[str, str | None]]) -> None:
    found = said("openstack_list", box("ID|Name|Status|Networks", [SERVER, "web", "ACTIVE", networks]))
    assert found.of(InstancePort, "ip", "floating_ip") == ports
    as_object = json.dumps([{"ID": SERVER, "Name": "w", "Status": "ACTIVE", "Networks": {"net": ["10.0.0.2"]}}])
    assert said("openstack_list", as_object).of(InstancePort, "ip") == ["10.0.0.2"]


def test_an_id_that_was_wrapped_is_put_together() -> None:
    rows = ([SERVER[:20], "a", "ACTIVE", "net=10.0.0.2"], [SERVER[20:], "", "", ""], [PORT[:20], "b", "ERROR", ""])
    found = said("openstack_list", box("ID|Name|Status|Networks", *rows, [PORT[20:], "", "", ""]))
    assert found.of(Instance, "instance", "display_name", "position") == [(SERVER, "a", 4), (PORT, "b", 6)]
    assert found.rejects == []


def test_nova_show() -> None:
    text = box(
        "Property|Value",
        ["status", "ACTIVE"], ["updated", "2013-02-14T00:02:00Z"], ["OS-EXT-STS:task_state", "None"],
        ["OS-EXT-SRV-ATTR:host", "cc12"], ["key_name", "k"], ["image", f"cirros ({IMAGE})"],
        ["OS-EXT-STS:vm_state", "active"], ["OS-EXT-SRV-ATTR:instance_name", "instance-00000e05"],
        ["OS-EXT-SRV-ATTR:hypervisor_hostname", "cc12.example.org"], ["flavor", "m1.tiny (1)"], ["id", SERVER],
        ["user_id", "u1"], ["name", "web"], ["created", "2013-02-14T00:00:00Z"], ["tenant_id", "t1"],
        ["OS-EXT-STS:power_state", "1"], ["novanetwork network", "10.0.0.3, 203.0.113.9"], ["metadata", "{}"],
        ["OS-SRV-USG:launched_at", "2013-02-14T00:01:00.000000"], ["OS-SRV-USG:terminated_at", "None"],
    )  # fmt: skip
    found = said("openstack_list", text, command="nova show web")
    assert (found.rejects, found.format) == ([], "openstack-listing")
    (row,) = found.rows[Instance].to_dicts()
    told = {name: value for name, value in row.items() if value is not None}
    assert told | {
        "instance": SERVER, "instance_id": 0xE05, "instance_name": "instance-00000e05", "display_name": "web",
        "compute_host": "cc12", "node": "cc12.example.org", "user_id": "u1", "project_id": "t1", "image": IMAGE,
        "image_hash": HASH, "flavor": "m1.tiny", "vm_state": "active", "power_state": "running", "key_name": "k",
        "created_at": datetime(2013, 2, 14, tzinfo=UTC), "launched_at": datetime(2013, 2, 14, 0, 1, tzinfo=UTC),
        "updated_at": datetime(2013, 2, 14, 0, 2, tzinfo=UTC), "length_bytes": len(text.split("\n")[0] + "\n") * 20,
    } == told  # fmt: skip
    assert found.of(InstancePort, "ip", "floating_ip", "instance_name", "compute_host") == [
        ("10.0.0.3", "203.0.113.9", "instance-00000e05", "cc12")
    ]


def test_openstack_server_show_of_newer_clients() -> None:
    flavor = (
        "disk='20', ephemeral='0', , id='m1', is_disabled=, name='m1', original_name='m1.small', ram='2048', vcpus='2'"
    )
    text = shown("Field", addresses="net=10.0.0.3", flavor=flavor, hostId="h", id=SERVER, status="DELETED",
                 image="N/A (booted from volume)", user_id="u1")  # fmt: skip
    found = said("openstack_list", text, command="openstack server show web")
    assert found.of(Instance, "flavor", "memory_mb", "vcpus", "root_gb", "ephemeral_gb") == [
        ("m1.small", 2048, 2, 20, 0)
    ]
    assert found.of(Instance, "image", "is_deleted", "vm_state") == [(None, True, "deleted")]
    told = {"OS-EXT-STS:vm_state": "active", "id": SERVER, "addresses": {"net": ["10.0.0.3"]}, "status": "ACTIVE"}
    found = said("openstack_list", json.dumps(told))
    assert found.of(Instance, "instance", "vm_state") == [(SERVER, "active")]


FIXED = f"ip_address='10.0.0.2', subnet_id='{NET}'"
OLD_FIXED = f'{{"subnet_id": "{NET}", "ip_address": "10.0.0.2"}}'


@pytest.mark.parametrize("draw", [box, as_csv, as_json])
@pytest.mark.parametrize(
    ("headings", "row"),
    [
        ("ID|Name|MAC Address|Fixed IP Addresses|Status", [PORT, "", MAC, FIXED, "ACTIVE"]),
        ("ID|Name|MAC Address|Fixed IP Addresses", [PORT, "", MAC, FIXED]),
        ("id|name|mac_address|fixed_ips", [PORT, "", MAC.upper(), OLD_FIXED]),
        ("id|name|tenant_id|mac_address|fixed_ips", [PORT, "", "t1", MAC, OLD_FIXED]),
    ],
)
def test_lists_of_ports(draw, headings: str, row: list[str]) -> None:  # 7.5
    found = said("openstack_list", draw(headings, row))
    assert (found.rejects, found.format) == ([], "openstack-listing")
    assert found.of(InstancePort, "port", "mac", "ip", "tap") == [(PORT, MAC, "10.0.0.2", "tapcf0a1b2c-3d")]


def test_a_port_of_two_addresses_has_two_rows() -> None:
    rows = [PORT, "", MAC, FIXED, "ACTIVE"], ["", "", "", f"ip_address='fd00::2', subnet_id='{NET}'", ""]
    found = said("openstack_list", box("ID|Name|MAC Address|Fixed IP Addresses|Status", *rows))
    assert found.of(InstancePort, "mac", "ip", "position") == [(MAC, "10.0.0.2", 4), (MAC, "fd00::2", 4)]
    fixed = [{"subnet_id": NET, "ip_address": "10.0.0.2"}, {"subnet_id": NET, "ip_address": "fd00::2"}]
    text = json.dumps([{"ID": PORT, "MAC Address": MAC, "Fixed IP Addresses": fixed, "Status": "DOWN"}])
    assert said("openstack_list", text).of(InstancePort, "ip", "state") == [("10.0.0.2", "DOWN"), ("fd00::2", "DOWN")]


def test_a_port_tells_its_instance() -> None:
    show = shown("Field", mac_address=MAC, fixed_ips=FIXED, device_id=SERVER, device_owner="compute:nova", id=PORT,
                 network_id=NET, binding__host_id="cc12", status="ACTIVE")  # fmt: skip
    told = ("instance", "network", "device_owner")
    assert said("openstack_list", show).of(InstancePort, *told, "compute_host") == [
        (SERVER, NET, "compute:nova", "cc12")
    ]
    dhcp = show.replace("compute:nova", "network:dhcp")
    assert said("openstack_list", dhcp).of(InstancePort, *told) == [(None, NET, "network:dhcp")]
    table = box("Port State|Port ID|Net ID|IP addresses|MAC Addr", ["ACTIVE", PORT, NET, "10.0.0.2", MAC])
    found = said("openstack_list", table, command=f"nova interface-list {SERVER}")
    assert found.of(InstancePort, "instance", "port", "network", "ip", "mac") == [(SERVER, PORT, NET, "10.0.0.2", MAC)]
    table = box("ID|Floating IP Address|Fixed IP Address|Port", [NET, "203.0.113.5", "10.0.0.2", PORT])
    assert said("openstack_list", table).of(InstancePort, "floating_ip", "ip", "port") == [
        ("203.0.113.5", "10.0.0.2", PORT)
    ]


@pytest.mark.parametrize(
    ("command", "text", "told"),
    [
        ("openstack image list", box("ID|Name|Status", [IMAGE, "cirros", "active"]), ("active", None, None)),
        (
            "glance image-list",
            box("ID|Name|Disk Format|Container Format|Size|Status", [IMAGE, "cirros", "q", "b", "13147648", "active"]),
            ("active", 13147648, None),
        ),
        ("nova image-list", box("ID|Name|Status|Server", [IMAGE, "cirros", "ACTIVE", SERVER]), ("active", None, None)),
        ("glance image-list", box("ID|Name", [IMAGE, "cirros"]), (None, None, None)),
        (
            "openstack image show cirros",
            shown("Field", checksum="c0", container_format="bare", disk_format="qcow2", id=IMAGE, name="cirros",
                  owner="t1", size="5", status="active", visibility="public"),
            ("active", 5, "public"),
        ),
    ],
)  # fmt: skip
def test_images(command: str, text: str, told: tuple[str | int | None, ...]) -> None:
    found = said("openstack_list", text, command=command)
    assert (found.rejects, found.format) == ([], "openstack-listing")
    assert found.of(Image, "image", "image_hash", "name") == [(IMAGE, HASH, "cirros")]
    assert found.of(Image, "status", "size_bytes", "visibility") == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (box("ID|Name|Subnets", [NET, "net", PORT]), (None, None, None, None)),
        (box("id|name|subnets", [NET, "net", f"{PORT} 10.0.0.0/24"], ["", "", f"{SERVER} 10.0.1.0/24"]),
         ("10.0.0.0/24, 10.0.1.0/24", None, None, None)),
        (box("ID|Label|Cidr", [NET, "net", "10.0.0.0/24"]), ("10.0.0.0/24", None, None, None)),
        (shown("Field", id=NET, name="net", provider__network_type="vlan", provider__segmentation_id="100", mtu="1500",
               provider__physical_network="p1"), (None, 100, "vlan", 1500)),
        (shown("Field", id=NET, name="net", provider__network_type="vxlan", provider__segmentation_id="100"),
         (None, None, "vxlan", None)),
        (shown("Property", id=NET, label="net", cidr="10.0.0.0/24", vlan="100", bridge="br100",
               bridge_interface="vlan20"), ("10.0.0.0/24", 100, None, None)),
    ],
)  # fmt: skip
def test_networks(text: str, told: tuple[str | int | None, ...]) -> None:
    found = said("openstack_list", text)
    assert (found.rejects, found.format) == ([], "openstack-listing")
    assert found.of(Network, "network", "name") == [(NET, "net")]
    assert found.of(Network, "cidr", "vlan_id", "kind", "mtu_bytes") == [told]
    if "bridge_interface" in text:
        assert found.of(Network, "bridge", "bridge_interface") == [("br100", "vlan20")]


def test_networks_of_nova_manage() -> None:
    text = (
        "id   \tIPv4              \tIPv6           \tstart address  \tDNS1           \tDNS2           \tVlanID         "
        f"\tproject        \tuuid           \n1    \t10.0.0.0/24       \tNone           \t10.0.0.3       \t8.8.4.4  "
        f"      \tNone           \t100            \tt1             \t{NET}\n"
    )
    found = said("nova_manage", text)
    assert (found.rejects, found.format) == ([], "nova-manage")
    assert found.of(Network, "network", "cidr", "vlan_id", "project_id") == [(NET, "10.0.0.0/24", 100, "t1")]


def test_several_tables_in_one_file_and_the_text_between() -> None:
    text = (
        "/usr/lib/python2.7/x.py: DeprecationWarning: y\n" + box("ID|Name|Status|Networks", [SERVER, "a", "ACTIVE", ""])
        + "\n" + box("ID|Name|MAC Address|Fixed IP Addresses", [PORT, "", MAC, FIXED]) + box("ID|Zzz", ["1", "2"])
    )  # fmt: skip
    found = said("openstack_list", text)
    assert found.of(Instance, "instance") == [SERVER]
    assert found.of(InstancePort, "mac") == [MAC]
    assert [line for line in found.rejects if "Zzz" in line or "Deprecation" in line] == [
        "/usr/lib/python2.7/x.py: DeprecationWarning: y", "| ID | Zzz |",
    ]  # fmt: skip


def test_broken_tables_raise_nothing() -> None:
    whole = box("ID|Name|Status|Networks", [SERVER, "a", "ACTIVE", ""])
    for cut in range(0, len(whole), 7):
        said("openstack_list", whole[:cut] + "\n")
    for text in ("[" * 100_000, '[{"Status": ' * 20_000, '{"Status": 1', '"ID","Name","Networks"\n"' + "x" * 200_000,
                 "+-+\n| " + "|" * 50_000 + " |\n+-+\n"):  # fmt: skip
        said("openstack_list", text)
