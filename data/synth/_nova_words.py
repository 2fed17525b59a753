"""How nova words what happens to instances and their base files, release by release."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from data.synth._services import Table, is_from

MANAGER, DRIVER = "nova.compute.manager", "nova.virt.libvirt.driver"
OTHER_ERRORS = (
    "Requested operation is not valid: domain is already running",
    "internal error process exited while connecting to monitor: Cannot set up guest memory 'pc.ram': out of memory",
    (
        "Cannot access storage file '/dev/disk/by-path/ip-10.0.0.21:3260-iscsi-iqn.2010-10.org.example:volume-7-lun-1' "
        "(as uid:107, gid:107): No such file or directory"
    ),
    "Network not found: no network with matching name 'nova'",
)
"""Why instances do not start although their base files are there."""


class Said(NamedTuple):
    """One line: seconds after the first, level, logger, text; by whom, and what of it."""

    after_s: float
    level: str
    logger: str
    message: str
    asked: bool = True
    """Whether within a user's request, or else within a periodic task."""
    prefixed: bool = True
    traced: bool = False


def cached(release: str) -> str:
    """What the image cache calls a base file."""
    if is_from(release, "wallaby"):
        return "base, swap or ephemeral"
    return "base or swap" if is_from(release, "kilo") else "base"


def missing_file(random: Random, release: str, base: str, disk: str, named: bool) -> str:
    """What libvirt says when a base file is not there; `named` wants the file's name in it."""
    drive = f"-drive file={disk},if=none,id=drive-virtio-disk0,format=qcow2,cache=none"
    exited = f"internal error process exited while connecting to monitor: qemu-kvm: {drive}:"
    why = "No such file or directory"
    told = [f"Cannot access backing file '{base}' of storage file '{disk}' (as uid:107, gid:107): {why}"]
    if is_from(release, "havana"):
        told.append(f"{exited} Could not open backing file: Could not open '{base}': {why}")
    elif not named:
        told.append(f"{exited} could not open disk image {disk}: {why}")
    return random.choice(told)


def traceback(release: str, error: str) -> tuple[str, ...]:
    """Of a start that failed."""
    python = "python3" if is_from(release, "train") else "python2.7"
    code = f"/usr/lib/{python}/dist-packages/nova/virt/libvirt/driver.py"
    return (
        "Traceback (most recent call last):", f'  File "{code}", line 3422, in _create_domain',
        "    domain.createWithFlags(launch_flags)", f"libvirtError: {error}",
    )  # fmt: skip


def failing_start(random: Random, release: str, error: str, name: str, uuid: str) -> Iterator[Said]:
    """A start that fails: the operator's reboot, or nova's own after its restart."""
    if is_from(release, "grizzly") and random.random() < 0.4:
        yield Said(0, "INFO", MANAGER, "Rebooting instance after nova-compute restart.", asked=False)
        yield Said(2, "WARNING", MANAGER, f"Failed to resume instance: {error}", asked=False)
        return
    yield Said(0, "AUDIT", MANAGER, "Rebooting instance")
    if is_from(release, "pike"):
        message = f"Failed to start libvirt guest: libvirt.libvirtError: {error}"
        yield Said(2, "ERROR", "nova.virt.libvirt.guest", message, traced=True)
    elif is_from(release, "icehouse"):
        began = "An error occurred while trying to launch a defined domain with xml"
        began = "Error launching a defined domain with XML" if is_from(release, "kilo") else began
        domain = f"<domain type='kvm'>\n  <name>{name}</name>\n  <uuid>{uuid}</uuid>\n</domain>"
        yield Said(2, "ERROR", DRIVER, f"{began}: {domain}", prefixed=False)
    yield Said(3, "ERROR", MANAGER, f"Cannot reboot instance: {error}", traced=True)


def restarted() -> Iterator[Said]:
    """A reboot that does what it should."""
    yield Said(0, "AUDIT", MANAGER, "Rebooting instance")
    yield Said(4, "INFO", DRIVER, "Instance rebooted successfully.")


def images(rows: list[tuple[str, bool, datetime, datetime | None]]) -> Table:
    """Glance's table; rows of id, public, created, deleted."""
    kinds = {
        "id": "varchar(36)", "name": "varchar(255)", "size": "bigint(20)", "status": "varchar(30)",
        "is_public": "tinyint(1)", "location": "text", "created_at": "datetime", "updated_at": "datetime",
        "deleted_at": "datetime", "deleted": "tinyint(1)", "disk_format": "varchar(20)",
        "container_format": "varchar(20)", "checksum": "varchar(32)", "owner": "varchar(255)", "min_disk": "int(11)",
        "min_ram": "int(11)",
    }  # fmt: skip
    full: list[tuple[Any, ...]] = []
    for number, (image, public, born, gone) in enumerate(rows):
        status, summed = "deleted" if gone else "active", hashlib.md5(image.encode()).hexdigest()
        place = f"file:///var/lib/glance/images/{image}"
        full.append((image, f"image-{number}", 1 << 30, status, public, place, born, born, gone, bool(gone), "qcow2",
                     "bare", summed, summed, 0, 0))  # fmt: skip
    return Table("images", kinds, full)
