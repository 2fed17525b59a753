"""What RabbitMQ says of its cluster: nodes that come and go, partitions, minorities, mirrors that die or take over."""

import polars as pl

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._rabbitmq import NODE, PROCESS, broker_formats, first_line, node_of_process

_QUEUE = (
    r"(?:Mirrored[\x20-]queue\x20\(queue\x20'(?P<queue>.*?)'(?:\x20in\x20vhost\x20'(?P<vhost>.*?)')?\):\x20"
    r"|Mirrored\x20queue\x20'(?P<queue__2>.*?)'(?:\x20in\x20vhost\x20'(?P<vhost__2>.*?)')?:\x20)?"
)


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    by_node = pl.col("word").replace_strict({"down": "node_down", "up": "node_up"}, default=None)
    return rows.with_columns(
        kind=pl.coalesce("kind", by_node),
        node=pl.coalesce("node", node_of_process("process")),
        peer=pl.coalesce("peer", node_of_process("dead")),
        reason=first_line("reason"),
    )


FORMATS = broker_formats(
    "rabbitmq-cluster",
    reference="rabbitmq-server rabbit_node_monitor.erl, rabbit_mirror_queue_misc.erl, rabbit_mirror_queue_slave.erl, "
    "rabbit_autoheal.erl, v2.6 to v4.3; Erlang/OTP mnesia_event.erl",
    pattern=rf"""
        (?: (?:rabbit\x20on\x20)?node\x20'?(?P<node>{NODE})'?\x20(?P<word>down|up)(?::\s*(?P<reason>(?s:.*)))?
          | Mnesia\('?(?P<node__2>{NODE})'?\):\s+\*\*\x20(?:ERROR|WARNING)\x20\*\*\x20mnesia_event\x20got\s+
            \{{(?P<partition>inconsistent_database),\s*(?P<reason__2>\w+),\s*'?(?P<peer>{NODE})'?(?s:.*)
          | (?P<partition__2>Partial\x20partition\x20detected):\s+\*\x20We\x20saw\x20DOWN\x20from\x20(?P<peer__2>{NODE})
            (?P<reason__3>(?s:.*))
          | (?P<partition__3>Autoheal)\b(?P<reason__4>(?s:.*))
          | (?P<minority>Cluster\x20minority(?:/secondary)?\x20status\x20detected)(?P<reason__5>.*)
          | {_QUEUE}
            (?: (?P<promoted>Promoting)\x20(?:slave|mirror)\x20(?P<process>{PROCESS})\x20to\x20(?:master|leader)
              | (?:Master|Slave|Leader|Mirror)\x20(?P<process__2>{PROCESS})\x20(?P<mirror_died>saw)\x20deaths\x20of\x20
                mirrors\x20(?P<dead>{PROCESS})(?P<reason__6>.*)
              | (?:Primary|Secondary)\x20replica\x20of\x20queue\x20(?P<process__3>{PROCESS})\x20
                (?P<mirror_died__2>detected)\x20replica\x20(?P<dead__2>{PROCESS})\x20to\x20be\x20down
            )
        )\s*$
    """,
    shape=_shape,
    samples=(
        Sample("rabbit on node rabbit@cc12 down", {"kind": "node_down", "node": "rabbit@cc12", "reason": None}),
        Sample("rabbit on node 'rabbit@cc-12.dair' up", {"kind": "node_up", "node": "rabbit@cc-12.dair"}),
        Sample(
            "node rabbit@cc12 down: connection_closed",
            {"kind": "node_down", "node": "rabbit@cc12", "reason": "connection_closed"},
        ),
        Sample("node 'rabbit@cc12' down: net_tick_timeout", {"kind": "node_down", "reason": "net_tick_timeout"}),
        Sample("node rabbit@cc12 up", {"kind": "node_up"}),
        Sample(
            "Mnesia('rabbit@a'): ** ERROR ** mnesia_event got {inconsistent_database, running_partitioned_network, "
            "'rabbit@b'}",
            {
                "kind": "partition",
                "node": "rabbit@a",
                "peer": "rabbit@b",
                "reason": "running_partitioned_network",
            },
        ),
        Sample(
            "Mnesia('rabbit@a'): ** ERROR ** mnesia_event got\n    {inconsistent_database, "
            "starting_partitioned_network, 'rabbit@b'}",
            {"kind": "partition", "reason": "starting_partitioned_network", "peer": "rabbit@b"},
        ),
        Sample(
            "Partial partition detected:\n * We saw DOWN from rabbit@b\n * We can still see rabbit@c which can see "
            "rabbit@b\nWe will therefore intentionally disconnect from rabbit@c",
            {
                "kind": "partition",
                "peer": "rabbit@b",
                "reason": "* We can still see rabbit@c which can see rabbit@b We will therefore intentionally "
                "disconnect from rabbit@c",
            },
        ),
        Sample(
            "Autoheal decision\n  * Partitions: [[rabbit@a],[rabbit@b]]\n  * Winner:     rabbit@a\n  * Losers: "
            "   [rabbit@b]",
            {"kind": "partition", "peer": None},
        ),
        Sample("Cluster minority status detected - awaiting recovery", {"kind": "minority"}),
        Sample("Cluster minority/secondary status detected - awaiting recovery", {"kind": "minority"}),
        Sample(
            "Mirrored-queue (queue 'compute.cc12' in vhost '/'): Promoting slave <rabbit@n2.1.2.3> to master",
            {
                "kind": "promoted",
                "queue": "compute.cc12",
                "vhost": "/",
                "node": "rabbit@n2",
                "connection": None,
            },
        ),
        Sample(
            "Mirrored queue 'it's' in vhost '/': Promoting slave <rabbit@n2.example.com.1.2.3> to master",
            {"kind": "promoted", "queue": "it's", "node": "rabbit@n2.example.com"},
        ),
        Sample(
            "Mirrored queue 'q' in vhost '/': Promoting mirror <rabbit@n2.1612.2.0> to leader", {"kind": "promoted"}
        ),
        Sample(
            "Mirrored-queue (queue 'q' in vhost '/'): Master <rabbit@n1.1.2.3> saw deaths of mirrors "
            "<rabbit@n2.1.2.3> ",
            {"kind": "mirror_died", "node": "rabbit@n1", "peer": "rabbit@n2", "queue": "q"},
        ),
        Sample(
            "Mirrored queue 'test' in vhost '/': Slave <rabbit@n1.1.974.0> saw deaths of mirrors <rabbit@n2.3.663.0> "
            "<rabbit@n3.3.7.0>",
            {"kind": "mirror_died", "peer": "rabbit@n2", "reason": "<rabbit@n3.3.7.0>"},
        ),
        Sample(
            "Mirrored queue 'q' in vhost '/': Primary replica of queue <rabbit@n1.1.974.0> detected replica "
            "<rabbit@n2.3.663.0> to be down",
            {"kind": "mirror_died", "node": "rabbit@n1", "peer": "rabbit@n2"},
        ),
    ),
)
