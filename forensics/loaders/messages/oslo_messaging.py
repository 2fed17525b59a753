"""What an OpenStack service says of its broker: nova's rpc, oslo.messaging, kombu."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._rabbitmq import addresses, first_line, kind_of_group
from forensics.records import BrokerEvent


def _on(number: int) -> str:
    return (
        rf"(?:\[(?P<dst__{number}>[0-9A-Fa-f:.%\w]+)\]|(?P<dst__{number + 20}>[^\s\[\]]+?)):(?P<dst_port__{number}>\d+)"
    )


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """A broker that is named by its host is named in ``node``: ``dst`` is an address or nothing."""
    rows = kind_of_group(rows).with_columns(reason=first_line("reason"), named=pl.col("dst"))
    state = pl.col("word").replace_strict({"blocked": "set", "unblocked": "clear"}, default=None)
    rows = addresses(rows).with_columns(state=state, duration_s=pl.col("wait").cast(pl.Float64, strict=False))
    return rows.with_columns(node=pl.when(pl.col("dst").is_null()).then("named"))


_UUID = "dc749d8b-15ea-4ae3-b524-22b29b810880"

FORMAT = MessageFormat(
    name="oslo-messaging",
    record=BrokerEvent,
    logger=r"(?:^|\.)(?:rpc(?:\.|$)|oslo[._]messaging\b|impl_kombu$|impl_rabbit$|carrot(?:\.|$)|kombu(?:\.|$)|amqp(?:\.|$))",
    said_by="oslo.messaging._drivers.impl_rabbit",
    reference="openstack/nova nova/rpc/impl_kombu.py @ 2011.3, 2012.1; openstack/oslo-incubator rpc/impl_kombu.py @ "
    "2012.2 to 2014.1; openstack/oslo.messaging _drivers/impl_rabbit.py @ 1.0 to 16",
    # oslo.log appends `: ExcType: text` where an exception is active (3.27), Essex and Folsom a traceback.
    pattern=rf"""
        ^(?:\[(?P<connection_id>[0-9a-f-]{{36}})\]\x20)?
        (?: (?P<client_connected>Connected|Reconnected)\x20to\x20AMQP\x20server\x20on\x20{_on(1)}
            (?:\x20via\x20\[\w+\]\x20client(?:\x20with\x20port\x20(?P<src_port>\d+|None))?)?\.?
          | (?P<client_reconnecting>Reconnecting)\x20to\x20AMQP\x20server\x20on\x20{_on(2)}
          | (?P<other>Connecting)\x20to\x20AMQP\x20server\x20on\x20{_on(3)}
          | AMQP\x20server\x20(?:on\x20)?{_on(4)}\x20(?P<client_unreachable>is\x20unreachable)
            (?::\x20(?P<reason>.*?))?\.\x20Trying\x20again\x20in\x20(?P<wait>[\d.]+)\x20seconds\.?
            (?:\x20Client\x20port:\x20(?P<src_port__2>\d+|None)\.?)?(?::\x20.*)?
          | AMQP\x20server\x20(?:on\x20)?{_on(5)}\x20(?P<client_unreachable__2>closed)\x20the\x20connection\.?\x20?
            (?P<reason__2>.*)
          | (?P<client_unreachable__3>Unable)\x20to\x20connect\x20to\x20AMQP\x20server(?:\x20on\x20{_on(6)})?\x20
            after\x20(?:\d+|None|inf)\x20tries:\x20?(?P<reason__3>.*)
          | (?P<client_unreachable__4>Connection)\x20(?:failed|lost):\x20(?P<reason__4>.*?)
            \x20\(retrying\x20in\x20(?P<wait__2>[\d.]+)\x20seconds\)(?::\x20.*)?
          | (?P<client_reconnecting__2>A)\x20recoverable\x20connection/channel\x20error\x20occurred,\x20trying\x20to\x20
            reconnect:?\x20?(?P<reason__5>.*)
          | The\x20broker\x20has\x20(?P<client_blocked>(?P<word>blocked|unblocked))\x20the\x20connection
            (?::\x20(?P<reason__6>.*))?
          | Failed\x20to\x20(?P<other__2>consume|publish)\x20message\x20(?:from\x20queue|to\x20topic\x20'[^']*'):
            \x20?(?P<reason__7>.*)
        )$
    """,
    shape=_shape,
    samples=(
        Sample(
            "Connected to AMQP server on 10.0.0.1:5672",
            {"kind": "client_connected", "dst": "10.0.0.1", "dst_port": 5672, "node": None, "src_port": None},
        ),
        Sample("Connected to AMQP server on localhost:5672", {"dst": None, "dst_port": 5672, "node": "localhost"}),
        Sample(
            f"[{_UUID}] Reconnected to AMQP server on [fd00::1]:5672 via [amqp] client with port 41240.",
            {"kind": "client_connected", "connection_id": _UUID, "dst": "fd00::1", "src_port": 41240},
        ),
        Sample("Reconnecting to AMQP server on fd00::1:5672", {"kind": "client_reconnecting", "dst": "fd00::1"}),
        Sample("Connecting to AMQP server on rabbit1:5672", {"kind": "other", "node": "rabbit1"}),
        Sample(
            "AMQP server on localhost:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 23 seconds.",
            {
                "kind": "client_unreachable",
                "node": "localhost",
                "reason": "[Errno 111] ECONNREFUSED",
                "duration_s": 23.0,
            },
        ),
        Sample(
            "AMQP server on 10.0.0.1:5672 is unreachable. Trying again in 10 seconds.",
            {"kind": "client_unreachable", "reason": None, "duration_s": 10.0},
        ),
        Sample(
            f"[{_UUID}] AMQP server on 10.0.0.1:5672 is unreachable: timed out. Trying again in 1 seconds. Client "
            "port: 41240: socket.timeout: timed out",
            {"connection_id": _UUID, "reason": "timed out", "src_port": 41240, "duration_s": 1.0},
        ),
        Sample(
            f"[{_UUID}] AMQP server on 10.0.0.1:5672 is unreachable: <AMQPError: unknown error>. Trying again in 1 "
            "seconds.: amqp.exceptions.ConnectionForced: (0, 0): (320) CONNECTION_FORCED",
            {"reason": "<AMQPError: unknown error>"},
        ),
        Sample(
            "AMQP server 10.0.0.1:5672 closed the connection. Check login credentials: Socket closed",
            {"kind": "client_unreachable", "reason": "Check login credentials: Socket closed"},
        ),
        Sample(
            "Unable to connect to AMQP server on rabbit1:5672 after 5 tries: [Errno 111] ECONNREFUSED",
            {"kind": "client_unreachable", "node": "rabbit1", "reason": "[Errno 111] ECONNREFUSED"},
        ),
        Sample(
            "Unable to connect to AMQP server after None tries: (0, 0): (403) ACCESS_REFUSED",
            {"kind": "client_unreachable", "dst": None, "node": None},
        ),
        Sample(
            "Connection failed: [Errno 111] ECONNREFUSED (retrying in 2.0 seconds): ConnectionRefusedError: "
            "[Errno 111]",
            {"kind": "client_unreachable", "reason": "[Errno 111] ECONNREFUSED", "duration_s": 2.0},
        ),
        Sample(
            "A recoverable connection/channel error occurred, trying to reconnect: [Errno 104] "
            "Connection reset by peer",
            {"kind": "client_reconnecting", "reason": "[Errno 104] Connection reset by peer"},
        ),
        Sample(
            "The broker has blocked the connection: low on memory",
            {"kind": "client_blocked", "state": "set", "reason": "low on memory"},
        ),
        Sample("The broker has unblocked the connection", {"kind": "client_blocked", "state": "clear"}),
        Sample("Failed to consume message from queue: Socket closed", {"kind": "other", "reason": "Socket closed"}),
    ),
)
