"""Domains of libvirt as XML and what `virsh` prints of them: formats.md 7.5."""

import hashlib

import pytest

from forensics.records import DiskImage, Instance, InstancePort
from tests.loaders.documents._picked import done, picked, rejects, rows

UUID = "7e1f0a52-0c3a-4a1c-9d3e-2b1a0c9d8e7f"
IMAGE = "0673dd71-34c5-4fbb-86c4-40623fbe45b4"
HASH = "a489c868f0c37da93b76227c91bb03908ac0e742"
PORT = "cf0a1b2c-3d4e-5f60-7182-93a4b5c6d7e8"
BASE = f"/var/lib/nova/instances/_base/{HASH}"
DISK = f"/var/lib/nova/instances/{UUID}/disk"
DOMAIN = f"""\
<domain type='kvm' id='3'>
  <name>instance-00000e05</name>
  <uuid>{UUID}</uuid>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:package version="15.0.0"/>
      <nova:name>web &amp; mail</nova:name>
      <nova:creationTime>2017-05-16 00:00:05</nova:creationTime>
      <nova:flavor name="m1.small">
        <nova:memory>2048</nova:memory>
        <nova:disk>20</nova:disk>
        <nova:swap>0</nova:swap>
        <nova:ephemeral>5</nova:ephemeral>
        <nova:vcpus>2</nova:vcpus>
      </nova:flavor>
      <nova:owner>
        <nova:user uuid="0c6e7dba03c24c6a9bce299747499e8a">alice</nova:user>
        <nova:project uuid="7052bd6714e7460caeb16242e68124f9">research</nova:project>
      </nova:owner>
      <nova:root type="image" uuid="{IMAGE}"/>
      <nova:ports>
        <nova:port uuid="{PORT}">
          <nova:ip type="fixed" address="10.0.0.5" ipVersion="4"/>
          <nova:ip type="fixed" address="2001:DB8::5" ipVersion="6"/>
        </nova:port>
      </nova:ports>
    </nova:instance>
  </metadata>
  <memory unit='KiB'>2097152</memory>
  <vcpu placement='static'>2</vcpu>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='{DISK}'/>
      <backingStore type='file' index='1'>
        <format type='raw'/>
        <source file='{BASE}'/>
        <backingStore/>
      </backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='network' device='disk'>
      <driver name='qemu' type='raw'/>
      <auth username='cinder'><secret type='ceph' uuid='457eb676-33da-42ec-9a8c-9293d545c337'/></auth>
      <source protocol='rbd' name='volumes/volume-1'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <interface type='bridge'>
      <mac address='FA:16:3e:24:e7:22'/>
      <source bridge='qbrcf0a1b2c-3d'/>
      <target dev='tapcf0a1b2c-3d'/>
      <model type='virtio'/>
    </interface>
    <graphics type='vnc' port='5900' passwd='secret!'/>
  </devices>
</domain>
"""
KNOWN = {
    "instance": UUID, "instance_id": 3589, "instance_name": "instance-00000e05", "display_name": "web & mail",
    "compute_host": "cc12", "user_id": "0c6e7dba03c24c6a9bce299747499e8a",
    "project_id": "7052bd6714e7460caeb16242e68124f9", "image": IMAGE, "image_hash": HASH, "flavor": "m1.small",
    "memory_mb": 2048, "vcpus": 2, "root_gb": 20, "ephemeral_gb": 5,
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        DOMAIN,
        "".join(DOMAIN.splitlines()) + "\n",
        f"<?xml version='1.0' encoding='UTF-8'?>\n{DOMAIN}",
        f"<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n  virsh edit instance-00000e05\n-->\n\n{DOMAIN}",
        f"<domstatus state='running' pid='4711'>\n  <monitor path='/x'/>\n{DOMAIN}  <vcpus/>\n</domstatus>\n",
    ],
)
def test_a_domain_of_nova(text: str) -> None:
    assert picked(text) == "libvirt-domain"
    assert rejects(text) == []
    assert rows(text, Instance) == [KNOWN]
    names = {key: KNOWN[key] for key in ("instance", "instance_name", "compute_host", "user_id", "project_id")}
    port = names | {"mac": "fa:16:3e:24:e7:22", "port": PORT, "tap": "tapcf0a1b2c-3d", "bridge": "qbrcf0a1b2c-3d"}
    assert rows(text, InstancePort) == [port | {"ip": "10.0.0.5"}, port | {"ip": "2001:db8::5"}]
    own = {"instance": UUID, "instance_name": "instance-00000e05"}
    assert rows(text, DiskImage) == [
        {
            "path": DISK,
            "format": "qcow2",
            "backing_file": BASE,
            "backing_format": "raw",
            "image_hash": HASH,
            "device": "vda",
        }
        | own,
        {"path": BASE, "format": "raw", "device": "vda"} | own,
        {"path": "rbd:volumes/volume-1", "format": "raw", "device": "vdb"} | own,
    ]
    assert hashlib.sha1(IMAGE.encode()).hexdigest() == HASH  # formats.md 5.3


