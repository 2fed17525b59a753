"""One neighbour, however `lldpctl` wrote it."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._network import ip_of, mac_of, whole

UNNAMED_INTERFACE = None
_AGE = re.compile(r"^(?P<days>\d{1,6}) days?, (?P<hours>\d{1,2}):(?P<minutes>\d\d):(?P<seconds>\d\d)$")
_VLAN = re.compile(r"^(?P<vid>\d{1,4})(?:, pvid: (?P<pvid>yes|no))?")


def age_ns(said: str | None) -> int | None:
    """How long a neighbour is known, nanoseconds.

    Examples:
        >>> age_ns("1 day, 00:00:12")
        86412000000000
    """
    found = _AGE.match(said.strip()) if said else None
    if found is None:
        return None
    days, hours, minutes, seconds = (int(found[part]) for part in ("days", "hours", "minutes", "seconds"))
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000_000


def _named(said: str) -> str:
    """An id without the kind that stands in front; a hardware address in the usual notation."""
    value = said.partition(" ")[2].strip() or said
    return mac_of(value) or value


def neighbour(said: dict[str, list[str]], known_ns: int | None, taken_ns: int | None) -> dict[str, Any]:
    """Columns of a neighbour.

    Args:
        said: Values by part and name as the text form has them, in lower case: ``chassis sysname``.
        known_ns: How long it is known.
        taken_ns: When the listing was made.
    """

    def first(*keys: str) -> str | None:
        return next((value for key in keys for value in said.get(key, []) if value), None)

    chassis, port = first("chassis chassisid"), first("port portid")
    ids = [found for value in said.get("vlan vlan", []) if (found := _VLAN.match(value))]
    own = [found["vid"] for found in ids if found["pvid"] == "yes"]
    capabilities = (value.rpartition(", ") for value in said.get("chassis capability", []))
    ttl = whole(first("port ttl", "chassis ttl"))
    seen = taken_ns - known_ns if taken_ns is not None and known_ns is not None and known_ns < taken_ns else None
    return {
        "chassis_id": _named(chassis) if chassis else None,
        "port_id": _named(port) if port else None,
        "port_description": first("port portdescr"),
        "system_name": first("chassis sysname"),
        "system_description": first("chassis sysdescr"),
        "management_ip": next(filter(None, map(ip_of, said.get("chassis mgmtip", []))), None),
        "capabilities": [name for name, _, state in capabilities if state in ("on", "yes", "true")] or None,
        "vlan_id": whole(own[0], 4095) if own else None,
        "mtu_bytes": whole(first("port mfs")),
        "ttl_s": None if ttl is None else float(ttl),
        "seen_at": seen,
    }
