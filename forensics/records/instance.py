"""Instance, InstancePort, Image and Network: what the databases and listings of a cloud know of its parts."""

from __future__ import annotations

from forensics.records._record import address, flag, instant, mac_address, number, size, text
from forensics.records.snapshot import Snapshot


class Instance(Snapshot):
    """One row of nova's instances (or of a listing of servers), with its life span."""

    instance = text("uuid; null in the oldest databases", nullable=True)
    instance_id = number("integer id: hexadecimal in instance-%08x", nullable=True)
    instance_name = text("name of the domain and folder", nullable=True)
    display_name = text("name that its user gave it", nullable=True)
    hostname = text("host name inside", nullable=True)
    compute_host = text("host that it runs or ran on", nullable=True)
    node = text("hypervisor", nullable=True)
    user_id = text("owner", nullable=True)
    project_id = text("project (tenant)", nullable=True)
    image = text("image it was booted from: uuid in lower case; null for boot from volume", nullable=True)
    image_hash = text("SHA-1 of the image's id: name of its base file", nullable=True)
    flavor = text("flavor, by name or id", nullable=True)
    memory_mb = number("memory", nullable=True)
    vcpus = number("processors", bits=32, nullable=True)
    root_gb = number("root disk", bits=32, nullable=True)
    ephemeral_gb = number("ephemeral disk", bits=32, nullable=True)
    vm_state = text("active, stopped, error, deleted, …", nullable=True)
    task_state = text("what is being done with it", nullable=True)
    power_state = text("running, shutdown, …; nova's number spelled out", nullable=True)
    availability_zone = text("availability zone", nullable=True)
    addresses = text("addresses as a listing prints them", nullable=True)
    key_name = text("ssh key", nullable=True)
    is_deleted = flag("whether the row is marked deleted (deleted != 0)", nullable=True)
    created_at = instant("row created", nullable=True)
    launched_at = instant("launched", nullable=True)
    terminated_at = instant("destroyed", nullable=True)
    deleted_at = instant("row marked deleted", nullable=True)
    updated_at = instant("row last changed", nullable=True)
    database = text("schema that the row is from", nullable=True)
    is_archived = flag("whether the row was moved to a shadow table, so that no query meets it any more", nullable=True)
    ec2_id = number("id of instance_id_mappings: hexadecimal in i-%08x", nullable=True)


class InstancePort(Snapshot):
    """One network interface of one instance: which MAC and address was whose, and when."""

    mac = mac_address("hardware address")
    ip = address("fixed address; one row an address")
    floating_ip = address("floating address that leads to it")
    instance = text("uuid", nullable=True)
    instance_id = number("integer id, in databases before 2012", nullable=True)
    instance_name = text("name of the domain", nullable=True)
    port = text("uuid of the port or virtual interface", nullable=True)
    network = text("network, by uuid or id", nullable=True)
    tap = text("device on the host: tap…, vnet0", nullable=True)
    bridge = text("bridge that the device is in", nullable=True)
    compute_host = text("host it is bound to", nullable=True)
    user_id = text("owner of the instance, where told", nullable=True)
    project_id = text("project", nullable=True)
    state = text("ACTIVE, DOWN, leased, …", nullable=True)
    device_owner = text("compute:nova, network:dhcp, …", nullable=True)
    is_deleted = flag("whether the row is marked deleted", nullable=True)
    created_at = instant("row created", nullable=True)
    updated_at = instant("row last changed", nullable=True)
    deleted_at = instant("row marked deleted", nullable=True)


class Image(Snapshot):
    """One image, as glance's database or a listing has it."""

    image = text("uuid", nullable=True)
    image_hash = text("SHA-1 of the id: name of its base file", nullable=True)
    name = text("name", nullable=True)
    status = text("active, deleted, …", nullable=True)
    project_id = text("owner", nullable=True)
    visibility = text("public, private, …", nullable=True)
    size_bytes = size("size", nullable=True)
    checksum = text("digest that glance keeps", nullable=True)
    is_deleted = flag("whether the row is marked deleted", nullable=True)
    created_at = instant("created", nullable=True)
    updated_at = instant("last changed", nullable=True)
    deleted_at = instant("deleted", nullable=True)
    ec2_id = number("id of s3_images: 7 in ami-00000007", nullable=True)


class Network(Snapshot):
    """One network, as nova's or neutron's database or a listing has it."""

    network = text("uuid or id", nullable=True)
    name = text("label", nullable=True)
    project_id = text("project", nullable=True)
    cidr = text("address range", nullable=True)
    vlan_id = number("VLAN, or segmentation id of a VLAN network", bits=32, nullable=True)
    kind = text("vlan, vxlan, flat, …", nullable=True)
    bridge = text("bridge", nullable=True)
    bridge_interface = text("what nova puts the VLAN on; itself a VLAN where one is stacked on another", nullable=True)
    physical_network = text("physical network", nullable=True)
    gateway = address("gateway")
    dhcp_server = address("DHCP server")
    mtu_bytes = size("MTU", bits=32, nullable=True)
    compute_host = text("host of a network in multi-host mode", nullable=True)
    is_deleted = flag("whether the row is marked deleted", nullable=True)
