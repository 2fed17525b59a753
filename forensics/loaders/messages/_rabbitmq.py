"""What the formats of a broker and of its clients share: who speaks, which event it was, addresses, sizes, nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, ip_address

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.records import BrokerEvent

FRAMING = r"(?:^|\+)rabbitmq(?:-|$)"
PROGRAM = r"^(?:rabbitmq(?:-server)?|beam(?:\.smp)?|rabbit@[\w.-]+)$"
"""The broker behind syslog, the journal or a container: by the name of its unit, of Erlang, or of its own sink."""
NODE = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*"
"""``rabbit@host`` or ``rabbit@host.domain``."""
PROCESS = r"<[\w.@+-]+>"
"""An Erlang process: ``<0.684.0>``, or with its node ``<rabbit@host.1.684.0>``."""
_PREFIX = r"^\s*(?:\[\w+\]\x20+)?(?:(?P<written_by><\d+\.\d+\.\d+>)\x20)?"
"""Level and process in front of a message whose framing did not take them off: syslog, Kolla's export."""
_NODE_OF_FILE = r"(?:^|/)([\w.+-]+@[\w.-]+?)(?:[-_](?:sasl|upgrade))?(?:\.log[^/]*)?$"
_NODE_OF_PROCESS = r"^<([\w.+-]+@.+?)(?:\.\d+){2,3}>$"
_UUID = r"([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$"
_UNITS = {"B": 0, "KB": 10, "KIB": 10, "MB": 20, "MIB": 20, "GB": 30, "GIB": 30, "TB": 40, "TIB": 40}
"""vm_memory_monitor.erl divides by 1048576 and wrote MB until 3.6."""

KINDS = (
    *("startup", "ready", "shutdown", "conn_open", "conn_auth", "conn_name", "conn_close", "conn_abort"),
    *("channel_error", "memory_limit", "memory_mark", "alarm", "disk_limit", "disk_low", "promoted", "mirror_died"),
    *("node_down", "node_up", "partition", "minority", "client_connected", "client_unreachable"),
    *("client_reconnecting", "client_blocked", "crash", "other"),
)
"""Words of `BrokerEvent.kind`: a group of a pattern that bears such a name says that this is what happened."""
Shape = Callable[[pl.DataFrame], pl.DataFrame]


def broker_formats(
    name: str, reference: str, pattern: str, shape: Shape, samples: tuple[Sample, ...]
) -> tuple[MessageFormat, ...]:
    """The same messages by either sign that the broker speaks: the framing of its own log, or its program's name."""

    def finished(rows: pl.DataFrame) -> pl.DataFrame:
        rows = shape(kind_of_group(rows))
        rows = rows.filter(rows["kind"].is_not_null())
        return at_broker(rows)

    def forwarded(rows: pl.DataFrame) -> pl.DataFrame:
        return finished(rows.filter(~rows["framing"].str.contains(FRAMING)))

    own = MessageFormat(
        name=name,
        record=BrokerEvent,
        framing=FRAMING,
        said_by="rabbitmq-lager",
        reference=reference,
        whole=True,
        pattern=_PREFIX + pattern,
        shape=finished,
        samples=samples,
    )
    by_name = replace(
        own, name=f"{name}-forwarded", framing=None, program=PROGRAM, said_by="rabbitmq-server", shape=forwarded
    )
    return own, by_name


def kind_of_group(rows: pl.DataFrame) -> pl.DataFrame:
    """The kind is the name of the group that matched; so is ``set`` or ``clear`` the state."""
    named = [name for name in KINDS if name in rows.columns]
    kinds = [pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in named]
    return rows.with_columns(kind=pl.coalesce([*kinds, pl.lit(None, dtype=pl.String)]))


def at_broker(rows: pl.DataFrame) -> pl.DataFrame:
    """Complete rows of the broker's own log: addresses, the node whose log it is, the process that wrote the line."""
    have = rows.columns
    node = [pl.col("node")] if "node" in have else []
    told = {"node": pl.coalesce(*node, pl.col("source").str.extract(_NODE_OF_FILE, 1))}
    if "connection" in have:
        process = pl.when(pl.col("logger").str.contains(f"^{PROCESS}$")).then("logger")
        told["connection"] = pl.coalesce("connection", "written_by", process)
    if "client_name" in have:
        told["connection_id"] = pl.col("client_name").str.extract(_UUID, 1)
    return addresses(rows.with_columns(**told))


def addresses(rows: pl.DataFrame) -> pl.DataFrame:
    """``src`` and ``dst`` as people write addresses; a name instead of an address is none."""
    return rows.with_columns(plain(rows[name]) for name in ("src", "dst") if name in rows.columns)


def plain(column: pl.Series) -> pl.Series:
    """IPv4, and IPv6 in its short form; IPv4 inside IPv6 (``::ffff:10.0.0.1``) as IPv4: it is the same wire.

    Examples:
        >>> plain(pl.Series("src", ["10.0.0.1", "::FFFF:10.0.0.1", "FD00:0::1", "broker.example.com"])).to_list()
        ['10.0.0.1', '10.0.0.1', 'fd00::1', None]
    """
    known = {text: _plain(text) for text in column.unique().drop_nulls().to_list()}
    return column.replace_strict(known, default=None, return_dtype=pl.String)


def _plain(text: str) -> str | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


def octets(number: str, unit: str) -> pl.Expr:
    """A size that a number and a unit in two columns write."""
    factor = (
        pl.col(unit)
        .str.to_uppercase()
        .replace_strict(
            {word: float(1 << bits) for word, bits in _UNITS.items()}, default=None, return_dtype=pl.Float64
        )
    )
    return (pl.col(number).cast(pl.Float64, strict=False) * factor).round(0).cast(pl.Int64, strict=False)


def node_of_process(name: str) -> pl.Expr:
    """The node that a process with a node in its name runs on."""
    return pl.col(name).str.extract(_NODE_OF_PROCESS, 1)


def first_line(name: str) -> pl.Expr:
    """A reason of several lines on one, without blanks at its ends; null where nothing is left."""
    said = pl.col(name).str.strip_chars()
    return pl.when(said != "").then(said.str.replace_all(r"\s*\n\s*", " "))


def seconds_of(name: str) -> pl.Expr:
    """A span as rabbit_reader.erl writes it from 4.1 on: ``1D, 2H, 3M, 4s`` or ``250ms``."""
    total = pl.lit(0.0)
    for unit, length in (("D", 86_400.0), ("H", 3_600.0), ("M", 60.0), ("s", 1.0), ("ms", 0.001)):
        told = pl.col(name).str.extract(rf"([0-9]+){unit}(?:,|$)", 1).cast(pl.Float64)
        total = total + told.fill_null(0.0) * length
    return pl.when(pl.col(name).is_not_null()).then(total)
