"""Edge: how two things of a cloud belong together, for as long as they did."""

from __future__ import annotations

from forensics.records._record import Record, choice, instant, number, size, text

THINGS = (
    *("instance", "mac", "ip", "tap", "host", "switch_port", "image", "base_file", "user", "project", "flavor"),
    *("name", "request"),
)
"""Kinds of things. `instance` is a uuid where one is known; `name` is any other name of an instance (domain, display
name, instance-%08x); `switch_port` reads ``SW-1 Port-Channel35``; `base_file` is the name of a file below ``_base``."""


class Edge(Record):
    """One relation between two things, once for each span in which it held.

    Directions are fixed: an instance is the subject of its mac, ip, tap, host, image, user, project, flavor, name,
    base_file and request; a mac of its ip, tap, host and switch_port; a tap of its host; a host of its ip, mac and
    switch_port; an image of its base_file, name and project; a request of its user and project. Instants are on the
    reference clock of the case.
    """

    subject_kind = choice("what the first thing is", *THINGS)
    subject = text("name of the first thing")
    object_kind = choice("what the second thing is", *THINGS)
    object = text("name of the second thing")
    from_at = instant("since when it is known to have held; null: since before the evidence", nullable=True)
    to_at = instant("until when it held; null: it still does, as far as the evidence tells", nullable=True)
    network = text("network in which an address is meant, by uuid, id or `VLAN 135`, where told", nullable=True)
    told_by = text("the record that tells it, such as Instance, Notification or Packet")
    rows = number("rows of evidence that tell it", min=1)
    source = text("evidence file of the first of them")
    position = number("line or frame number there", nullable=True)
    offset_bytes = size("where it starts there", nullable=True)
    length_bytes = size("how long it is", nullable=True)
