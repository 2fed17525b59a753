"""HostInterface, ForwardingEntry and LldpNeighbour: the network of a host or switch at one instant."""

from __future__ import annotations

from forensics.records._record import Observed, address, flag, instant, mac_address, many, number, seconds, size, text
from forensics.records.snapshot import Snapshot


class HostInterface(Snapshot):
    """One interface of one host."""

    interface = text("name, without @parent")
    index = number("ifindex", bits=32, nullable=True)
    parent = text("device that it lies on: vlan20 in vlan100@vlan20; if6 for a peer elsewhere", nullable=True)
    kind = text("vlan, bridge, bond, vxlan, tun, veth, ovs-internal, patch, …", nullable=True)
    vlan_id = number("VLAN id of a VLAN device, or tag of an Open vSwitch port", bits=16, nullable=True)
    vlan_protocol = text("802.1Q or 802.1ad", nullable=True)
    trunks = many("VLANs of a trunk", number("VLAN", bits=16))
    mtu_bytes = size("MTU", bits=32, nullable=True)
    master = text("bridge, bond or OVS bridge that it belongs to", nullable=True)
    state = text("UP, DOWN, UNKNOWN, LOWERLAYERDOWN", nullable=True)
    carrier = flag("LOWER_UP and not NO-CARRIER; MII status of a bond's member", nullable=True)
    flags = many("flags as printed", text("one"))
    mac = mac_address("hardware address")
    permanent_mac = mac_address("address burned in, of a bond's member")
    addresses = many("addresses with prefix length", text("one"))
    qdisc = text("queueing discipline", nullable=True)
    speed_mbps = number("speed, megabits a second", bits=32, nullable=True)
    duplex = text("full or half", nullable=True)
    mode = text("mode of a bond; 802.1Q tunnel mode; STP state of a bridge", nullable=True)
    link_failures = number("link failure count", bits=32, nullable=True)
    bridge_id = text("bridge id", nullable=True)
    stp = flag("whether spanning tree runs on a bridge", nullable=True)
    tunnel_id = number("VNI or key", bits=32, nullable=True)
    remote_ip = address("far end of a tunnel")
    peer = text("the other end of a patch port or pair", nullable=True)
    port = text("neutron port uuid, from iface-id", nullable=True)
    instance = text("instance uuid, from vm-uuid", nullable=True)
    error = text("error that the listing shows", nullable=True)
    namespace = text("network namespace, where told", nullable=True)
    driver = text("driver and its version", nullable=True)
    aggregator = number("id of the aggregator (LACP) of a bond or its member", bits=32, nullable=True)
    partner_mac = mac_address("system at the other end, of a bond that speaks LACP")


class ForwardingEntry(Snapshot):
    """Where a bridge or switch has learned a hardware address."""

    mac = mac_address("address")
    interface = text("port it was learned on", nullable=True)
    bridge = text("bridge, or switch", nullable=True)
    vlan_id = number("VLAN", bits=16, nullable=True)
    is_local = flag("whether it is an address of the bridge itself", nullable=True)
    kind = text("dynamic, static, permanent, self, …", nullable=True)
    age_s = seconds("time since it was last seen", nullable=True)
    remote_ip = address("far end, of an overlay")


class LldpNeighbour(Observed):
    """Who is at the other end of a cable: one LLDP announcement, or one entry of `lldpctl`."""

    interface = text("own interface that it came in on", nullable=True)
    chassis_id = text("chassis id of the neighbour", nullable=True)
    port_id = text("port of the neighbour", nullable=True)
    port_description = text("description of that port", nullable=True)
    system_name = text("name of the neighbour", nullable=True)
    system_description = text("what it is", nullable=True)
    management_ip = address("management address")
    capabilities = many("capabilities that are enabled", text("one"))
    vlan_id = number("port VLAN id (802.1)", bits=16, nullable=True)
    mtu_bytes = size("largest frame (802.3)", bits=32, nullable=True)
    ttl_s = seconds("how long it holds", nullable=True)
    mac = mac_address("source address of the announcement")
    seen_at = instant("when it was learned, where told", nullable=True)
