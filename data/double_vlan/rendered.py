"""What cannot be had without the kernel's 8021q and bonding modules: what a host's own tools say of its interfaces."""

from typing import NamedTuple

BOND_FLAGS, SLAVE_FLAGS = "BROADCAST,MULTICAST,MASTER,UP,LOWER_UP", "BROADCAST,MULTICAST,SLAVE,UP,LOWER_UP"
FLAGS = "BROADCAST,MULTICAST,UP,LOWER_UP"
QUEUES = "addrgenmode eui64 numtxqueues {0} numrxqueues {0} gso_max_size 65536 gso_max_segs 65535 "


class Tags(NamedTuple):
    """Where a half puts its tenants' tag: the device below vlan100, and what that device is."""

    parent: str  # nova.conf's vlan_interface
    outer_vid: int | None  # None: nothing but the tenants' own tag
    outer_tpid: int
    bond_mtu: int


class Device(NamedTuple):
    """One interface: its name as iproute2 prints it, the rest of its first line, and what stands below."""

    name: str
    flags: str
    rest: str
    mac: str
    kind: str = ""
    queues: int = 1
    inet: tuple[str, ...] = ()


def devices(tags: Tags, mac: str, macs: tuple[str, str], addresses: dict[str, str], tap: str | None) -> list[Device]:
    """A nova host's interfaces in the order of their numbers, from 2; no device has the number 4."""
    vlans = {"vlan20": (20, "802.1Q", 1500)}
    if tags.parent not in ("bond0", *vlans):
        vlans[tags.parent] = (tags.outer_vid or 0, "802.1ad" if tags.outer_tpid == 0x88A8 else "802.1Q", tags.bond_mtu)
    slave = f"mtu {tags.bond_mtu} qdisc mq master bond0 state UP mode DEFAULT group default qlen 1000"
    bond = "bond mode 802.3ad miimon 100 updelay 200 downdelay 200 use_carrier 1 lacp_rate fast "
    found = [
        Device(f"eth{n}", SLAVE_FLAGS, slave, mac, f"bond_slave state ACTIVE mii_status UP link_failure_count 0 "
               f"perm_hwaddr {macs[n]} queue_id 0 ad_aggregator_id 1 ", 8) for n in (0, 1)
    ]  # fmt: skip
    plain = "qdisc noqueue state UP mode DEFAULT group default qlen 1000"
    found.append(Device("bond0", BOND_FLAGS, f"mtu {tags.bond_mtu} {plain}", mac, bond, 16))
    for name, (vid, protocol, mtu) in vlans.items():
        kind = f"vlan protocol {protocol} id {vid} <REORDER_HDR> "
        inet = (addresses[name],) if name in addresses else ()
        found.append(Device(f"{name}@bond0", FLAGS, f"mtu {mtu} {plain}", mac, kind, 1, inet))
    bridge = "bridge forward_delay 0 hello_time 200 max_age 2000 ageing_time 30000 stp_state 0 priority 32768 "
    inet = (addresses["br100"],) if "br100" in addresses else ()
    found.append(Device("br100", FLAGS, f"mtu 1500 {plain}", mac, bridge, 1, inet))
    port = "bridge_slave state forwarding priority 32 cost {} hairpin off guard off root_block off fastleave off "
    joined = "mtu 1500 qdisc {} master br100 state {} mode DEFAULT group default qlen 1000"
    vlan100 = f"vlan protocol 802.1Q id 100 <REORDER_HDR> \n    {port.format(4)}"
    found.append(Device(f"vlan100@{tags.parent}", FLAGS, joined.format("noqueue", "UP"), mac, vlan100))
    if tap:
        tun = f"tun \n    {port.format(100)}"
        found.append(Device("vnet0", FLAGS, joined.format("pfifo_fast", "UNKNOWN"), tap, tun))
    return found


def card(mac: str) -> list[Device]:
    """The interfaces of a host with one network card and no VLAN."""
    return [Device("eth0", FLAGS, "mtu 1500 qdisc pfifo_fast state UP mode DEFAULT group default qlen 1000", mac)]


def numbered(found: list[Device]) -> list[tuple[int, Device]]:
    """Interface numbers as the tale's host had them: the physical cards first, vlan100 is number 10."""
    last = next((n for n, device in enumerate(found) if device.name.startswith("vlan100")), len(found) + 1)
    return [(n + 2 if n < last - 1 else n + 10 - last, device) for n, device in enumerate(found)]


def ip_link(found: list[Device]) -> str:
    """What `ip -d link` prints, in the layout of iproute2 4.3."""
    lines = [
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1 ",
        "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0 " + QUEUES.format(1),
    ]
    for number, device in numbered(found):
        lines.append(f"{number}: {device.name}: <{device.flags}> {device.rest} ")
        promiscuity = int("master br100" in device.rest or device.name == "bond0")
        queues = QUEUES.format(device.queues)
        lines.append(f"    link/ether {device.mac} brd ff:ff:ff:ff:ff:ff promiscuity {promiscuity} ")
        lines.append(f"    {device.kind}{queues}" if device.kind else lines.pop() + queues)
    return "\n".join(lines) + "\n"


def ip_address(found: list[Device]) -> str:
    """What `ip a` prints."""
    lines = [
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1",
        "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00",
        "    inet 127.0.0.1/8 scope host lo",
        "       valid_lft forever preferred_lft forever",
    ]
    for number, device in numbered(found):
        lines.append(f"{number}: {device.name}: <{device.flags}> {device.rest.replace('mode DEFAULT ', '')}")
        lines.append(f"    link/ether {device.mac} brd ff:ff:ff:ff:ff:ff")
        for address in device.inet:
            network = address.partition("/")[0].rpartition(".")[0]
            lines.append(f"    inet {address} brd {network}.255 scope global {device.name.partition('@')[0]}")
            lines.append("       valid_lft forever preferred_lft forever")
    return "\n".join(lines) + "\n"


def vlan_config(found: list[Device]) -> str:
    """What /proc/net/vlan/config says."""
    lines = ["VLAN Dev name\t | VLAN ID", "Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD"]
    for device in found:
        name, _, parent = device.name.partition("@")
        if parent:
            vid = device.kind.partition(" id ")[2].partition(" ")[0]
            lines.append(f"{name:<15}| {vid:<4} | {parent}")
    return "\n".join(lines) + "\n"


def nova_conf(tags: Tags, host: str) -> str:
    """nova.conf of a VlanManager cloud whose controller is the gateway of all instances (Folsom)."""
    return f"""[DEFAULT]
logdir=/var/log/nova
state_path=/var/lib/nova
lock_path=/var/lock/nova
my_ip={host}
sql_connection=mysql://nova:secret@198.51.100.2/nova
rabbit_host=198.51.100.2
glance_api_servers=198.51.100.2:9292

# network
network_manager=nova.network.manager.VlanManager
multi_host=False
vlan_start=100
vlan_interface={tags.parent}
public_interface=vlan20
fixed_range=10.0.100.0/24
network_size=256
dhcpbridge=/usr/bin/nova-dhcpbridge
dhcpbridge_flagfile=/etc/nova/nova.conf
force_dhcp_release=True

# compute
libvirt_type=kvm
compute_driver=libvirt.LibvirtDriver
libvirt_use_virtio_for_bridges=True
"""
