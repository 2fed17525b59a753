"""What a cloud knows of its instances: tables as CSV, OpenStack's listings, notifications."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from data.synth._cloud import SECOND, Folder, utc

INSTANCES = ("created_at", "updated_at", "deleted_at", "id", "user_id", "project_id", "image_ref", "vm_state",
             "power_state", "hostname", "host", "launched_at", "terminated_at", "display_name", "uuid",
             "memory_mb", "vcpus", "root_gb", "ephemeral_gb", "task_state", "node", "deleted")  # fmt: skip
INTERFACES = ("created_at", "updated_at", "deleted_at", "id", "address", "network_id", "instance_uuid", "uuid",
              "deleted")  # fmt: skip


@dataclass
class Guest:
    """An instance and its network card."""

    number: int
    name: str
    host: str
    mac: str
    ip: str
    user: str
    project: str
    image: str
    uuid: str
    port: str
    request: str
    created: int
    deleted: int | None = None
    sends: bool = False

    def alive(self, at: int) -> bool:
        """Whether it runs at an instant."""
        return self.created <= at and (self.deleted is None or self.deleted > at)


def csv_tables(folder: Folder, guests: Sequence[Guest], place: str) -> None:
    """Tables of nova: instances and virtual_interfaces."""
    rows, cards = [INSTANCES], [INTERFACES]
    for guest in guests:
        gone = utc(guest.deleted) if guest.deleted else "NULL"
        deleted, state = (guest.number, "deleted") if guest.deleted else (0, "active")
        rows.append((utc(guest.created), gone, gone, guest.number, guest.user, guest.project, guest.image, state,
                     0 if guest.deleted else 1, guest.name, guest.host, utc(guest.created + 9 * SECOND), gone,
                     guest.name, guest.uuid, 2048, 1, 20, 0, "NULL", guest.host, deleted))  # fmt: skip
        cards.append((utc(guest.created), "NULL", gone, guest.number, guest.mac, 1, guest.uuid, guest.port, deleted))
    for name, table in (("instances", rows), ("virtual_interfaces", cards)):
        folder.text(f"{place}/{name}.csv", "".join(",".join(map(str, row)) + "\n" for row in table))


def listings(folder: Folder, guests: Sequence[Guest], place: str, ports_as_json: bool) -> None:
    """`openstack server list --long -f json` and `openstack port list`: what there is now, no user among it."""
    servers, ports = [], []
    for guest in guests:
        if guest.deleted is None:
            servers.append({
                "ID": guest.uuid, "Name": guest.name, "Status": "ACTIVE", "Task State": None, "Power State": 1,
                "Networks": {"private": [guest.ip]}, "Image Name": "image", "Image ID": guest.image,
                "Flavor": "m1.small", "Availability Zone": "nova", "Host": guest.host, "Properties": {},
            })  # fmt: skip
            ports.append((guest.port, "", guest.mac, guest.ip, "ACTIVE"))
    folder.text(f"{place}/server_list.json", json.dumps(servers, indent=2) + "\n")
    if ports_as_json:
        told = [{"ID": p, "Name": n, "MAC Address": m, "Fixed IP Addresses": [{"ip_address": ip}], "Status": s}
                for p, n, m, ip, s in ports]  # fmt: skip
        folder.text(f"{place}/port_list.json", json.dumps(told, indent=2) + "\n")
    else:
        head = '"ID","Name","MAC Address","Fixed IP Addresses","Status"\n'
        lines = (f'"{p}","{n}","{m}","[{{\'ip_address\': \'{ip}\'}}]","{s}"\n' for p, n, m, ip, s in ports)
        folder.text(f"{place}/port_list.csv", head + "".join(lines))


def notifications(folder: Folder, guests: Sequence[Guest], place: str) -> None:
    """A notification for each start and each end, one JSON object a line."""
    told = []
    for guest in guests:
        for at, event in ((guest.created + 9 * SECOND, "create.end"), (guest.deleted, "delete.end")):
            if at is not None:
                told.append((at, guest, event))
    lines = []
    for number, (at, guest, event) in enumerate(sorted(told, key=lambda one: one[0])):
        payload = {
            "instance_id": guest.uuid, "tenant_id": guest.project, "user_id": guest.user, "display_name": guest.name,
            "hostname": guest.name, "host": guest.host, "node": guest.host, "memory_mb": 2048, "disk_gb": 20,
            "root_gb": 20, "ephemeral_gb": 0, "vcpus": 1, "instance_type": "m1.small",
            "state": "active" if event == "create.end" else "deleted",
            "image_ref_url": f"http://10.0.0.1:9292/images/{guest.image}",
            "image_meta": {"base_image_ref": guest.image}, "created_at": utc(guest.created),
            "launched_at": utc(guest.created + 9 * SECOND),
            "deleted_at": utc(guest.deleted) if event == "delete.end" and guest.deleted else "",
            "terminated_at": utc(guest.deleted) if event == "delete.end" and guest.deleted else "",
            "fixed_ips": [{"address": guest.ip, "version": 4, "label": "private", "vif_mac": guest.mac, "meta": {}}]
            if event == "create.end" else [],
        }  # fmt: skip
        body = {
            "message_id": f"{guest.request[4:-4]}{number:04x}", "publisher_id": f"compute.{guest.host}",
            "event_type": f"compute.instance.{event}", "priority": "INFO", "timestamp": utc(at, "%Y-%m-%d %H:%M:%S.%f"),
            "payload": payload, "_context_request_id": guest.request, "_context_user_id": guest.user,
            "_context_project_id": guest.project,
        }  # fmt: skip
        lines.append(json.dumps(body) + "\n")
    folder.text(f"{place}/notifications.jsonl", "".join(lines))
