"""The tables of a case by name, and which of them a timeline shows."""

from __future__ import annotations

from forensics import records as known
from forensics.records import Clock, LogRecord, Packet, Problem, Record, Source

TABLES: dict[str, type[Record]] = {
    "packets": Packet,
    "log_records": LogRecord,
    "api_requests": known.ApiRequest,
    "base_file_events": known.BaseFileEvent,
    "bpdus": known.Bpdu,
    "broker_events": known.BrokerEvent,
    "broker_transfers": known.BrokerTransfer,
    "config_options": known.ConfigOption,
    "console_requests": known.ConsoleRequest,
    "dhcp_client_events": known.DhcpClientEvent,
    "dhcp_messages": known.DhcpMessage,
    "disk_images": known.DiskImage,
    "file_sizes": known.FileSize,
    "forwarding_entries": known.ForwardingEntry,
    "host_interfaces": known.HostInterface,
    "images": known.Image,
    "instance_events": known.InstanceEvent,
    "instance_ports": known.InstancePort,
    "instances": known.Instance,
    "lldp_neighbours": known.LldpNeighbour,
    "networks": known.Network,
    "notifications": known.Notification,
    "port_events": known.PortEvent,
    "process_memory": known.ProcessMemory,
    "row_counts": known.RowCount,
    "service_states": known.ServiceState,
    "shell_commands": known.ShellCommand,
    "sources": Source,
    "problems": Problem,
    "clocks": Clock,
    "edges": known.Edge,
    "losses": known.Loss,
    "spans": known.Span,
}

UNTIMED = (Source, Problem, Clock, known.Edge, known.Loss, known.Span)
TIMED = tuple(record for record in TABLES.values() if record not in UNTIMED)
"""Records of a timeline; of two that tell of one line or packet the later is shown."""
