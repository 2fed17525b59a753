"""ServiceState: one service of the cloud, up or down at one instant."""

from __future__ import annotations

from forensics.records._record import choice, flag, instant, text
from forensics.records.snapshot import Snapshot


class ServiceState(Snapshot):
    """What a listing, a database, a monitor or another service says of one service."""

    service = text("binary: nova-compute, neutron-openvswitch-agent, …", nullable=True)
    service_host = text("host that it runs on", nullable=True)
    state = choice("what is said of it", "up", "down", "unknown")
    status = text("enabled or disabled", nullable=True)
    zone = text("availability zone", nullable=True)
    disabled_reason = text("why it is disabled", nullable=True)
    forced_down = flag("whether it was forced down", nullable=True)
    seen_at = instant("last report of the service", nullable=True)
    told_by = choice("who says it", "listing", "database", "monitor", "log", "compute_nodes")
    message = text("line, or row, as it stands", nullable=True)
