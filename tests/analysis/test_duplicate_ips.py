"""Two machines that answer for one address, and what only looks like it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from forensics.analysis.duplicate_ips import findings
from forensics.records import DhcpMessage, Edge, Finding, LogRecord, Packet

NOON = datetime(2013, 2, 15, 12, tzinfo=UTC)
A, B, ASKER = "fa:16:3e:24:e7:22", "fa:16:3e:5b:03:91", "fa:16:3e:00:00:01"
IP = "10.0.0.5"
TURNS = [A, B, A, B, A, B]


def said(macs: list[str], seconds: float = 20, **rest: Any) -> list[dict[str, Any]]:
    """ARP requests by which one MAC after the other shows an address as its own."""
    return [
        {"ts": NOON + timedelta(seconds=n * seconds), "position": n + 1, "source": "br.pcap", "arp_op": 1,
         "arp_sender_mac": mac, "arp_sender_ip": IP, "vlan_ids": [], "link_type": 1, "interface_id": 0} | rest
        for n, mac in enumerate(macs)
    ]  # fmt: skip


def found(rows: list[dict[str, Any]], edges: list[dict[str, Any]] | None = None) -> list[Finding]:
    packets = pl.DataFrame(rows, schema=Packet.polars_schema()).lazy()
    return findings(packets, edges=pl.DataFrame(edges or [], schema=Edge.polars_schema()).lazy())


def owned(kind: str, owner: str, *macs: str) -> list[dict[str, Any]]:
    return [{"subject_kind": kind, "subject": owner, "object_kind": "mac", "object": mac, "rows": 1} for mac in macs]


def test_two_that_speak_in_turn() -> None:
    (one,) = found(said(TURNS[:4]))
    assert (one.kind, one.severity, one.confidence) == ("duplicate-ip", "medium", "likely")
    assert one.entities["ips"] == (IP,)
    assert one.entities["macs"] == (A, B)
    assert one.facts["changes"] == 3
    assert one.evidence[0].locator == "frame:1"
    assert found(said([A, B] * 5))[0].severity == "high"


def test_both_answers_to_one_question() -> None:
    rows = said([A, B], 0.2, arp_op=2, arp_target_mac=ASKER)
    (one,) = found(rows, owned("instance", "i1", A) + owned("instance", "i2", B))
    assert one.confidence == "proven"
    assert one.entities["instances"] == ("i1", "i2")
    assert found(said([A, B], 5, arp_op=2, arp_target_mac=ASKER)) == []


def test_a_hand_over_is_none() -> None:
    assert found(said([A, A, A, B, B, B])) == []
    assert found(said([A, A, B, B, A, A])) == []
    assert found(said(TURNS, 3600)) == []
    assert found(said([A] * 9)) == []


def test_routers_share_addresses_by_design() -> None:
    assert found(said(["00:00:5e:00:01:07", B] * 4)) == []
    many = [
        row | {"arp_sender_ip": f"10.0.0.{n}", "position": 10 * n + row["position"]}
        for n in range(5, 10)
        for row in said([A, f"fa:16:3e:00:00:{n:02x}"] * 3)
    ]
    assert found(many) == []


@pytest.mark.parametrize("rest", [{"link_type": 113}, {"arp_sender_ip": "0.0.0.0"}])
def test_what_no_network_is_told_of(rest: dict[str, Any]) -> None:
    assert found(said(TURNS, **rest)) == []


def test_networks_are_apart() -> None:
    for columns in ([{"vlan_ids": [7]}, {"vlan_ids": [8]}], [{"source": "x.pcap"}, {}], [{"interface_id": 1}, {}]):
        rows = [row | columns[n % 2] for n, row in enumerate(said(TURNS))]
        assert found(rows) == []
    assert len(found(said(TURNS, vlan_ids=[7]))) == 1


def test_one_machine_with_two_cards() -> None:
    assert found(said(TURNS), owned("host", "cc35", A, B)) == []
    assert found(said(TURNS), owned("instance", "i1", A, B)) == []
    assert found(said(["90:e2:ba:00:00:10", "90:e2:ba:00:00:11"] * 4)) == []
    guests = [{"subject_kind": "mac", "subject": mac, "object_kind": "host", "object": "cc35", "rows": 1}
              for mac in (A, B)]  # fmt: skip
    assert len(found(said(TURNS), guests)) == 1


@pytest.mark.parametrize(
    ("line", "macs"),
    [
        (f"flip flop {IP} {A} ({B}) br100", (A, B)),
        (f"Error, some other host (FA:16:3E:24:E7:22) already uses address {IP}.", (A,)),
        (f"conflict detected for IP address {IP} with host FA:16:3E:24:E7:22", (A,)),
        (f"arp: {A} is using my IP address {IP} on em0!", (A,)),
        (f"%IP-4-DUPADDR: Duplicate address {IP} on Vlan10, sourced by fa16.3e24.e722", (A,)),
        (f"eth0: hardware address {A} claims {IP}", (A,)),
    ],
)
def test_machines_that_find_their_address_in_use(line: str, macs: tuple[str, ...]) -> None:
    rows = [{"ts": NOON + timedelta(seconds=n), "source": "syslog", "position": n + 1, "message": line} for n in (0, 1)]
    logs = pl.DataFrame(rows, schema=LogRecord.polars_schema()).lazy()
    (one,) = findings(Packet.empty().lazy(), logs)
    assert one.entities == {"ips": (IP,), "macs": macs}
    assert one.evidence[0].locator == "line:1"
    calm = logs.with_columns(message=pl.lit(f"changed ethernet address {IP} {A} ({B})"))
    assert findings(Packet.empty().lazy(), calm) == []


def test_a_client_declines() -> None:
    row = {"ts": NOON, "source": "x.pcap", "position": 9, "seen_by": "capture", "message_type": "DECLINE",
           "chaddr": A, "requested_ip": IP}  # fmt: skip
    messages = pl.DataFrame([row], schema=DhcpMessage.polars_schema()).lazy()
    (one,) = findings(Packet.empty().lazy(), None, messages)
    assert one.entities == {"ips": (IP,), "macs": (A,)}
    assert one.evidence[0].locator == "frame:9"
    assert findings(Packet.empty().lazy(), None, messages.with_columns(message_type=pl.lit("RELEASE"))) == []
