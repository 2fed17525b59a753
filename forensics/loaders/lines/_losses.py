"""Losses that log lines admit: rate limits, full queues, dropped packets, with their counts."""

from __future__ import annotations

import re

import polars as pl

LOSSES: tuple[tuple[str, str], ...] = (
    # rsyslog plugins/imuxsock, v5 and v7 and later
    (
        "messages lost by rsyslog's rate limit",
        r"^imuxsock lost (?P<count>\d+) messages from pid \d+ due to rate-limiting",
    ),
    ("rsyslog's rate limit begins", r"^imuxsock begins to drop messages from pid \d+ due to rate-limiting"),
    (
        "messages lost by rsyslog's rate limit",
        r"^(?:imuxsock\b.*|.* from <[^>]*>): (?P<count>\d+) messages lost due to rate-limiting",
    ),
    ("rsyslog's rate limit begins", r"begin to drop messages due to rate-limiting"),
    ("journal messages lost by rsyslog's rate limit", r"^imjournal: (?P<count>\d+) messages lost due to rate-limiting"),
    ("rsyslog's rate limit begins", r"^imjournal: begin to drop messages due to rate-limiting"),
    ("messages lost by rsyslog's rate limit", r"(?P<count>\d+) messages lost due to rate-limiting"),
    (
        "messages discarded by a full queue of rsyslog",
        r"^(?:main Q|action .* queue)\b.*: (?P<count>\d+) messages? discarded",
    ),
    ("message cut by rsyslog", r"message too long \((?P<size>\d+)\) with configured size \d+"),
    ("connection of rsyslog lost", r"^action '[^']*' suspended"),
    # systemd src/journal/journald-rate-limit.c, journald-server.c, journald-kmsg.c
    ("messages suppressed by journald", r"^Suppressed (?P<count>\d+) messages from "),
    ("messages missed by journald", r"^Missed (?P<count>\d+) kernel messages"),
    ("messages forwarded too slowly to syslog", r"^Forwarding to syslog missed (?P<count>\d+) messages"),
    ("journal corrupt", r"^File \S+ corrupted or uncleanly shut down, renaming and replacing"),
    # kernel lib/ratelimit.c, kernel/printk
    ("kernel messages suppressed", r"^(?:\[ *\d+\.\d+\] )?(?:\S+: )?(?P<count>\d+) callbacks suppressed"),
    ("kernel messages suppressed", r"^(?:\[ *\d+\.\d+\] )?printk: (?P<count>\d+) messages suppressed"),
    ("kernel messages dropped", r"^(?:\[ *\d+\.\d+\] )?\*\* (?P<count>\d+) printk messages dropped \*\*"),
    ("kernel messages dropped", r"printk: Log buffer wrapped|^(?P<count>\d+) printk messages dropped"),
    ("packets dropped by connection tracking", r"nf_conntrack: (?:nf_conntrack: )?table full, dropping packet"),
    ("neighbours dropped", r"[Nn]eighbour table overflow|neighbor table overflow"),
    (
        "audit records lost",
        r"^(?:\[ *\d+\.\d+\] )?audit: (?:audit_lost=(?P<count>\d+)|backlog limit exceeded|rate limit exceeded)",
    ),
    ("audit records lost", r"audit_lost=(?P<count>\d+) audit_rate_limit="),
    ("audit records lost", r"^(?:auditd|audispd): queue (?:is|to plugins is) full"),
    # syslog-ng lib/logqueue, lib/stats
    ("messages dropped by syslog-ng", r"^Destination queue full, dropping messages?.*?(?:dropped='?(?P<count>\d+)|$)"),
    ("messages dropped by syslog-ng", r"^Number of messages dropped.*?(?P<count>\d+)"),
    # tcpdump.c, dumpcap.c
    ("packets dropped by the kernel", r"^(?P<count>\d+) packets? dropped by kernel"),
    ("packets dropped by the interface", r"^(?P<count>\d+) packets? dropped by interface"),
    # dnsmasq log.c, rabbit, oslo.messaging
    ("messages lost by dnsmasq's log queue", r"^overflow: (?P<count>\d+) log entries lost"),
    (
        "messages lost by Arista EOS's rate limit",
        r"(?P<count>\d+) (?:log )?messages (?:were )?(?:dropped|suppressed|rate limited)",
    ),
    ("messages dropped by Erlang's logger", r"(?:lager_error_logger_h|error_logger) dropped (?P<count>\d+) messages"),
    (
        "messages dropped by lager's rate limit",
        r"^lager_file_backend dropped (?P<count>\d+) messages in the last second",
    ),
    ("console log cut", r"^-- MARK -- (?P<count>\d+) lines? lost"),
)
"""Kinds and how they are worded, anchored where the wording allows; the first that matches counts."""
_ANY = (
    r"lost|drop|rate-limit|[Ss]uppressed|[Mm]issed|discarded|too long|suspended|corrupted|wrapped|overflow|"
    r"limit exceeded|queue (?:is|to plugins)|rate limited"
)
_ANY_LOSS = "|".join(f"(?:{pattern.replace('?P<count>', '?:').replace('?P<size>', '?:')})" for _, pattern in LOSSES)

_ANY_OCTETS = re.compile(_ANY.encode())

Loss = tuple[int | None, int | None, str, int | None]


def may_lose(octets: bytes) -> bool:
    """Whether a text has any word that a message of a loss has: cheaper than `losses` where there is little text."""
    return _ANY_OCTETS.search(octets) is not None


def losses(records: pl.DataFrame) -> tuple[Loss, ...]:
    """Losses that messages speak of, in the order of the rows.

    Args:
        records: Rows of `LogRecord`.

    Returns:
        Instant (nanoseconds), position, kind and count of each; the count is null where the line has none.
    """
    said = records.filter(pl.col("message").str.contains(_ANY))
    if not said.is_empty():
        said = said.filter(pl.col("message").str.contains(_ANY_LOSS))
    if said.is_empty():
        return ()
    text = pl.col("message").str.strip_chars_start()
    kind = pl.lit(None, dtype=pl.String)
    count = pl.lit(None, dtype=pl.Int64)
    for name, pattern in reversed(LOSSES):
        mine = text.str.contains(pattern)
        kind = pl.when(mine).then(pl.lit(name)).otherwise(kind)
        number = text.str.extract(pattern, 1).cast(pl.Int64, strict=False) if "?P<count>" in pattern else None
        count = pl.when(mine).then(pl.lit(None, dtype=pl.Int64) if number is None else number).otherwise(count)
    rows = said.select(pl.col("ts").dt.epoch("ns"), "position", kind.alias("kind"), count.alias("count"))
    return tuple(rows.filter(pl.col("kind").is_not_null()).rows())
