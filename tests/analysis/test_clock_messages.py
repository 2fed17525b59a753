"""DHCP messages beyond what is held: the same ties from so many at a time, true ones from a part of the clients."""

from random import Random

import polars as pl
import pytest

from forensics.analysis import _clock_messages, _message_ties, _sightings
from forensics.analysis._clock_messages import Messages
from forensics.analysis.clock_alignment import clocks, findings
from forensics.records import DhcpMessage, Packet
from tests._leases import LOGS, POINTS, Plan, history

SOURCES = ((*POINTS, *LOGS), LOGS, (POINTS[0], POINTS[2]), (POINTS[0], LOGS[1]))
NS = 10**9
START = 1_500_000_000 * NS


def some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clock_messages, "MOST_HELD", 0)
    monkeypatch.setattr(_clock_messages, "MOST_TOGETHER", 3)
    monkeypatch.setattr(_sightings, "MOST_READ", 11)


@pytest.mark.parametrize("sources", SOURCES)
@pytest.mark.parametrize("client", ["dhclient", "udhcpc"])
@pytest.mark.parametrize("wire", [True, False])
def test_how_many_are_held_changes_nothing(
    sources: tuple[str, ...], client: str, wire: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = history(Plan(seed=3, sources=sources, client=client, client_xid=False, clients=4, rate=0.2))
    messages, listed = played.frame(DhcpMessage), played.sources()
    packets = played.frame(Packet) if wire else Packet.empty()
    whole = clocks(messages, packets, listed)
    told = findings(whole, messages, packets)
    some_at_a_time(monkeypatch)
    assert clocks(messages.lazy(), packets.lazy(), listed.lazy()).equals(whole)
    assert findings(whole, messages.lazy(), packets.lazy()) == told


def made(clients: int, rounds: int, offsets_s: dict[str, float]) -> pl.DataFrame:
    """Renewals of many clients as captures and a server's log tell of them, by clocks that are off.

    Args:
        clients: How many there are.
        rounds: How often each renews.
        offsets_s: Source -> how far its clock is ahead; from the client's side to the server's.
    """
    dice = Random(clients)
    rows: list[dict[str, object]] = []
    for renewal, client in ((n, client) for n in range(rounds) for client in range(clients)):
        at, xid = START + renewal * 600 * NS + dice.randrange(590 * NS), dice.randrange(2**32)
        for message_type, late in (("REQUEST", 0), ("ACK", 900_000)):
            for place, (source, offset_s) in enumerate(offsets_s.items()):
                hops = place if message_type == "REQUEST" else len(offsets_s) - place
                wire = source.endswith(".pcap")
                rows.append(
                    {
                        "source": source,
                        "host": source.partition("/")[0],
                        "ts": at + late + hops * 100_000 + round(offset_s * NS),
                        "seen_by": "capture" if wire else "server",
                        "message_type": message_type,
                        "xid": xid if wire else None,
                        "chaddr": f"fa:16:3e:00:00:{client:02x}",
                        "ciaddr": f"10.0.0.{client}",
                    }
                )
    schema = DhcpMessage.polars_schema()
    given = {name: pl.Int64() if name == "ts" else schema[name] for name in rows[0]}
    frame = pl.DataFrame(rows, given).sort("source", "ts").with_columns(pl.col("ts").cast(schema["ts"]))
    number = pl.int_range(pl.len()).over("source").cast(schema["position"])
    missing = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in given]
    return frame.with_columns(missing).with_columns(position=number).select(schema.names())


TRUE_S = {"cc1/eth0.pcap": 0.0, "net/tap.pcap": 0.25, "net/dnsmasq.log": -7.5}


def errors(found: pl.DataFrame, true_s: dict[str, float]) -> list[float]:
    """How far outside its bound each offset is, the reference's own left out."""
    rows = found.filter(pl.col("source") != pl.col("reference")).iter_rows(named=True)
    return [abs(row["offset_s"] - (true_s[row["source"]] - true_s[row["reference"]])) - row["bound_s"] for row in rows]


def test_of_very_many_a_part_of_the_clients_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = made(40, 10, TRUE_S)
    whole = clocks(messages, Packet.empty())
    monkeypatch.setattr(_clock_messages, "MOST_HELD", 0)
    monkeypatch.setattr(_clock_messages, "MOST_TOLD", 100)
    monkeypatch.setattr(_clock_messages, "FEWEST_TOLD", 40)
    sides = [side for _, *both in Messages(messages.lazy(), points()).sides(PAIRS) for side in both]
    assert len(sides) == 2 * len(PAIRS)
    assert {side.n for side in sides} == {800}
    assert all(0 < side.rows.height <= 200 for side in sides)
    assert {side.rows["chaddr"].n_unique() for side in sides} == {sides[0].rows["chaddr"].n_unique()}
    part = clocks(messages, Packet.empty())
    for found in (whole, part):
        assert len(errors(found, TRUE_S)) == 2
        assert max(errors(found, TRUE_S)) <= 0
        assert found["bound_s"].max() < 0.05
    assert part["exchanges"].sum() < whole["exchanges"].sum() / 3


PAIRS = [("cc1", "net"), ("cc1", "net/dnsmasq.log server net"), ("net", "net/dnsmasq.log server net")]


def points() -> pl.DataFrame:
    return pl.DataFrame(schema={"source": pl.String(), "host": pl.String()})


def test_all_messages_that_name_no_client_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    nameless = pl.when(pl.col("seen_by") == "capture").then("chaddr")
    messages = made(40, 10, TRUE_S).with_columns(chaddr=nameless)
    monkeypatch.setattr(_clock_messages, "MOST_TOLD", 100)
    monkeypatch.setattr(_clock_messages, "FEWEST_TOLD", 40)
    told = {
        pair: (one.rows.height, other.rows.height)
        for pair, one, other in Messages(messages.lazy(), points()).sides(PAIRS)
    }
    assert told["net", "net/dnsmasq.log server net"] == (800, 800)
    assert max(errors(clocks(messages, Packet.empty()), TRUE_S)) <= 0


def test_clients_of_few_words_among_very_many_are_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own logs end long before the server's, which says more than is compared."""
    monkeypatch.setattr(_message_ties, "MOST_COMPARED", 50)
    every = made(30, 20, {"cc1/eth0.pcap": 0.0, "net/dnsmasq.log": 0.0}).filter(source="net/dnsmasq.log")
    client = pl.lit("client", DhcpMessage.polars_schema()["seen_by"])
    logs, true_s = [every], {"net/dnsmasq.log": 0.0}
    for n in range(8):
        log = f"vm{n}/syslog"
        true_s[log] = 3600.5 * n
        lines = every.filter(pl.col("chaddr") == f"fa:16:3e:00:00:{n:02x}").head(12)
        lines = lines.with_columns(
            pl.col("ts") + pl.duration(nanoseconds=round(true_s[log] * NS), time_unit="ns"),
            chaddr=pl.lit(None, pl.String),
        )
        logs.append(lines.with_columns(source=pl.lit(log), host=pl.lit(f"vm{n}"), seen_by=client))
    for held in (True, False):
        if not held:
            some_at_a_time(monkeypatch)
        found = clocks(pl.concat(logs), Packet.empty())
        assert found.filter(pl.col("source") != "net/dnsmasq.log")["exchanges"].to_list() == [12] * 8
        assert max(errors(found, true_s)) <= 0
