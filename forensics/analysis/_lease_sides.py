"""On whose side a capture stands that nobody named: who answers fast there is near."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_messages import Message
from forensics.analysis._lease_traffic import Traffic

FEWEST = 3
"""Pairs of question and answer before their shortest time is taken for the path's and not for chance."""
CLEAR_NS = 40_000
"""A difference below this is within what kernels differ by, without any path between them."""


def side_of(point: str, client: str, server: str | None, messages: list[Message], traffic: Traffic) -> tuple[int, str]:
    """Whether a point is nearer to the client or to the server, told by the time that each of them takes to answer.

    The delay of the path lies between question and answer of whoever is far, never of whoever is near. A kernel answers
    ping and ARP faster than a DHCP server answers a request, so a server that beats the client's kernel is near; a
    client is near where its kernel clearly beats the server's kernel. Anything between decides nothing.

    Returns:
        1 for the server's side, -1 for the client's, 0 for undecided; and why, in words.
    """
    here = traffic.turns.filter((pl.col("client") == client) & (pl.col("point") == point) & (pl.col("n") >= FEWEST))
    own = here.filter(pl.col("by") == "client")["turn_ns"]
    theirs = here.filter((pl.col("by") == "peer") & (pl.col("peer") == server))["turn_ns"] if server else own.head(0)
    answers = _answer_times(point, messages)
    if own.is_empty():
        return 0, ""
    mine = int(own.min())  # type: ignore[arg-type]
    served = min(answers) if len(answers) >= FEWEST else None
    kernel = int(theirs.min()) if not theirs.is_empty() else None  # type: ignore[arg-type]
    told = f"the client answers ping and ARP here after {mine / 1e6:.3f} ms at best"
    if served is not None and mine > served + CLEAR_NS:
        return 1, f"{told}, the server its requests after {served / 1e6:.3f} ms: the point stands at the server's side"
    if kernel is not None and abs(mine - kernel) > CLEAR_NS and not 0.5 < mine / max(kernel, 1) < 2:
        side = 1 if mine > kernel else -1
        whose = "server's" if side > 0 else "client's"
        return side, f"{told}, the server after {kernel / 1e6:.3f} ms: the point stands at the {whose} side"
    return 0, ""


def _answer_times(point: str, messages: list[Message]) -> list[int]:
    """From a request to its answer, of the same transaction, at one point (ns)."""
    asked: dict[tuple[int | None, str], int] = {}
    found: list[int] = []
    for message in messages:
        at = min((seen.at for seen in message.sightings if seen.point == point and not seen.coarse), default=None)
        if at is None or message.xkey is None:
            continue
        if message.by_client:
            asked[message.xkey, "OFFER" if message.kind == "DISCOVER" else "ACK"] = at
            continue
        began = asked.pop((message.xkey, message.kind), None)
        if began is not None and 0 <= at - began < SECOND_NS:
            found.append(at - began)
    return found
