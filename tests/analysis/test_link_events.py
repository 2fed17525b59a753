"""Every span in which a link was down is told once, with its reason, and ranks above info only as harm."""

from typing import Any

import pytest

from forensics.analysis.link_events import MOST, findings
from forensics.records import Finding, LogRecord, PortEvent
from forensics.records.finding import iso
from tests._ports import T0, S, bond_lost, eos_cut, events, guard_cut, rows, said


def at(seconds: float) -> str | None:
    return iso(T0 + round(seconds * S))


def facts(found: list[Finding]) -> list[dict[str, Any]]:
    return sorted((dict(one.facts) for one in found), key=lambda one: (one["from"], one["interface"]))


def test_a_channel_and_its_member_are_down_for_the_reason_of_the_guard() -> None:
    assert facts(findings(events(eos_cut(0, up_s=60)))) == [
        {"switch": "SW-1", "interface": "Port-Channel35", "from": at(0), "to": at(60), "reason": "bpduguard"},
        {"switch": "SW-1", "interface": "Ethernet35", "from": at(1), "to": at(60), "reason": "bpduguard"},
    ]


def test_cards_and_bond_of_a_host() -> None:
    assert facts(findings(events(bond_lost((0, 3), up_s=(60, 65))))) == [
        {"host": "cc35", "interface": "eth2", "from": at(0), "to": at(60), "reason": None},
        {"host": "cc35", "interface": "bond0", "from": at(3), "to": at(60), "reason": None},
        {"host": "cc35", "interface": "eth3", "from": at(3), "to": at(65), "reason": None},
    ]


def test_what_lasts_has_no_end() -> None:
    told = findings(events(bond_lost((0,))))
    assert {(one.facts["to"], one.end) for one in told} == {(None, None)}
    assert all("nothing says that it came back" in one.title for one in told)


@pytest.mark.parametrize(
    ("event", "cause", "reason"),
    [
        ("link_down", "administratively down", "administratively down"),
        ("link_down", "Link failure", "Link failure"),
        ("link_down", "None", None),
        ("error_disabled", "link-flap", "link-flap"),
        ("error_disabled", "udld", "udld"),
        ("protocol_down", None, None),
    ],
)
def test_the_reason_is_the_switchs_own_word(event: str, cause: str | None, reason: str | None) -> None:
    (one,) = findings(events([said(0, "sw1", "Gi1/0/1", event, cause=cause, vendor="cisco")]))
    assert (one.facts["reason"], one.severity) == (reason, "info")


def test_a_port_is_named_as_the_line_that_says_down_names_it() -> None:
    told = [said(0, "sw1", "Gi1/0/1", "error_disabled", cause="udld", vendor="cisco"),
            said(1, "sw1", "GigabitEthernet1/0/1", "link_down", vendor="cisco")]  # fmt: skip
    assert [one.facts["interface"] for one in findings(events(told))] == ["GigabitEthernet1/0/1"]


def test_each_flap_is_one_finding_with_an_id_of_its_own() -> None:
    told = [row for n in range(3) for row in (said(60 * n, "SW-1", "Ethernet5", "protocol_down"),
                                              said(60 * n + 9, "SW-1", "Ethernet5", "protocol_up"))]  # fmt: skip
    found = findings(events(told))
    assert len({one.id for one in found}) == len(found) == 3
    assert {one.severity for one in found} == {"info"}


def test_an_interface_that_flaps_all_day_is_told_once() -> None:
    told = [row for n in range(MOST + 5) for row in (said(60 * n, "SW-1", "Ethernet5", "protocol_down"),
                                                     said(60 * n + 9, "SW-1", "Ethernet5", "protocol_up"))]  # fmt: skip
    (one,) = findings(events(told))
    assert (one.facts["from"], one.facts["to"], one.facts["times"]) == (at(0), at(60 * (MOST + 4) + 9), MOST + 5)


def test_a_tap_that_leaves_its_bridge_is_no_link() -> None:
    told = [said(0, "cc35", "vnet7", "disabled", master="br100"), said(0, "cc35", "bond0", "blocking", master="br100")]
    assert findings(events(told)) == []


def test_a_switchs_own_bpdu_shuts_a_port_for_the_same_reason() -> None:
    told = findings(events(guard_cut(0, "sw1", "Gi1/0/1", mac="00:1c:73:03:13:01")))
    assert [(one.facts["reason"], one.severity) for one in told] == [("bpduguard", "info")]


def log(last_s: float) -> Any:
    line = {"source": "cc35/messages", "host": "cc35", "n_lines": 1}
    return rows(LogRecord, [line | {"ts": T0}, line | {"ts": T0 + round(last_s * S)}])


def test_a_host_that_goes_on_without_its_bond_is_harm_without_a_cause() -> None:
    told = events(bond_lost((0, 3)))
    severities = {one.facts["interface"]: one.severity for one in findings(told, None, None, log(3600))}
    assert severities == {"eth2": "info", "eth3": "info", "bond0": "low"}
    stranded = next(one for one in findings(told, None, None, log(3600)) if one.severity == "low")
    assert stranded.alternatives
    assert stranded.next_evidence


def test_a_reboot_is_none() -> None:
    assert {one.severity for one in findings(events(bond_lost((0, 3))), None, None, log(30))} == {"info"}
    back = findings(events(bond_lost((0, 3), up_s=(240, 241))), None, None, log(3600))
    assert {one.severity for one in back} == {"info"}


def test_a_hosts_clock_follows_the_switches() -> None:
    told = events(eos_cut(0, up_s=600), eos_cut(3, "SW-2", up_s=605), bond_lost((25, 28), up_s=(625, 630)))
    since = {one.facts["interface"]: one.facts["from"] for one in findings(told) if "host" in one.facts}
    assert at(-1) < since["eth2"] < at(1)  # type: ignore[operator]
    assert at(2) < since["eth3"] < at(4)  # type: ignore[operator]


def test_nothing_comes_of_nothing() -> None:
    assert findings(PortEvent.empty().lazy()) == []
