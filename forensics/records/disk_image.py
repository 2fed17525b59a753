"""DiskImage: one disk of an instance, and the file it is backed by."""

from __future__ import annotations

from forensics.records._record import size, text
from forensics.records.snapshot import Snapshot


class DiskImage(Snapshot):
    """One disk file, as qemu-img info or a domain's XML shows it."""

    path = text("the file", nullable=True)
    format = text("qcow2, raw, …", nullable=True)
    backing_file = text("file that it is backed by", nullable=True)
    backing_format = text("format of that file", nullable=True)
    image_hash = text("SHA-1 of the image's id, from the name of the backing file", nullable=True)
    virtual_bytes = size("size that the guest sees", nullable=True)
    disk_bytes = size("size on disk", nullable=True)
    device = text("device in the guest: vda", nullable=True)
    instance = text("uuid of the domain", nullable=True)
    instance_name = text("name of the domain", nullable=True)
    error = text("why it could not be opened", nullable=True)
