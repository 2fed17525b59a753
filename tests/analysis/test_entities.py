"""What belongs to what, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forensics.analysis import _entity_spans, entities
from forensics.analysis._links import links
from forensics.analysis.entities import RECORDS, conflicts, edges
from forensics.case._who import who
from forensics.records import (
    ApiRequest,
    Clock,
    DhcpMessage,
    Edge,
    ForwardingEntry,
    HostInterface,
    Image,
    Instance,
    InstanceEvent,
    InstancePort,
    LldpNeighbour,
    Network,
    Notification,
    Packet,
    PortEvent,
    Record,
)

NOON = datetime(2013, 2, 15, 12, tzinfo=UTC)
A, B = "0cd7022d-e527-5347-9c51-6ee7cb65eb2b", "e30bb178-2aa6-5ed5-8cd4-afad9646ee1a"
MAC, OTHER = "fa:16:3e:24:e7:22", "fa:16:3e:5b:03:91"
ALWAYS: dict[type[Record], dict[str, Any]] = {
    Instance: {"ts_basis": "stated"},
    InstancePort: {"ts_basis": "stated"},
    Image: {"ts_basis": "stated"},
    Network: {"ts_basis": "stated"},
    HostInterface: {"ts_basis": "command"},
    ForwardingEntry: {"ts_basis": "command"},
    Notification: {"event_type": "compute.instance.update", "versioned": False},
    DhcpMessage: {"seen_by": "capture", "message_type": "ACK"},
}


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def ns(minutes: float) -> int:
    return int(at(minutes).timestamp()) * 1_000_000_000


def related(*told: tuple[type[Record], dict[str, Any]], clocks: pl.DataFrame | None = None) -> pl.DataFrame:
    """Edges of rows written as ``(record, {column: value})``."""
    rows: dict[type[Record], list[dict[str, Any]]] = {record: [] for record in RECORDS}
    for number, (record, row) in enumerate(told, 1):
        place = {"source": f"{record.__name__}.log", "position": number, "offset_bytes": 0, "length_bytes": 1}
        rows[record].append(place | ALWAYS.get(record, {}) | row)
    frames = [pl.DataFrame(own, schema=record.polars_schema()).lazy() for record, own in rows.items()]
    return edges((Clock.empty() if clocks is None else clocks).lazy(), *frames)


def of(found: pl.DataFrame, kind: str, thing: str, wanted: str, minutes: float | None = None) -> list[str]:
    when = None if minutes is None else ns(minutes)
    return links(found, kind, [thing], wanted, when)["linked"].unique().sort().to_list()


def test_no_edges_link_nothing() -> None:
    assert links(Edge.empty(), "mac", [MAC], "instance").is_empty()
    assert related().is_empty()
    assert conflicts(related()).is_empty()


def test_an_instance_has_what_its_row_says_while_it_lives() -> None:
    row = {"instance": A, "instance_id": 42, "instance_name": "instance-0000002a", "display_name": "web", "ec2_id": 42}
    row |= {"compute_host": "cc35", "user_id": "u", "project_id": "p", "image": "i", "image_hash": "f" * 40}
    found = related(
        (Instance, row | {"ts": at(60), "created_at": at(0), "deleted_at": at(50), "is_deleted": True}),
        (InstancePort, {"ts": at(60), "instance": A, "mac": MAC, "ip": "10.0.0.5", "created_at": at(1)}),
    )
    wanted = {"host": "cc35", "user": "u", "project": "p", "image": "i", "mac": MAC, "ip": "10.0.0.5"}
    for kind, name in wanted.items():
        assert of(found, "instance", A, kind, 20) == [name]
        assert of(found, "instance", A, kind, 55) == []
        assert of(found, "instance", A, kind, -5) == []
    assert of(found, "name", "i-0000002a", "instance") == [A]
    assert of(found, "image", "i", "base_file") == ["f" * 40]


def test_an_address_is_whose_it_was_then() -> None:
    port = {"ts": at(120), "ip": "10.0.0.5", "network": "1"}
    found = related(
        (InstancePort, port | {"instance": A, "mac": MAC, "created_at": at(0), "deleted_at": at(30)}),
        (InstancePort, port | {"instance": B, "mac": OTHER, "created_at": at(40)}),
    )
    assert of(found, "ip", "10.0.0.5", "instance", 10) == [A]
    assert of(found, "ip", "10.0.0.5", "instance", 35) == []
    assert of(found, "ip", "10.0.0.5", "mac", 50) == [OTHER]
    assert conflicts(found).is_empty()
    assert who(found, "10.0.0.5", at(10))["name"].to_list() == [A, MAC]


def test_an_instance_moves_between_hosts() -> None:
    said = [(0, "cc35"), (10, "cc35"), (30, "cc36"), (40, "cc36"), (60, "cc35")]
    found = related(
        *((Notification, {"ts": at(when), "instance": A, "compute_host": host}) for when, host in said),
    )
    for minutes, host in ((5, "cc35"), (20, "cc35"), (31, "cc36"), (59, "cc36"), (61, "cc35"), (999, "cc35")):
        assert of(found, "instance", A, "host", minutes) == [host], minutes
    assert conflicts(found).is_empty()


def test_two_dumps_of_a_database_tell_a_move() -> None:
    row = {"instance": A, "created_at": at(-999)}
    found = related(
        (Instance, row | {"ts": at(0), "updated_at": at(-900), "compute_host": "cc35"}),
        (Instance, row | {"ts": at(100), "updated_at": at(50), "compute_host": "cc36"}),
    )
    assert of(found, "instance", A, "host", 10) == ["cc35"]
    assert of(found, "instance", A, "host", 60) == ["cc36"]


def test_a_log_that_contradicts_the_database_is_a_conflict() -> None:
    row = {"instance": A, "compute_host": "cc35", "created_at": at(-99), "updated_at": at(-90), "ts": at(100)}
    event = {"instance": A, "event": "started", "message": "VM Started"}
    other = {"instance": B, "compute_host": "cc36", "created_at": at(-99), "updated_at": at(-90), "ts": at(100)}
    told = [(Instance, row), (Instance, other)]
    found = conflicts(related(*told, (InstanceEvent, event | {"ts": at(0), "host": "cc36"})))
    assert found.select("conflict", "thing").rows() == [("one instance on two hosts", A)]
    assert {*found.select("first", "second").row(0)} == {"cc35", "cc36"}
    assert {*found.select("first_source", "second_source").row(0)} == {"Instance.log", "InstanceEvent.log"}
    same = conflicts(related(*told, (InstanceEvent, event | {"ts": at(0), "host": "cc35.example.com"}),
                             (InstanceEvent, event | {"ts": at(0), "host": "cc35"})))  # fmt: skip
    assert same.is_empty()
    kept_by = conflicts(related(*told, (InstanceEvent, event | {"ts": at(0), "host": "loghost"})))
    assert kept_by.is_empty()


def test_one_mac_on_two_instances_is_a_conflict() -> None:
    port = {"ts": at(120), "mac": MAC, "created_at": at(0)}
    found = conflicts(related((InstancePort, port | {"instance": A}), (InstancePort, port | {"instance": B})))
    assert found["conflict"].to_list() == ["one MAC on two instances"]
    assert (
        who(related((InstancePort, port | {"instance": A}), (InstancePort, port | {"instance": B})), MAC)[
            "conflict"
        ].to_list()
        == ["one MAC on two instances"] * 2
    )


@pytest.mark.parametrize(("one", "other", "wrong"), [("1", "1", True), ("1", "2", False)])
def test_tenants_may_use_the_same_addresses(one: str, other: str, wrong: bool) -> None:
    port = {"ts": at(120), "ip": "10.0.0.5", "created_at": at(0)}
    found = conflicts(
        related(
            (InstancePort, port | {"instance": A, "mac": MAC, "network": one}),
            (InstancePort, port | {"instance": B, "mac": OTHER, "network": other}),
        )
    )
    assert ("one address on two MACs" in found["conflict"].to_list()) is wrong


def test_a_tap_has_the_mac_of_its_guest() -> None:
    tap = {"ts": at(0), "host": "cc35", "interface": "vnet0", "mac": "fe:16:3e:24:e7:22"}
    own = {"ts": at(0), "host": "cc35", "interface": "bond0", "mac": "90:e2:ba:00:00:01", "addresses": ["10.1.0.1/24"]}
    again = tap | {"host": "cc36", "mac": "fe:16:3e:5b:03:91"}
    found = related((HostInterface, tap), (HostInterface, own), (HostInterface, again))
    assert of(found, "mac", MAC, "host") == ["cc35"]
    assert of(found, "mac", MAC, "tap") == ["cc35 vnet0"]
    assert of(found, "ip", "10.1.0.1", "host") == ["cc35"]
    assert who(found, "vnet0")["kind"].to_list().count("mac") == 2


def test_switches_tell_their_ports() -> None:
    event = {"ts": at(0), "host": "SW-1", "event": "protocol_down", "vendor": "arista", "message": ""}
    host = {"ts": at(0), "instance": A, "compute_host": "cc35"}
    found = related(
        (Notification, host),
        (PortEvent, event | {"interface": "Ethernet35", "description": "cc35-eth2"}),
        (PortEvent, event | {"interface": "Port-Channel35", "event": "bpdu_received", "mac": MAC}),
        (ForwardingEntry, {"ts": at(0), "host": "SW-1", "bridge": "SW-1", "interface": "Po35", "mac": OTHER}),
        (LldpNeighbour, {"ts": at(0), "host": "cc35", "interface": "eth3", "system_name": "SW-2", "port_id": "Et35"}),
    )
    assert of(found, "host", "cc35", "switch_port") == ["SW-1 Ethernet35", "SW-2 Et35"]
    assert of(found, "switch_port", "SW-1 Port-Channel35", "mac") == [MAC, OTHER]


def test_a_lease_lasts_as_long_as_it_was_granted() -> None:
    ack = {"chaddr": MAC, "yiaddr": "10.0.0.5", "lease_s": 120.0}
    found = related((DhcpMessage, ack | {"ts": at(0)}), (DhcpMessage, ack | {"ts": at(1)}))
    assert found.select("rows").rows() == [(2,)]
    assert of(found, "mac", MAC, "ip", 2.5) == ["10.0.0.5"]
    assert of(found, "mac", MAC, "ip", 3.5) == []


def test_a_tag_names_the_network() -> None:
    arp = {"ts": at(0), "arp_op": 2, "arp_sender_mac": MAC, "arp_sender_ip": "10.0.0.5", "vlan_ids": [135]}
    found = related((Packet, arp), (Packet, arp | {"ts": at(0.5)}), (Network, {"network": "n", "vlan_id": 135}))
    assert found.select("subject", "object", "network", "rows").rows() == [(MAC, "10.0.0.5", "n", 2)]


def test_instants_are_on_the_clock_of_the_case() -> None:
    clock = {"source": "Notification.log", "offset_s": 600.0, "bound_s": 1.0, "exchanges": 9, "basis": "seen by both"}
    clocks = pl.DataFrame([clock], schema=Clock.polars_schema())
    found = related((Notification, {"ts": at(10), "instance": A, "request_id": "req-1"}), clocks=clocks)
    assert found.filter(pl.col("object") == "req-1")["from_at"].to_list() == [at(0)]


def test_claims_judged_in_parts_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random, told = Random(3), []
    for minute in range(120):
        guest, host, tap = random.randrange(6), f"cc{random.randrange(3)}", f"vnet{random.randrange(3)}"
        mac, ip, request = f"fa:16:3e:00:00:0{guest}", f"10.0.0.{random.randrange(8)}", f"req-{random.randrange(40)}"
        instance, when = f"{guest}{A[1:]}", {"ts": at(minute), "host": host}
        told += [
            (DhcpMessage, when | {"chaddr": mac, "yiaddr": ip, "lease_s": random.choice((None, 60.0))}),
            (Packet, when | {"arp_op": 2, "arp_sender_mac": mac, "arp_sender_ip": ip}),
            (PortEvent, when | {"vendor": "linux", "interface": tap}),
            (PortEvent, when | {"vendor": "arista", "interface": "Ethernet1", "mac": mac, "description": "to cc1"}),
            (HostInterface, when | {"interface": tap, "mac": f"fe{mac[2:]}", "instance": instance}),
            (InstanceEvent, when | {"event": "spawned", "instance": instance, "request_id": request}),
            (ApiRequest, when | {"request_id": request, "user_id": f"u{guest % 2}", "project_id": "p"}),
            (ApiRequest, when | {"request_id": f"req-{guest}-api", "user_id": "u", "instance": instance}),
            (Notification, when | {"instance": instance, "compute_host": host, "macs": [mac], "ips": [ip]}),
        ]  # fmt: skip
    whole = related(*told)
    judged: list[pl.DataFrame] = []
    runs = _entity_spans._runs
    monkeypatch.setattr(_entity_spans, "_runs", lambda *given: judged.append(given[0]) or runs(*given))
    monkeypatch.setattr(entities, "_MOST_CLAIMS", 200)
    assert_frame_equal(related(*told), whole)
    kinds = [part.select("subject_kind", "object_kind").row(0) for part in judged]
    assert kinds.count(("mac", "ip")) == 3
    assert kinds.count(("instance", "host")) == 1


@pytest.mark.parametrize("name", ["FA-16-3E-24-E7-22", "fa16.3e24.e722", "web", A.upper(), "10.0.0.5"])
def test_any_name_leads_to_the_host(name: str) -> None:
    found = related(
        (Instance, {"ts": at(9), "instance": A, "display_name": "web", "compute_host": "cc35", "created_at": at(0)}),
        (InstancePort, {"ts": at(9), "instance": A, "mac": MAC, "ip": "10.0.0.5", "created_at": at(0)}),
    )
    assert ("host", "cc35") in who(found, name, at(5)).select("kind", "name").rows()
    assert who(found, name, at(-5)).is_empty()
    assert who(found, "nobody").is_empty()
