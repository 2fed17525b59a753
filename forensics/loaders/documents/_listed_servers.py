"""Rows of servers, ports, images and networks, from the cells of OpenStack's listings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from forensics.loaders.documents._listed_cells import (
    Cells,
    address,
    fixed_addresses,
    image_hash,
    in_brackets,
    instant,
    mac,
    networks,
    text,
    uuid,
    whole,
    yes,
)
from forensics.records import Image, Instance, InstancePort, Network, Record

Made = tuple[type[Record], dict[str, Any]]

_VM_STATES = {
    "ACTIVE": "active", "SHUTOFF": "stopped", "BUILD": "building", "ERROR": "error", "DELETED": "deleted",
    "SOFT_DELETED": "soft-delete", "RESCUE": "rescued", "VERIFY_RESIZE": "resized", "REBOOT": "active",
    "HARD_REBOOT": "active", "PASSWORD": "active", "REBUILD": "active", "RESIZE": "active", "MIGRATING": "active",
    "REVERT_RESIZE": "resized", "PAUSED": "paused", "SUSPENDED": "suspended", "SHELVED": "shelved",
    "SHELVED_OFFLOADED": "shelved_offloaded",
}  # fmt: skip
_POWER = {"0": "nostate", "1": "running", "3": "paused", "4": "shutdown", "6": "crashed", "7": "suspended"}
_PRIVATE = tuple(
    ipaddress.ip_network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
_FLAVOR = re.compile(r"(?:^|[\s,{])'?(original_name|ram|vcpus|disk|ephemeral|name)'?[=:]\s*'?([^',}]*)'?")


def server(cells: Cells) -> Iterator[Made]:
    """A server, and its addresses as far as they are told apart."""
    instance = uuid(cells, "id")
    status = text(cells, "status")
    state = text(cells, "os_ext_sts_vm_state", "vm_state") or (status and _VM_STATES.get(status, status.lower()))
    power = text(cells, "os_ext_sts_power_state", "power_state")
    name = text(cells, "os_ext_srv_attr_instance_name", "instance_name")
    image_name, image_id = in_brackets(text(cells, "image", "image_name"))
    image = uuid(cells, "image_id") or uuid({"image": image_id or image_name}, "image")
    flavor = _flavor(cells)
    compute = text(cells, "os_ext_srv_attr_host", "host", "compute_host")
    addresses, listed = _addresses(cells)
    owner = {
        "project_id": text(cells, "project_id", "tenant_id", "project"),
        "user_id": text(cells, "user_id", "user"),
    }
    yield (
        Instance,
        owner
        | flavor
        | {
            "instance": instance,
            "instance_id": int(name[9:], 16) if name and re.fullmatch(r"instance-[\da-f]{8}", name) else None,
            "instance_name": name,
            "display_name": text(cells, "name"),
            "hostname": text(cells, "os_ext_srv_attr_hostname", "hostname"),
            "compute_host": compute,
            "node": text(cells, "os_ext_srv_attr_hypervisor_hostname", "hypervisor_hostname"),
            "image": image,
            "image_hash": image_hash(image),
            "vm_state": state,
            "task_state": text(cells, "os_ext_sts_task_state", "task_state"),
            "power_state": _POWER.get(power, power.lower()) if power else None,
            "availability_zone": text(cells, "os_ext_az_availability_zone", "availability_zone"),
            "addresses": addresses,
            "key_name": text(cells, "key_name"),
            "is_deleted": None if state is None else state in ("deleted", "soft-delete"),
            "created_at": instant(cells, "created", "created_at"),
            "updated_at": instant(cells, "updated", "updated_at"),
            "launched_at": instant(cells, "os_srv_usg_launched_at", "launched_at"),
            "terminated_at": instant(cells, "os_srv_usg_terminated_at", "terminated_at"),
        },
    )
    if instance is None:
        return
    for _, found in listed:
        for ip, floating in _pairs(found):
            port = {"ip": ip, "floating_ip": floating, "instance": instance, "instance_name": name}
            yield InstancePort, port | owner | {"compute_host": compute}


def _flavor(cells: Cells) -> dict[str, Any]:
    name, _ = in_brackets(text(cells, "flavor", "flavor_name", "flavor_original_name", "flavor_id"))
    told = dict(_FLAVOR.findall(name)) if name and "=" in name else {}
    told |= {key: said for key in ("ram", "vcpus", "disk", "ephemeral") if (said := text(cells, f"flavor_{key}"))}
    return {
        "flavor": told.get("original_name") or told.get("name") or (None if told and "=" in (name or "") else name),
        "memory_mb": whole(told, "ram"),
        "vcpus": whole(told, "vcpus"),
        "root_gb": whole(told, "disk"),
        "ephemeral_gb": whole(told, "ephemeral"),
    }


def _addresses(cells: Cells) -> tuple[str | None, list[tuple[str, list[str]]]]:
    for name in ("networks", "addresses"):
        if cells.get(name):
            listed = networks(cells[name])
            return text(cells, name), listed
    shown = [(name.removesuffix("_network"), text(cells, name)) for name in cells if name.endswith("_network")]
    listed = [(name, fixed_addresses({"one": said}, "one")) for name, said in shown if said]
    listed = [(name, found) for name, found in listed if found]
    return "; ".join(f"{name}={', '.join(found)}" for name, found in listed) or None, listed


def _pairs(found: list[str]) -> Iterator[tuple[str, str | None]]:
    """Fixed addresses, each with the floating one that leads to it; nothing where the listing mixes more than these.

    A listing puts a fixed address before the floating ones that lead to it, and does not mark either.
    """
    for version in (4, 6):
        own = [ip for ip in found if ipaddress.ip_address(ip).version == version]
        private = [any(ipaddress.ip_address(ip) in block for block in _PRIVATE) for ip in own]
        if len(own) == 1:
            yield own[0], None
        elif private == [True, False]:
            yield own[0], own[1]


def port(cells: Cells, instance: str | None = None) -> Iterator[Made]:
    """A port, one row an address."""
    owner = text(cells, "device_owner")
    device = uuid(cells, "device_id")
    of_compute = owner is None or owner.startswith("compute:")
    own = uuid(cells, "id", "port_id")
    row: dict[str, Any] = {
        "mac": mac(cells, "mac_address", "mac_addr"),
        "instance": instance or (device if of_compute else None),
        "port": own,
        "tap": f"tap{own[:11]}" if own else None,  # neutron cuts device names to 14 characters
        "network": uuid(cells, "network_id", "net_id"),
        "compute_host": text(cells, "binding_host_id"),
        "project_id": text(cells, "project_id", "tenant_id", "project"),
        "state": text(cells, "status", "port_state"),
        "device_owner": owner,
        "is_deleted": False,
        "created_at": instant(cells, "created_at"),
        "updated_at": instant(cells, "updated_at"),
    }
    found = fixed_addresses(cells, "fixed_ip_addresses", "fixed_ips", "ip_addresses")
    for ip in found:
        yield InstancePort, row | {"ip": ip}
    if not found:
        yield InstancePort, row


def floating(cells: Cells) -> Iterator[Made]:
    """A floating address, where it leads to a port."""
    fixed = address(text(cells, "fixed_ip_address", "fixed_ip"))
    yield (
        InstancePort,
        {
            "floating_ip": address(text(cells, "floating_ip_address", "ip")),
            "ip": fixed,
            "port": uuid(cells, "port", "port_id"),
            "instance": uuid(cells, "instance_id", "server_id"),
            "project_id": text(cells, "project", "project_id", "tenant_id"),
            "state": text(cells, "status"),
        },
    )


def image(cells: Cells) -> Iterator[Made]:
    """An image."""
    own = uuid(cells, "id")
    status = text(cells, "status")
    public = yes(cells, "is_public", "public")
    yield (
        Image,
        {
            "image": own,
            "image_hash": image_hash(own),
            "name": text(cells, "name"),
            "status": status.lower() if status else None,
            "project_id": text(cells, "owner", "project", "owner_id"),
            "visibility": text(cells, "visibility") or (None if public is None else "public" if public else "private"),
            "size_bytes": whole(cells, "size", "os_ext_img_size_size"),
            "checksum": text(cells, "checksum"),
            "is_deleted": yes(cells, "deleted") if status is None else status.lower() == "deleted",
            "created_at": instant(cells, "created_at", "created"),
            "updated_at": instant(cells, "updated_at", "updated"),
            "deleted_at": instant(cells, "deleted_at"),
        },
    )


def network(cells: Cells) -> Iterator[Made]:
    """A network."""
    kind = text(cells, "provider_network_type", "network_type")
    vlan = whole(cells, "vlan", "vlan_id")
    if vlan is None and kind == "vlan":
        vlan = whole(cells, "provider_segmentation_id")
    subnets = text(cells, "subnets", "cidr") or ""
    yield (
        Network,
        {
            "network": uuid(cells, "id", "uuid") or text(cells, "id"),
            "name": text(cells, "name", "label"),
            "project_id": text(cells, "project_id", "tenant_id", "project"),
            "cidr": ", ".join(re.findall(r"[\da-fA-F.:]{3,45}/\d{1,3}", subnets)) or None,
            "vlan_id": vlan,
            "kind": kind,
            "bridge": text(cells, "bridge"),
            "bridge_interface": text(cells, "bridge_interface"),
            "physical_network": text(cells, "provider_physical_network"),
            "gateway": address(text(cells, "gateway", "gateway_ip")),
            "dhcp_server": address(text(cells, "dhcp_server")),
            "mtu_bytes": whole(cells, "mtu"),
            "compute_host": text(cells, "host"),
            "is_deleted": yes(cells, "deleted"),
        },
    )
