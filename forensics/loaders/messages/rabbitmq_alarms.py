"""What RabbitMQ says of its memory and disk: limits, marks that were crossed, alarms that block publishers."""

import polars as pl

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._rabbitmq import NODE, broker_formats, octets

_BLOCK = (
    "\n\n**********************************************************\n"
    "*** Publishers will be blocked until this alarm clears ***\n"
    "**********************************************************"
)
_NUMBER = r"\d{1,18}"


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    state = (
        pl.when(pl.col("word").is_in(["set", "exceeded", "insufficient"])).then(pl.lit("set"))
        .when(pl.col("word").is_not_null()).then(pl.lit("clear"))
    )  # fmt: skip
    kind = (
        pl.when(pl.col("share").is_not_null()).then(pl.lit("memory_limit"))
        .otherwise("kind")
    )  # fmt: skip
    # rabbit_disk_monitor.erl divides by 1000, twice
    megabytes = pl.col("disk_mb").cast(pl.Float64, strict=False) * 1_000_000
    limit = pl.coalesce(
        pl.col("limit").cast(pl.Int64, strict=False), octets("size", "unit"), megabytes.cast(pl.Int64, strict=False)
    )
    return rows.with_columns(
        kind=kind,
        state=state,
        resource=pl.coalesce(
            pl.col("resource").replace("vm_memory_high_watermark", "memory"), kind.str.extract("^(memory|disk)_", 1)
        ),
        used_bytes=pl.col("used").cast(pl.Int64, strict=False),
        limit_bytes=limit,
    )


