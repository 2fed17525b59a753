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
from forensics.records.case_records import Clock, Loss, Problem, Source, Span
from forensics.records.dhcp_client_event import DhcpClientEvent
from forensics.records.dhcp_message import DhcpMessage
from forensics.records.finding import Alternative, Finding, Reference, Step
from forensics.records.log_record import LogRecord
from forensics.records.packet import Packet

__all__ = [
    "Alternative",
    "Clock",
    "DataFrame",
    "DhcpClientEvent",
    "DhcpMessage",
    "Finding",
    "LazyFrame",
    "LogRecord",
    "Loss",
    "Observed",
    "Packet",
    "Problem",
    "Record",
    "Reference",
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
