"""BaseFileEvent: what nova's image cache did with one base file."""

from __future__ import annotations

from forensics.records._record import Observed, choice, many, number, text


class BaseFileEvent(Observed):
    """One base file in one line of nova.virt.libvirt.imagecache; a line that lists files gives one row a file."""

    base_file = text("path of the file, as the line has it; null where the line names the image alone", nullable=True)
    image_hash = text("SHA-1 of the image's id: the 40 hexadecimal digits that the name begins with", nullable=True)
    size_gb = number("GiB of a resized copy, from `_NN` at the end of the name", bits=32, nullable=True)
    action = choice(
        "what the line says of it",
        "checking",  # an instance known to the database uses the image
        "in_use",
        "not_in_use",
        "active",  # listed under `Active base files`
        "removable",  # listed under `Removable base files`
        "corrupt",  # listed under `Corrupt base files`, or its checksum failed
        "unknown",  # in the folder, and no image of the database explains it
        "too_young",
        "removing",  # said before the file is unlinked
        "remove_failed",
        "gone",  # to be removed, but another node was faster
        "absent",  # in use, and not there
        "verified",  # checksum made, skipped or compared
        "fingerprint",  # the image's id and its hash, side by side
    )
    instances = many("instances that the line names", text("uuid or name"))
    image = text("image id that the line names", nullable=True)
    local = number("instances on this host, as the line counts", bits=32, nullable=True)
    remote = number("instances on other hosts, as the line counts", bits=32, nullable=True)
    error = text("why a removal failed", nullable=True)
    cut = choice("`cut` where the line ends inside the path (syslog truncates)", "cut", nullable=True)
    pid = number("process", nullable=True)
    request_id = text("the pass of the image cache, where releases number it", nullable=True)
    message = text("the line's message")