FORMATS = broker_formats(
    "rabbitmq-alarms",
    reference="rabbitmq-server vm_memory_monitor.erl, rabbit_alarm.erl, rabbit_disk_monitor.erl, v1.7 to v4.3; "
    "Erlang/OTP alarm_handler.erl",
    pattern=rf"""
        (?: (?P<memory_limit>Memory\x20limit)\x20set\x20to\x20(?P<size>[\d.]+)\x20?(?P<unit>[KMGT]i?B)\b.*
          | (?P<memory_limit__2>Memory\x20high\x20watermark)\x20set\x20to\x20[\d.]+\x20?[KMGT]i?B
            \x20\((?P<limit>{_NUMBER})\x20bytes\).*
          | (?P<memory_mark>Memory\x20alarm\x20changed\x20to)\x20(?:(?P<word>set|clear)|(?P<share>[\d.e-]+)),
            \x20(?P<limit__2>{_NUMBER})\x20bytes\.?
          | (?P<memory_mark__2>vm_memory_high_watermark)\x20(?P<word__2>set|clear)\.\x20
            Memory\x20used:\x20?(?P<used>{_NUMBER})\x20allowed:\x20?(?P<limit__3>{_NUMBER})
          | (?P<resource>[a-z]+)\x20(?P<alarm>resource\x20limit\x20alarm)\x20(?P<word__3>set|cleared)\x20
            (?:on\x20node\x20'?(?P<node>{NODE})'?|across\x20the\x20cluster)\.?(?s:\s.*)?
          | (?P<resource__2>file\x20descriptor)\x20(?P<alarm__2>limit\x20alarm)\x20(?P<word__4>set|cleared)\.?(?s:\s.*)?
          | (?P<alarm__3>alarm_handler:)\x20\{{(?P<word__5>set|clear),\s*
            \{{*(?:resource_limit,)?(?P<resource__3>\w+)(?s:.*)
          | (?P<disk_limit>Disk\x20free\x20limit)\x20set\x20to\x20(?P<disk_mb>[\d.]+)\x20?MB.*
          | (?P<disk_low>Disk\x20free\x20space|Free\x20disk\x20space)\x20(?:limit\x20)?(?:is\x20|now\x20)?
            (?P<word__6>exceeded|no\x20longer\x20exceeded|not\x20exceeded|insufficient|sufficient)\.
            \x20Free\x20bytes:\x20?(?P<used__2>{_NUMBER})\.?\x20Limit:\x20?(?P<limit__4>{_NUMBER})
        )\s*$
    """,
    shape=_shape,
    samples=(
        Sample(
            "Memory limit set to 787MB of 7872MB total.",
            {"kind": "memory_limit", "limit_bytes": 787 << 20, "used_bytes": None, "state": None},
        ),
        Sample("Memory limit set to 819MB.", {"kind": "memory_limit", "limit_bytes": 819 << 20}),
        Sample("Memory limit set to 3GiB of 8GiB total.", {"kind": "memory_limit", "limit_bytes": 3 << 30}),
        Sample(
            "Memory high watermark set to 409 MiB (429496729 bytes) of 1024 MiB (1073741824 bytes) total",
            {"kind": "memory_limit", "limit_bytes": 429496729},
        ),
        Sample(
            "Memory alarm changed to set, 858993459 bytes.",
            {"kind": "memory_mark", "state": "set", "limit_bytes": 858993459},
        ),
        Sample(
            "Memory alarm changed to 0.4, 858993459 bytes.",
            {"kind": "memory_limit", "state": None, "limit_bytes": 858993459},
        ),
        Sample(
            "vm_memory_high_watermark set. Memory used:2554570744 allowed:2510541619",
            {
                "kind": "memory_mark",
                "state": "set",
                "resource": "memory",
                "used_bytes": 2554570744,
                "limit_bytes": 2510541619,
            },
        ),
        Sample(
            "vm_memory_high_watermark clear. Memory used:383597048 allowed:385616281",
            {"kind": "memory_mark", "state": "clear", "used_bytes": 383597048},
        ),
        Sample(
            f"memory resource limit alarm set on node 'rabbit@ZL-RabbitMQ-Cluster2'.{_BLOCK}",
            {"kind": "alarm", "state": "set", "resource": "memory", "node": "rabbit@ZL-RabbitMQ-Cluster2"},
        ),
        Sample(
            "disk resource limit alarm set on node rabbit@n1.example.com.",
            {"kind": "alarm", "state": "set", "resource": "disk", "node": "rabbit@n1.example.com"},
        ),
        Sample(
            "memory resource limit alarm cleared on node rabbit@VM_2_12_centos",
            {"kind": "alarm", "state": "clear", "node": "rabbit@VM_2_12_centos"},
        ),
        Sample(
            "memory resource limit alarm cleared across the cluster",
            {"kind": "alarm", "state": "clear", "resource": "memory", "node": None},
        ),
        Sample(
            "file descriptor limit alarm set.\n\n*** New connections will not be accepted until this alarm clears ***",
            {"kind": "alarm", "state": "set", "resource": "file descriptor"},
        ),
        Sample("file descriptor limit alarm cleared", {"kind": "alarm", "state": "clear"}),
        Sample(
            "    alarm_handler: {set,{system_memory_high_watermark,[]}}",
            {"kind": "alarm", "state": "set", "resource": "system_memory_high_watermark"},
        ),
        Sample("alarm_handler: {set,{{resource_limit,memory,rabbit@n1},[]}}", {"state": "set", "resource": "memory"}),
        Sample("alarm_handler: {clear,vm_memory_high_watermark}", {"state": "clear", "resource": "memory"}),
        Sample("Disk free limit set to 50MB", {"kind": "disk_limit", "limit_bytes": 50_000_000, "resource": "disk"}),
        Sample(
            "Disk free space insufficient. Free bytes:41943040 Limit:50000000",
            {"kind": "disk_low", "state": "set", "used_bytes": 41943040, "limit_bytes": 50000000},
        ),
        Sample("Disk free space limit now exceeded. Free bytes:41943040 Limit:50000000", {"state": "set"}),
        Sample(
            "Free disk space is insufficient. Free bytes: 41943040. Limit: 50000000",
            {"kind": "disk_low", "state": "set", "limit_bytes": 50000000},
        ),
        Sample(
            "Free disk space is sufficient. Free bytes: 81943040. Limit: 50000000",
            {"kind": "disk_low", "state": "clear", "used_bytes": 81943040},
        ),
    ),
)