def test_rows_point_to_their_own_elements() -> None:
    found = done(f"\n{DOMAIN}")
    lines = ("", *DOMAIN.splitlines())
    for record, opening in ((DiskImage, "<disk "), (InstancePort, "<interface "), (Instance, "<domain ")):
        for position in found.of(record)["position"]:
            assert opening in lines[position - 1]


def test_a_domain_of_essex() -> None:
    text = """\
<domain type='kvm'>
    <uuid>7e1f0a52-0c3a-4a1c-9d3e-2b1a0c9d8e7f</uuid>
    <name>instance-00000e05</name>
    <memory>524288</memory>
    <vcpu>1</vcpu>
    <devices>
        <disk type='file' device='disk'>
            <driver type='qcow2' cache='none'/>
            <source file='/var/lib/nova/instances/instance-00000e05/disk'/>
            <target dev='vda' bus='virtio'/>
        </disk>
        <interface type='bridge'>
            <source bridge='br100'/>
            <mac address='02:16:3e:24:e7:22'/>
            <filterref filter="nova-instance-instance-00000e05-02163e24e722">
                <parameter name="IP" value="192.168.100.3" />
                <parameter name="DHCPSERVER" value="192.168.100.1" />
            </filterref>
        </interface>
    </devices>
</domain>
"""
    (instance,) = rows(text, Instance)
    assert instance.items() >= {"memory_mb": 512, "instance_id": 3589}.items()
    (port,) = rows(text, InstancePort)
    assert port.items() >= {"mac": "02:16:3e:24:e7:22", "ip": "192.168.100.3", "bridge": "br100"}.items()
    assert rows(text, DiskImage)[0]["path"] == "/var/lib/nova/instances/instance-00000e05/disk"


def test_other_kinds_of_interfaces_and_longer_chains() -> None:
    text = f"""\
<domain type='kvm'>
  <name>vm</name>
  <memory unit='GiB'>4</memory>
  <devices>
    <disk type='file'><source file='/a'/><target dev='sda'/>
      <backingStore type='file'><format type='qcow2'/><source file='/b'/>
        <backingStore type='block'><format type='raw'/><source dev='/dev/c'/><backingStore/></backingStore>
      </backingStore>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/><source network='default' bridge='virbr0'/><target dev='vnet0'/>
    </interface>
    <interface type='bridge'>
      <mac address='fa:16:3e:00:00:02'/><source bridge='br-int'/><target dev='vnet1'/>
      <virtualport type='openvswitch'><parameters interfaceid='{PORT}'/></virtualport>
    </interface>
    <interface type='direct'>
      <mac address='fa:16:3e:00:00:03'/><source dev='eth1' mode='passthrough'/><target dev='macvtap0'/>
    </interface>
  </devices>
</domain>
"""
    assert rows(text, Instance) == [{"instance_name": "vm", "compute_host": "cc12", "memory_mb": 4096}]
    chain = [(row["path"], row.get("backing_file")) for row in rows(text, DiskImage)]
    assert chain == [("/a", "/b"), ("/b", "/dev/c"), ("/dev/c", None)]
    first, second, third = rows(text, InstancePort)
    assert first.items() >= {"network": "default", "bridge": "virbr0", "tap": "vnet0"}.items()
    assert second.items() >= {"port": PORT, "bridge": "br-int"}.items()
    assert third.items() >= {"bridge": "eth1", "tap": "macvtap0"}.items()


def test_several_domains_one_after_the_other() -> None:
    text = DOMAIN + "\n" + DOMAIN.replace("00000e05", "00000e06").replace("7e1f0a52", "8e1f0a52")
    assert [row["instance_name"] for row in rows(text, Instance)] == ["instance-00000e05", "instance-00000e06"]
    assert rejects(text) == []


def test_no_secret_is_kept() -> None:
    frames = done(DOMAIN).rows.values()
    assert not any("secret!" in str(frame.to_dicts()) for frame in frames)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE domain [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<domain><name>&b;</name></domain>\n',
        f'<domain><name>a</name></domain>\n<!DOCTYPE x SYSTEM "file:///etc/passwd">\n{DOMAIN}',
        "<domain><name>&xxe;</name></domain>\n",
        "<domain><name>a</name>\n",
        "<domain><name>a</wrong></domain>\n",
        "<domain " + "a='b' " * 100 + ">" * 10 + "\n",
        "<domain><name>a</name>" + "<x>" * 300 + "</x>" * 300 + "</domain>\n",
        "<domain>" * 50_000 + "\n",
    ],
)
def test_hostile_xml_gives_no_row_but_rejects(text: str) -> None:
    if picked(text) is not None:
        assert picked(text) == "libvirt-domain"
        assert rows(text, Instance) == []
        assert rejects(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "<domains><a/></domains>\n",
        "<html><body>&lt;domain&gt;</body></html>\n",
        "<network><name>default</name></network>\n",
    ],
)
def test_false_friends(text: str) -> None:
    assert picked(text) != "libvirt-domain"


