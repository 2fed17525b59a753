"""Rows of services, agents and hypervisors, from the cells of OpenStack's listings."""

from __future__ import annotations

from typing import Any

from forensics.escape import masked
from forensics.loaders.documents._listed_cells import Cells, instant, text, yes


def service(cells: Cells) -> dict[str, Any]:
    """A service of nova, cinder, heat or manila; an agent of neutron; a hypervisor, as its nova-compute reports it.

    Of an agent, ``state`` is what an administrator wants it to be, and ``alive`` whether it reports.
    """
    agent = "alive" in cells
    state = text(cells, "state", "status") if not agent else None
    up = yes(cells, "alive") if agent else yes({"state": state}, "state")
    binary = text(cells, "binary")
    name = binary or text(cells, "agent_type")
    if name is None and "hypervisor_hostname" in cells:
        name = "nova-compute"
    status = text(cells, "status") if "state" in cells and not agent else None
    wanted = (
        yes(cells, "admin_state_up", "state", "admin_state")
        if agent
        else yes({"disabled": cells.get("disabled")}, "disabled")
    )
    if wanted is not None:
        status = "enabled" if wanted == agent else "disabled"
    return {
        "service": name,
        "service_host": text(cells, "host", "hypervisor_hostname", "hostname"),
        "state": "unknown" if up is None else "up" if up else "down",
        "status": status.lower() if status else None,
        "zone": text(cells, "zone", "availability_zone"),
        "disabled_reason": text(cells, "disabled_reason"),
        "forced_down": yes(cells, "forced_down"),
        "seen_at": instant(cells, "updated_at", "last_heartbeat", "heartbeat_timestamp", "last_heartbeat_at"),
        "told_by": "listing",
        "message": masked(" ".join(said for name in cells if (said := text(cells, name)))),
    }
