"""Guests that had ports shut are found from whatever tells of them, and nothing else is taken for one."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.analysis.port_cutoffs import cascade_frames, explained, findings
from forensics.records import Bpdu, Finding, PortEvent, ServiceState
from forensics.records.finding import in_order, iso
from tests._ports import (
    GUEST,
    IMAGE,
    OTHER,
    SWITCH_MAC,
    T0,
    USER,
    A,
    B,
    C,
    D,
    S,
    bond_lost,
    cloud,
    edge,
    eos_cut,
    events,
    guard_cut,
    instance,
    rows,
    said,
    sent,
)

TALE = [*eos_cut(0, "SW-1", up_s=600), *eos_cut(3, "SW-2", up_s=605), *bond_lost((0, 3), up_s=(601, 605))]
OWN = instance(A, "cc35", GUEST, from_s=-20)
STANDING = [*instance(B, "cc35", "fa:16:3e:00:00:01", "img", "someone"), *instance(D, "cc36", "fa:16:3e:00:00:02")]


def at(seconds: float) -> str | None:
    return iso(T0 + round(seconds * S))


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def of(finding: Finding, *names: str) -> list[Any]:
    return [tuple(cut[name] for name in names) for cut in finding.facts["cuts"]]


def test_the_tale_with_all_its_facts() -> None:
    finding = only(findings(events(TALE), None, cloud(OWN, STANDING)))
    assert finding.facts["cuts"] == [
        {"switch": "SW-1", "port": "Port-Channel35", "mac": GUEST, "instance": A, "host": "cc35", "cut_at": at(0),
         "restored_at": at(600)},
        {"switch": "SW-2", "port": "Port-Channel35", "mac": GUEST, "instance": A, "host": "cc35", "cut_at": at(3),
         "restored_at": at(605)},
    ]  # fmt: skip
    assert (finding.facts["source_image"], finding.facts["source_user"]) == (IMAGE, USER)
    assert finding.facts["bystanders"] == [B]
    assert (finding.confidence, finding.severity, finding.end) == ("proven", "critical", at(605))
    assert {other.verdict for other in finding.alternatives} == {"ruled out"}
    assert finding.next_evidence == ()
    assert all(step.evidence for step in finding.story)
    told = " ".join(step.text for step in finding.story)
    assert "20 s before" in told
    assert "without any active member" in told
    assert "Ethernet35 went down with it" in told


def test_the_guards_lines_alone_are_enough_and_say_what_is_missing() -> None:
    finding = only(findings(events(eos_cut(0)[:2])))
    assert of(finding, "mac", "instance", "host", "restored_at") == [(GUEST, None, None, None)]
    assert (finding.confidence, finding.end, finding.facts["bystanders"]) == ("likely", None, [])
    assert any("virtual_interfaces" in text for text in finding.next_evidence)
    assert any("lldp" in text for text in finding.next_evidence)


def test_members_of_a_channel_belong_to_its_cut() -> None:
    told = [
        *guard_cut(0, "sw1", "port-channel12", 900),
        said(1, "sw1", "Ethernet1/12", "member_down", vendor="cisco", master="port-channel12"),
        said(1, "sw1", "Ethernet1/12", "error_disabled", cause="BPDUGuard", vendor="cisco"),
    ]
    assert of(only(findings(events(told))), "port", "restored_at") == [("port-channel12", at(900))]


def test_short_and_long_names_of_a_port_are_one() -> None:
    told = [
        *guard_cut(0, "sw1", "Gi1/0/27")[:2],
        said(1, "sw1", "GigabitEthernet1/0/27", "link_down", vendor="cisco"),
        said(700, "sw1", "GigabitEthernet1/0/27", "link_up", vendor="cisco"),
    ]
    assert of(only(findings(events(told))), "port", "restored_at") == [("Gi1/0/27", at(700))]


def test_a_timer_that_opens_the_port_starts_it_all_over() -> None:
    told = []
    for n in range(3):
        told += eos_cut(303 * n, up_s=303 * n + 302)
        told.append(said(303 * n + 300, "SW-1", "Port-Channel35", "recovering", cause="bpduguard"))
    finding = only(findings(events(told), None, cloud(OWN)))
    assert of(finding, "cut_at", "restored_at") == [(at(303 * n), at(303 * n + 302)) for n in range(3)]
    story = [step.text for step in finding.story]
    assert "by err-disable's timer" in " ".join(story)
    assert sum("was started on" in text for text in story) == 1, "the guest was started once, however often it strikes"
    assert all(len(set(step.evidence)) == len(step.evidence) for step in finding.story)
    assert [step.when for step in finding.story] == sorted(step.when for step in finding.story)


def test_a_guest_of_which_no_start_is_known_only_ran() -> None:
    told = " ".join(
        step.text for step in only(findings(events(TALE), None, cloud([row | {"from_at": None} for row in OWN]))).story
    )
    assert "ran on" in told
    assert "was started" not in told


def test_instants_of_one_second_sort_by_time() -> None:
    instants = [iso(S + n) for n in (0, 1, 500_000_000, 500_000_001, 999_999_999)]
    assert instants == sorted(instants, key=in_order) != sorted(map(str, instants))


def test_a_port_that_is_shut_again_was_open_though_no_line_says_so() -> None:
    told = [*eos_cut(0), *eos_cut(303), said(300, "SW-1", "Port-Channel35", "recovering", cause="bpduguard")]
    assert of(only(findings(events(told))), "cut_at", "restored_at") == [(at(0), at(300)), (at(303), None)]


def test_lines_kept_twice_are_one_cut() -> None:
    relayed = [row | {"source": "rsyslog/SW-1.log"} for row in eos_cut(0, up_s=60)]
    assert len(only(findings(events(eos_cut(0, up_s=60), relayed))).facts["cuts"]) == 1


def test_the_mapping_is_that_of_the_time_of_the_cut() -> None:
    before = instance(C, "cc40", GUEST, from_s=-9000, to_s=-4000)
    after = instance(D, "cc41", GUEST, from_s=4000)
    finding = only(findings(events(TALE), None, cloud(before, OWN, after)))
    assert of(finding, "instance", "host") == [(A, "cc35")] * 2


def test_a_row_that_began_just_after_by_another_clock_still_counts() -> None:
    finding = only(findings(events(eos_cut(0)), None, cloud(instance(A, "cc35", GUEST, from_s=8))))
    assert of(finding, "instance") == [(A,)]


def test_one_finding_per_source_and_several_hosts_in_one() -> None:
    second = eos_cut(4000, "SW-1", 36, OTHER)
    same = cloud(OWN, instance(C, "cc36", OTHER, from_s=3980))
    finding = only(findings(events(TALE, second), None, same))
    assert finding.entities["hosts"] == ("cc35", "cc36")
    told = " ".join(step.text for step in finding.story)
    assert "All 2 senders share" in told
    assert "too few" in told  # two instances of two prove nothing
    other = cloud(OWN, instance(C, "cc36", OTHER, "another", "somebody", from_s=3980))
    assert len(findings(events(TALE, second), None, other)) == 2


def test_what_the_senders_share_is_no_chance_in_a_large_cloud() -> None:
    rest = [
        row
        for n in range(60)
        for row in instance(
            f"{n:08d}-0000-4000-8000-000000000000", "cc99", f"fa:16:3e:01:00:{n:02x}", f"i{n % 5}", f"u{n % 7}"
        )
    ]
    second = eos_cut(4000, "SW-1", 36, OTHER)
    finding = only(findings(events(TALE, second), None, cloud(OWN, instance(C, "cc36", OTHER, from_s=3980), rest)))
    assert "no chance" in " ".join(step.text for step in finding.story)


def test_instances_gone_or_not_yet_there_are_no_bystanders() -> None:
    told = cloud(OWN, instance(B, "cc35", "fa:16:3e:00:00:01", to_s=-500), instance(C, "cc35", OTHER, from_s=900))
    assert only(findings(events(TALE), None, told)).facts["bystanders"] == []


def test_bystanders_name_hosts_in_full_and_in_short() -> None:
    told = cloud(instance(A, "cc35.example.net", GUEST, from_s=-20), instance(B, "cc35", OTHER, "img", "someone"))
    assert only(findings(events(TALE), None, told)).facts["bystanders"] == [B]


# ---- a switch that names no sender


def test_a_sender_by_its_bpdu_on_the_hosts_card() -> None:
    finding = only(findings(events(guard_cut(0, "sw1", "Gi1/0/35")), sent((-0.01, "cc35/bond0", GUEST)), cloud(OWN)))
    assert of(finding, "mac", "instance", "host") == [(GUEST, A, "cc35")]
    assert finding.confidence == "likely"
    assert any("tcpdump" in text for text in finding.next_evidence)


def test_a_sender_by_the_one_instance_that_was_just_started() -> None:
    told = events(guard_cut(0, "sw1", "Gi1/0/35"), bond_lost((0.4,)))
    finding = only(findings(told, None, cloud(OWN, STANDING)))
    assert of(finding, "mac", "instance", "host") == [(GUEST, A, "cc35")]
    assert (finding.confidence, finding.facts["bystanders"]) == ("likely", [B])
    two = cloud(OWN, STANDING, instance(C, "cc35", OTHER, from_s=-200))
    finding = only(findings(told, None, two))
    assert of(finding, "mac", "instance", "host") == [(None, None, "cc35")]
    assert finding.confidence == "possible"


def test_the_host_by_its_cards_whatever_its_clock() -> None:
    ours, theirs = bond_lost((37.4, 340), up_s=(338, 638)), bond_lost((-900, -700), "cc34", up_s=(-600, -500))
    port = [*guard_cut(0, "sw1", "Gi1/0/9", 300), *guard_cut(303, "sw1", "Gi1/0/9", 600)]
    finding = only(findings(events(port, [row for row in ours if row["interface"] != "eth3"], theirs)))
    assert of(finding, "host") == [("cc35",)] * 2


def test_hosts_that_lost_their_links_alike_are_told_apart_by_their_number_or_not_at_all() -> None:
    both = [*bond_lost((0.4,), "cc9"), *bond_lost((0.5,), "cc8")]
    numbered = only(findings(events(guard_cut(0, "sw1", "Gi1/0/9"), both)))
    assert of(numbered, "host") == [("cc9",)]
    unknown = only(findings(events(guard_cut(0, "sw1", "Gi1/0/1"), both)))
    assert of(unknown, "host") == [(None,)]


def test_the_host_by_lldp_and_by_the_ports_description() -> None:
    lldp = cloud([edge("cc35", "switch_port", "sw1 GigabitEthernet1/0/1", "host")])
    assert of(only(findings(events(guard_cut(0, "sw1", "Gi1/0/1")), None, lldp)), "host") == [("cc35",)]
    named = guard_cut(0, "sw1", "Gi1/0/1", description="cc35 bond0")
    found = only(findings(events(named, bond_lost((-9000,), up_s=(-8000,)))))
    assert of(found, "host") == [("cc35",)]


def test_a_later_cut_of_the_same_host_is_the_same_guests() -> None:
    port = [*guard_cut(0, "sw1", "Gi1/0/35", 300), *guard_cut(303, "sw1", "Gi1/0/35")]
    finding = only(findings(events(port), sent((-0.01, "cc35/bond0", GUEST)), cloud(OWN)))
    assert of(finding, "mac", "instance") == [(GUEST, A)] * 2


# ---- clocks


def test_a_hosts_clock_is_compared_by_its_cards() -> None:
    late = bond_lost((25, 28), up_s=(625, 630))
    finding = only(findings(events(eos_cut(0, up_s=600), eos_cut(3, "SW-2", up_s=605), late), None, cloud(OWN)))
    assert of(finding, "cut_at") == [(at(0),), (at(3),)]
    lost = next(step for step in finding.story if "without any active member" in step.text)
    assert lost.at is not None
    assert at(2) <= lost.at <= at(5)  # type: ignore[operator]


def test_a_switch_whose_clock_is_off_follows_those_that_agree() -> None:
    wrong = eos_cut(123, "SW-2", up_s=725)
    finding = only(findings(events(eos_cut(0, up_s=600), wrong, bond_lost((0.2, 3.2), up_s=(600.2, 605.2)))))
    cut = {one["switch"]: one["cut_at"] for one in finding.facts["cuts"]}
    assert cut["SW-1"] == at(0)


# ---- what is none


def quiet(*told: list[dict[str, Any]]) -> list[Finding]:
    return findings(events(*told), None, cloud(OWN, STANDING))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(eos_cut(0, mac=SWITCH_MAC), id="a switch's own BPDU"),
        pytest.param(
            [said(0, "SW-1", "Ethernet5", "error_disabled", cause="link-flap"),
             said(0, "SW-1", "Ethernet5", "protocol_down")], id="link flap"),
        pytest.param(
            [said(0, "sw1", "Gi1/0/1", "error_disabled", cause="psecure-violation", vendor="cisco", mac=GUEST),
             said(1, "sw1", "Gi1/0/1", "link_down", vendor="cisco")], id="port security"),
        pytest.param([said(0, "sw1", "Gi0/1", "error_disabled", cause="storm-control", vendor="cisco")], id="storm"),
        pytest.param([said(0, "sw1", "Gi0/1", "error_disabled", cause="udld", vendor="cisco")], id="udld"),
        pytest.param([said(0, "sw1", "Gi0/1", "link_down", cause="administratively down", vendor="cisco")], id="admin"),
        pytest.param([said(0, "SW-1", None, "stp_change"), said(0, "SW-1", "Ethernet47", "blocking")], id="topology"),
        pytest.param(bond_lost((0, 3), up_s=(240, 241)), id="a reboot"),
        pytest.param([said(0, "cc35", "vnet7", "bpdu_received", master="br0")], id="a bridge of Linux guards a tap"),
        pytest.param(
            [said(0, "SW-1", "Ethernet35", "bpdu_received", mac=GUEST),
             said(-500, "SW-1", "Ethernet9", "protocol_down"), said(-400, "SW-1", "Ethernet9", "protocol_up")],
            id="a guard that only warns"),
    ],
)  # fmt: skip
def test_what_is_no_cut_off_by_a_guest(told: list[dict[str, Any]]) -> None:
    assert quiet(told) == []


def test_a_port_of_which_nothing_is_known_is_only_noted() -> None:
    finding = only(findings(events(guard_cut(0, "sw1", "Gi1/0/35"))))
    assert (finding.severity, finding.confidence) == ("info", "possible")
    assert "open" in {other.verdict for other in finding.alternatives}


def test_a_bond_that_goes_on_with_its_other_card_is_less_bad() -> None:
    one = [
        said(0.2, "cc35", "eth2", "member_down", master="bond0"),
        said(0.2, "cc35", "eth3", "active", master="bond0"),
    ]
    assert only(findings(events(eos_cut(0), one), None, cloud(OWN, STANDING))).severity == "medium"


def test_services_that_are_reported_down_are_told() -> None:
    told = {"ts": T0 + 60 * S, "service": "nova-compute", "service_host": "cc35", "state": "down", "told_by": "listing"}
    services = rows(ServiceState, [told | {"source": "services.txt"}])
    finding = only(findings(events(TALE), None, cloud(OWN), services))
    assert any("nova-compute on cc35 is reported down" in step.text for step in finding.story)


# ---- symptoms


def symptom(kind: str, start_s: float, entities: dict[str, tuple[str, ...]], **facts: Any) -> Finding:
    return Finding(kind, "", "low", "proven", at(start_s), None, entities, facts)


def test_what_follows_from_a_cut_is_hung_under_it() -> None:
    cause = only(findings(events(TALE), None, cloud(OWN, STANDING)))
    here = {"hosts": ("cc35",)}
    symptoms = [
        symptom("link-down", 0, {"switches": ("SW-1",), "interfaces": ("p",)}, switch="SW-1", reason="bpduguard"),
        symptom("link-down", 3, here | {"interfaces": ("bond0",)}, host="cc35", reason=None),
        symptom("host-silent", 5, here),
        symptom("dhcp-renewal-failure", 60, {"macs": ("fa:16:3e:00:00:01",)}, mac="fa:16:3e:00:00:01"),
        symptom("broker-alarm", 30, here | {"requests": ("x",)}),
    ]
    others = [
        symptom("link-down", 0, {"switches": ("SW-1",), "interfaces": ("q",)}, switch="SW-1", reason=None),
        symptom("link-down", 0, {"hosts": ("cc37",)}, host="cc37", reason=None),
        symptom("host-silent", 9000, here | {"requests": ("later",)}),
        symptom("host-silent", -600, here | {"requests": ("before",)}),
        symptom("dhcp-renewal-failure", 60, {"macs": ("fa:16:3e:00:00:02",)}, mac="fa:16:3e:00:00:02"),
    ]
    assert explained(cause, [cause, *symptoms, *others]) == [one.id for one in symptoms]
    assert explained(symptoms[0], symptoms) == ()


# ---- whatever there is


@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), min_size=len(TALE), max_size=len(TALE)), st.permutations(range(len(TALE))))
def test_any_part_of_the_lines_in_any_order_gives_the_same_source(kept: list[bool], order: list[int]) -> None:
    told = [TALE[n] for n in order if kept[n]]
    found = findings(events(told), None, cloud(OWN, STANDING)) if told else findings(PortEvent.empty().lazy())
    guards = [row for row in told if row["event"] == "bpdu_received"]
    if guards and all(row["mac"] == GUEST for row in guards) and len(found) == 1:
        assert found[0].facts["source_user"] in (USER, None)
    for finding in found:
        assert finding.confidence in ("proven", "likely", "possible")
        assert {cut["switch"] for cut in finding.facts["cuts"]} <= {"SW-1", "SW-2"}
        assert all(cut["restored_at"] is None or cut["restored_at"] > cut["cut_at"] for cut in finding.facts["cuts"])


def test_nothing_comes_of_nothing() -> None:
    assert findings(PortEvent.empty().lazy()) == []
    assert findings(PortEvent.empty().lazy(), sent((0, "cc35/bond0", GUEST)), cloud(OWN)) == []


def test_the_chart_is_given_ports_cards_others_and_bpdus() -> None:
    frames = (events(TALE), sent((-0.01, "cc35/bond0", GUEST)), cloud(OWN, STANDING), None, None)
    drawn = cascade_frames(only(findings(*frames)), *frames)
    lanes = set(drawn["outages"]["lane"])
    assert {"SW-1 Port-Channel35", "SW-2 Ethernet35", "cc35 bond0", "cc35 eth2", "cc35 1 other instance"} <= lanes
    assert drawn["sent"]["mac"].to_list() == [GUEST]
    assert isinstance(drawn["outages"], pl.DataFrame)
    assert Bpdu.empty().is_empty()


def test_a_late_word_of_an_earlier_return_is_no_return() -> None:
    again = guard_cut(302.1, "sw1", "Gi1/0/1", 700)
    late = [
        said(302, "sw1", "Gi1/0/1", "link_up", vendor="cisco"),
        said(303.05, "sw1", "Gi1/0/1", "protocol_up", vendor="cisco"),
    ]
    finding = only(findings(events(guard_cut(0, "sw1", "Gi1/0/1"), late, again)))
    assert of(finding, "cut_at", "restored_at") == [(at(0), at(302)), (at(302.1), at(700))]
