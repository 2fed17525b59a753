"""InstanceEvent: what a service said of one instance."""

from __future__ import annotations

from forensics.records._record import Observed, choice, number, text


class InstanceEvent(Observed):
    """One line (or one row of nova's own journal of actions) about one instance."""

    instance = text("uuid", nullable=True)
    instance_name = text("name of the domain or folder: instance-00000e05", nullable=True)
    event = choice(
        "what happened",
        "claimed",  # resources set aside on a host
        "creating",  # image, disks, network
        "started",
        "paused",
        "resumed",
        "stopped",
        "suspended",
        "crashed",
        "spawned",
        "built",
        "rebooting",
        "rebooted",
        "start_failed",  # the hypervisor would not start it; `base_file` where a missing backing file is why
        "missing_file",  # qemu or libvirt cannot open a disk, or what it is backed by
        "terminating",
        "destroyed",  # its domain: so does each power off and hard reboot
        "files_deleted",
        "migrating",
        "attached",  # volume or interface
        "detached",
        "snapshot",
        "resized",
        "rescued",
        "hypervisor_error",  # another error of libvirt or qemu
        "error",  # nova gives it the state ERROR
        "fault",  # an entry of instance_faults
        "action",  # an entry of instance_actions, see `action`
        "disappeared",  # the hypervisor no longer knows it
        "other",
    )
    action = text("nova's word for an action: create, reboot, delete, …", nullable=True)
    path = text("disk that could not be opened", nullable=True)
    base_file = text("backing file that is missing, or was used", nullable=True)
    image_hash = text("SHA-1 of the image's id, from the name of the backing file", nullable=True)
    error = text("the error, as the line has it", nullable=True)
    request_id = text("req-… of the request that led to it", nullable=True)
    user_id = text("user of the request", nullable=True)
    project_id = text("project of the request", nullable=True)
    severity = text("level word of the line", nullable=True)
    pid = number("process", nullable=True)
    message = text("the line's message")
