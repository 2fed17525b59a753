"""What nova caches of an instance's network, in both of its layouts, and what is no such thing."""

import json
from typing import Any

import polars as pl
import pytest

from forensics.loaders.documents._network_info import interfaces

MAC, PORT, NETWORK = "fa:16:3e:7a:00:01", "f0c3a6a1-7b58-4b5b-8d4a-3a9a3f2f6c01", "4a3c1f5e-3f2b-4d0e-9b5c-1d8f4a6e7b02"


def of(*told: Any) -> list[tuple[Any, ...]]:
    return interfaces(pl.Series([one if isinstance(one, str) else json.dumps(one) for one in told])).rows()


def vif(*ips: dict[str, Any], **more: Any) -> dict[str, Any]:
    network = {"id": NETWORK, "bridge": "br-int", "subnets": [{"cidr": "10.0.0.0/24", "ips": list(ips)}]}
    return {"id": PORT, "address": MAC.upper(), "devname": "tapf0c3a6a1-7b", "network": network} | more


def test_addresses_and_what_leads_to_them() -> None:
    """nova/network/model.py, Essex and later."""
    two = vif(
        {"address": "10.0.0.5", "floating_ips": [{"address": "203.0.113.7"}, {"address": "203.0.113.8"}]},
        {"address": "fd00::5", "floating_ips": []},
    )
    bare = vif(devname=None, network={"id": NETWORK})
    own = (PORT, NETWORK, "br-int", "tapf0c3a6a1-7b")
    assert of("[]", None, [two, bare]) == [
        (2, MAC, "10.0.0.5", "203.0.113.7", *own),
        (2, MAC, "10.0.0.5", "203.0.113.8", *own),
        (2, MAC, "fd00::5", None, *own),
        (2, MAC, None, None, PORT, NETWORK, None, None),
    ]


def test_pairs_of_network_and_info() -> None:
    """nova/network/manager.py, `get_instance_nw_info`, before Essex."""
    network = {"id": 7, "bridge": "br100", "cidr": "10.0.0.0/24"}
    info = {"mac": MAC, "vif_uuid": PORT, "ips": [{"ip": "10.0.0.5", "enabled": "1"}], "ip6s": [{"ip": "fd00::5"}]}
    assert of([[network, info], [network, {"mac": MAC}], [network, {}]]) == [
        (0, MAC, "10.0.0.5", None, PORT, "7", "br100", None),
        (0, MAC, "fd00::5", None, PORT, "7", "br100", None),
        (0, MAC, None, None, None, "7", "br100", None),
    ]


@pytest.mark.parametrize(
    "told",
    ["{", "7", '"text"', "null", "{}", "[" * 100_000, [7, "x", None, []], [[{}, {}, {}]], [[{}, 7]], {"a": [1]}],
)
def test_what_is_no_such_list_is_nothing(told: Any) -> None:
    assert of(told) == []


def test_parts_of_other_kinds_are_passed_over() -> None:
    odd = {"id": PORT, "address": 7, "network": [1], "devname": ["x"]}
    assert of([odd, vif({"address": "10.0.0.5", "floating_ips": "none"}, network={"subnets": [{"ips": {}}, 7]})]) == [
        (0, "7", None, None, PORT, None, None, None),
        (0, MAC, None, None, PORT, None, None, "tapf0c3a6a1-7b"),
    ]