LIST = """\
 Id    Name                           State
----------------------------------------------------
 3     instance-00000e05              running
 -     instance-00000e06              shut off
 -     a name with blanks             in shutdown

"""


@pytest.mark.parametrize("text", [LIST, LIST.replace("\n ", "\n"), LIST.replace("-----\n", "-----\r\n")])
def test_virsh_list(text: str) -> None:
    assert picked(text) == "virsh-list"
    assert rejects(text) == []
    assert rows(text, Instance) == [
        {"instance_name": "instance-00000e05", "instance_id": 3589, "power_state": "running", "compute_host": "cc12"},
        {"instance_name": "instance-00000e06", "instance_id": 3590, "power_state": "shut off", "compute_host": "cc12"},
        {"instance_name": "a name with blanks", "power_state": "in shutdown", "compute_host": "cc12"},
    ]


def test_virsh_domiflist() -> None:
    text = """\
 Interface        Type     Source   Model    MAC
-------------------------------------------------------------
 vnet0            bridge   br100    virtio   fa:16:3e:24:e7:22
 tapcf0a1b2c-3d bridge     qbrcf0a1b2c-3d virtio      fa:16:3e:00:00:02
 -                network  default  rtl8139  52:54:00:00:00:01

"""
    assert rejects(text) == []
    name = {"instance_name": "instance-00000e05", "compute_host": "cc12"}
    assert rows(text, InstancePort, command="virsh domiflist instance-00000e05") == [
        {"mac": "fa:16:3e:24:e7:22", "tap": "vnet0", "bridge": "br100"} | name,
        {"mac": "fa:16:3e:00:00:02", "tap": "tapcf0a1b2c-3d", "bridge": "qbrcf0a1b2c-3d"} | name,
        {"mac": "52:54:00:00:00:01", "network": "default"} | name,
    ]
    by_uuid = rows(text, InstancePort, command=f"virsh -c qemu:///system domiflist {UUID}")
    assert {row.get("instance") for row in by_uuid} == {UUID}
    assert all("instance" not in row and "instance_name" not in row for row in rows(text, InstancePort))


@pytest.mark.parametrize("details", [False, True])
def test_virsh_domblklist(details: bool) -> None:
    path = "/var/lib/nova/instances/instance-00000e05/disk"
    if details:
        text = f" Type  Device  Target  Source\n{'-' * 40}\n file  disk    vda     {path}\n file  cdrom   hda     -\n"
    else:
        text = f"Target     Source\n{'-' * 40}\nvda        {path}\nhda        -\n\n"
    assert picked(text) == "virsh-domblklist"
    assert rejects(text) == []
    assert rows(text, DiskImage) == [
        {"path": path, "device": "vda", "instance_name": "instance-00000e05"}, {"device": "hda"}
    ]  # fmt: skip
    assert rows(text, DiskImage, command="virsh domblklist web --details")[1] == {
        "device": "hda",
        "instance_name": "web",
    }


def test_virsh_leases_addresses_and_info() -> None:
    leases = """\
 Expiry Time           MAC address         Protocol   IP address           Hostname   Client ID or DUID
------------------------------------------------------------------------------------------------------------
 2013-02-15 01:40:18   fa:16:3e:24:e7:22   ipv4       192.168.122.45/24    web        -
"""
    assert rejects(leases) == []
    assert rows(leases, InstancePort, command="virsh net-dhcp-leases default") == [
        {"mac": "fa:16:3e:24:e7:22", "ip": "192.168.122.45", "state": "leased", "network": "default"}
    ]
    addresses = f"""\
 Name       MAC address          Protocol     Address
{"-" * 79}
 vnet0      52:54:00:00:00:01    ipv4         192.168.122.45/24
"""
    assert rows(addresses, InstancePort, command="virsh domifaddr web") == [
        {
            "mac": "52:54:00:00:00:01",
            "ip": "192.168.122.45",
            "tap": "vnet0",
            "instance_name": "web",
            "compute_host": "cc12",
        }
    ]
    info = f"""\
Id:             3
Name:           instance-00000e05
UUID:           {UUID}
OS Type:        hvm
State:          running
CPU(s):         2
CPU time:       1234.5s
Max memory:     2097152 KiB
Used memory:    2097152 KiB
Persistent:     yes
"""
    wanted = {"instance": UUID, "instance_id": 3589, "instance_name": "instance-00000e05", "compute_host": "cc12",
              "memory_mb": 2048, "vcpus": 2, "power_state": "running"}  # fmt: skip
    assert picked(info) == "virsh-dominfo"
    assert rows(f"{info}\n{info}", Instance) == [wanted, wanted]
    assert rejects(info) == []
