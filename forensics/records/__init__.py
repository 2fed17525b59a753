"""The waist: what evidence can say, one typed record per file."""

from forensics.records._record import (
    DataFrame,
    LazyFrame,
    Observed,
    Record,
    address,
    choice,
    flag,
    instant,
    mac_address,
    many,
    number,
    octets,
    ordinal,
    pairs,
    real,
    seconds,
    size,
    text,
)
from forensics.records.api_request import ApiRequest
from forensics.records.base_file_event import BaseFileEvent
from forensics.records.bpdu import Bpdu
from forensics.records.broker_event import BrokerEvent
from forensics.records.broker_transfer import BrokerTransfer
from forensics.records.case_records import Clock, Loss, Problem, Source, Span
from forensics.records.config_option import ConfigOption
from forensics.records.console_request import ConsoleRequest
from forensics.records.dhcp_client_event import DhcpClientEvent
from forensics.records.dhcp_message import DhcpMessage
from forensics.records.disk_image import DiskImage
from forensics.records.edge import THINGS, Edge
from forensics.records.file_size import FileSize
from forensics.records.finding import Alternative, Finding, Reference, Step
from forensics.records.host_interface import ForwardingEntry, HostInterface, LldpNeighbour
from forensics.records.instance import Image, Instance, InstancePort, Network
from forensics.records.instance_event import InstanceEvent
from forensics.records.log_record import LogRecord
from forensics.records.notification import Notification, Operation
from forensics.records.packet import Packet
from forensics.records.port_event import PortEvent
from forensics.records.process_memory import ProcessMemory
from forensics.records.row_count import RowCount
from forensics.records.service_state import ServiceState
from forensics.records.shell_command import ShellCommand
from forensics.records.snapshot import TIME_BASES, Snapshot

__all__ = [
    "THINGS",
    "TIME_BASES",
    "Alternative",
    "ApiRequest",
    "BaseFileEvent",
    "Bpdu",
    "BrokerEvent",
    "BrokerTransfer",
    "Clock",
    "ConfigOption",
    "ConsoleRequest",
    "DataFrame",
    "DhcpClientEvent",
    "DhcpMessage",
    "DiskImage",
    "Edge",
    "FileSize",
    "Finding",
    "ForwardingEntry",
    "HostInterface",
    "Image",
    "Instance",
    "InstanceEvent",
    "InstancePort",
    "LazyFrame",
    "LldpNeighbour",
    "LogRecord",
    "Loss",
    "Network",
    "Notification",
    "Observed",
    "Operation",
    "Packet",
    "PortEvent",
    "Problem",
    "ProcessMemory",
    "Record",
    "Reference",
    "RowCount",
    "ServiceState",
    "ShellCommand",
    "Snapshot",
    "Source",
    "Span",
    "Step",
    "address",
    "choice",
    "flag",
    "instant",
    "mac_address",
    "many",
    "number",
    "octets",
    "ordinal",
    "pairs",
    "real",
    "seconds",
    "size",
    "text",
]
