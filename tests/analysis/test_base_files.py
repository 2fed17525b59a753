"""Base files removed in use: who removed what, who needed it, who is hit; and the healthy clouds that only look so."""

from typing import Any

import pytest

from forensics.analysis import _base_needs, _base_removals
from forensics.analysis.base_files import findings
from forensics.records import ConfigOption, DiskImage, Finding, Image, Instance, InstanceEvent, LogRecord, Notification
from forensics.records.finding import iso
from tests._base_cloud import (
    BASE,
    FILE,
    OTHER,
    OWNER,
    PRIVATE,
    REMOVER,
    SECOND,
    USER,
    Cloud,
    at,
    failure,
    instance,
)


def ns(hours: float) -> int:
    return int(at(hours).timestamp()) * 10**9


def said(cloud: Cloud, *without: Any) -> list[Finding]:
    return findings(*cloud.frames(*without))


def verdicts(finding: Finding) -> dict[str, str]:
    return {other.hypothesis: other.verdict for other in finding.alternatives}


def guilty(**changes: Any) -> Cloud:
    return Cloud(instances=[instance()], extra={"InstanceEvent": [failure()]}, **changes)


def test_every_fact_of_a_removal_that_hit_an_instance() -> None:
    (finding,) = said(guilty())
    assert (finding.severity, finding.confidence) == ("high", "proven")
    facts = dict(finding.facts)
    assert facts.pop("next") == []
    (down,) = facts.pop("owners_down")
    assert facts == {
        "base_file": FILE, "image": PRIVATE, "removed_at": iso(ns(3.5)), "removed_by": [REMOVER], "victims": [USER],
        "at_risk": [],
    }  # fmt: skip
    assert down == {"host": OWNER, "from": iso(ns(2.0)), "to": iso(ns(4.5))}
    assert finding.entities == {"hosts": (OWNER, REMOVER), "instances": (USER,), "images": (PRIVATE,)}
    assert finding.start == iso(ns(3.5))
    assert finding.end is None


def test_the_story_goes_in_order_of_time_and_every_step_cites() -> None:
    (finding,) = said(guilty())
    assert [step.at for step in finding.story] == sorted(step.at or "" for step in finding.story)
    assert all(step.evidence for step in finding.story)
    text = " ".join(step.text for step in finding.story)
    for part in (f"last sign of life of {OWNER}", f"{REMOVER} removes the copy that was resized to 10 GiB",
                 f"{OWNER} is back after 2.5 h", f"{USER} does not start"):  # fmt: skip
        assert part in text


def test_what_runs_on_is_at_risk_and_must_not_be_stopped() -> None:
    (finding,) = said(Cloud(instances=[instance(), instance(SECOND)], extra={"InstanceEvent": [failure()]}))
    assert (finding.facts["victims"], finding.facts["at_risk"]) == ([USER], [SECOND])
    assert any(f"Neither stop, reboot nor migrate {SECOND}" in text for text in finding.remedy)
    assert any("/proc/PID/fd" in text for text in finding.remedy)
    assert finding.remedy[0].startswith("First stop it: `remove_unused_base_images=False`")


def test_at_risk_alone_is_harm_to_come() -> None:
    (finding,) = said(Cloud(instances=[instance()]))
    assert (finding.severity, finding.facts["victims"], finding.facts["at_risk"]) == ("medium", [], [USER])


@pytest.mark.parametrize(
    "change",
    [
        {"is_deleted": True, "deleted_at": at(1), "terminated_at": at(1)},
        {"vm_state": "shelved_offloaded", "updated_at": at(-3)},
        {"root_gb": 20},
        {"image": None, "image_hash": None},
        {"created_at": at(5), "launched_at": at(5)},
        {"compute_host": REMOVER},
        {"compute_host": OTHER},
        {"compute_host": None, "launched_at": None},
    ],
    ids=[
        "deleted",
        "shelved",
        "another size",
        "from volume",
        "later",
        "on the remover",
        "on a host that looked",
        "never",
    ],
)
def test_an_instance_that_needs_it_not_makes_no_finding(change: dict[str, Any]) -> None:
    assert said(Cloud(instances=[instance(**change)])) == []


def test_an_instance_that_was_deleted_afterwards_is_no_longer_at_risk() -> None:
    gone = instance(is_deleted=True, deleted_at=at(5), terminated_at=at(5))
    assert said(Cloud(instances=[gone])) == []
    (finding,) = said(Cloud(instances=[gone, instance(SECOND)]))
    assert finding.facts["at_risk"] == [SECOND]


def test_a_removal_that_failed_is_none() -> None:
    for action in ("remove_failed", "gone"):
        assert said(guilty(failed=action)) == []


def test_the_one_that_unlinked_is_named_and_the_loser_is_not() -> None:
    cloud = guilty()
    late = [cloud._line(OTHER, 3.5001 + n / 10000, FILE, action, None) for n, action in enumerate(("removing", "gone"))]
    cloud.extra["events"] = late
    (finding,) = said(cloud)
    assert finding.facts["removed_by"] == [REMOVER]
    assert verdicts(finding)["each host has a folder of its own"] == "ruled out"


def test_hosts_with_folders_of_their_own_do_each_other_no_harm() -> None:
    assert said(Cloud(shared=False, instances=[instance()])) == []
    assert said(Cloud(shared=False, silent=None, instances=[instance()])) == []


def test_a_file_that_was_fetched_again_puts_nobody_at_risk() -> None:
    assert said(Cloud(instances=[instance()], again_at=4.2)) == []
    (finding,) = said(
        Cloud(instances=[instance(), instance(SECOND)], again_at=5.2, extra={"InstanceEvent": [failure()]})
    )
    assert (finding.facts["victims"], finding.facts["at_risk"]) == ([USER], [])


def test_an_instance_that_started_since_has_its_file() -> None:
    ran = failure(event="rebooted", path=None, error=None)
    assert said(Cloud(instances=[instance()], extra={"InstanceEvent": [ran]})) == []


@pytest.mark.parametrize(
    "error",
    [
        "Requested operation is not valid: domain is already running",
        "Cannot access storage file '/dev/disk/by-path/ip-10.0.0.21:3260-lun-1': No such file or directory",
        "internal error: Cannot set up guest memory 'pc.ram': out of memory",
    ],
)
def test_a_start_that_failed_for_another_reason_makes_no_victim(error: str) -> None:
    event = failure(error=error, path=None)
    (finding,) = said(Cloud(instances=[instance()], extra={"InstanceEvent": [event]}))
    assert (finding.facts["victims"], finding.facts["at_risk"]) == ([], [USER])
    assert said(Cloud(removed_at=None, instances=[instance()], extra={"InstanceEvent": [event]})) == []


def test_a_start_that_failed_before_the_removal_makes_no_victim() -> None:
    (finding,) = said(Cloud(instances=[instance()], extra={"InstanceEvent": [failure(hour=1.0)]}))
    assert (finding.facts["victims"], finding.facts["at_risk"]) == ([], [USER])


def test_an_error_that_names_the_file_needs_no_database() -> None:
    error = f"Cannot access backing file '{FILE}' of storage file '…/disk' (as uid:107, gid:107): No such file"
    event = failure(error=error, base_file=FILE, path=None)
    (finding,) = said(Cloud(extra={"InstanceEvent": [event]}), Instance)
    assert (finding.facts["victims"], finding.severity) == ([USER], "high")
    assert [one["host"] for one in finding.facts["owners_down"]] == [OWNER]


def test_a_disk_that_is_backed_by_it_needs_no_database() -> None:
    disk = {"backing_file": FILE, "instance": USER, "path": f"{BASE}/../{USER}/disk", "error": "Could not open"}
    (finding,) = said(Cloud(extra={"DiskImage": [disk]}), Instance)
    assert finding.facts["at_risk"] == [USER]


def test_a_disk_that_is_backed_by_another_file_decides_against_the_flavor() -> None:
    other = {"backing_file": FILE.removesuffix("_10"), "instance": USER, "path": "disk"}
    assert said(Cloud(instances=[instance()], extra={"DiskImage": [other]})) == []


def test_the_unsized_file_is_nobodys_where_copies_were_made() -> None:
    plain = FILE.removesuffix("_10")
    cloud = Cloud(path=plain, instances=[instance()])
    cloud.extra["events"] = [cloud._line(OWNER, 0.5, FILE, "checking", PRIVATE)]
    assert said(cloud) == []
    cloud.extra["events"] = []
    cloud.silent, cloud.removed_at, cloud.until = (2.0, 34.0), 30.0, 36.0
    (finding,) = said(cloud)
    assert finding.facts["base_file"] == plain


@pytest.mark.parametrize("most", [1, _base_needs.MOST_EVENTS])
def test_notifications_tell_who_needed_it_and_who_was_rebuilt_from_another(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(_base_needs, "MOST_EVENTS", most)
    born = {"ts": at(-20), "host": OWNER, "publisher_id": f"compute.{OWNER}", "instance": USER, "image": PRIVATE,
            "event_type": "compute.instance.create.end", "root_gb": 10, "compute_host": OWNER}  # fmt: skip
    rebuilt = {**born, "ts": at(1), "event_type": "compute.instance.rebuild.end", "image": "0673dd71-34c5-4fbb-86c4"}
    deleted = {**born, "ts": at(1), "event_type": "compute.instance.delete.end"}
    other = [row | {"instance": SECOND} for row in (born, rebuilt)]
    (finding,) = said(Cloud(extra={"Notification": [*other, born, born | {"ts": at(1)}]}), Instance)
    assert finding.facts["at_risk"] == [USER]
    assert said(Cloud(extra={"Notification": [born, rebuilt]}), Instance) == []
    assert said(Cloud(extra={"Notification": [born, deleted]}), Instance) == []


def test_the_logs_alone_are_possible_and_ask_for_the_database() -> None:
    (finding,) = said(Cloud(), Instance)
    assert (finding.confidence, finding.facts["victims"], finding.facts["at_risk"]) == ("possible", [], [])
    assert [one["host"] for one in finding.facts["owners_down"]] == [OWNER]
    assert any("instances" in text for text in finding.next_evidence)
    assert verdicts(finding)["nothing needed it any more"] == "open"
    left = failure(event="terminating", hour=2.2, path=None, error=None)
    assert said(Cloud(silent=(2.3, 4.5), extra={"InstanceEvent": [left]}), Instance) == [], (
        "it deleted an instance before it fell silent"
    )


def test_what_does_not_start_on_a_host_that_used_the_file_is_possibly_its_victim() -> None:
    (finding,) = said(Cloud(extra={"InstanceEvent": [failure()]}), Instance)
    assert (finding.confidence, finding.facts["victims"], finding.facts["at_risk"]) == ("possible", [USER], [])
    assert verdicts(finding)["nothing needed it any more"] == "open"
    for other in ({"host": OTHER}, {"hour": 3.0}, {"error": "internal error: no PCI device"}):
        (finding,) = said(Cloud(extra={"InstanceEvent": [failure(**other)]}), Instance)
        assert finding.facts["victims"] == [], other


def test_libvirt_names_the_domain_or_the_folder_and_the_table_tells_whose_it_is() -> None:
    byname = failure(uuid=None, instance_name="instance-00000009", event="missing_file")
    folder = failure(uuid=None, event="hypervisor_error")
    owned = failure(uuid=None, event="missing_file", path=f"/var/lib/nova/instances/{USER}/disk")
    for row in (byname, folder, owned):
        (finding,) = said(Cloud(instances=[instance()], extra={"InstanceEvent": [row]}))
        assert (finding.facts["victims"], finding.facts["at_risk"]) == ([USER], [])
    twice = [instance(), instance(SECOND, instance_name="instance-00000009")]
    (finding,) = said(Cloud(instances=twice, extra={"InstanceEvent": [byname]}))
    assert finding.facts["victims"] == [], "two databases have a domain of that name"


def test_without_the_owners_log_the_database_tells_and_it_is_likely() -> None:
    cloud = Cloud(hosts=(REMOVER, OTHER), instances=[instance()])
    (finding,) = said(cloud)
    assert (finding.confidence, finding.facts["owners_down"]) == ("likely", [])
    assert any(OWNER in text for text in finding.next_evidence)


def test_a_file_that_its_remover_never_had_a_use_for_lies_in_a_shared_folder() -> None:
    unrelated = instance("b6a0", "nc09", image=None, image_hash=None, is_deleted=True, deleted_at=at(-40))
    (finding,) = said(Cloud(hosts=(REMOVER,), instances=[instance(), unrelated]))
    assert (finding.severity, finding.confidence) == ("medium", "possible")
    assert verdicts(finding)["each host has a folder of its own"] == "ruled out"
    assert any("df " in text for text in finding.next_evidence)


def test_nothing_that_shows_a_shared_folder_is_no_harm_shown() -> None:
    (finding,) = said(Cloud(hosts=(REMOVER,), instances=[instance()]))
    assert finding.severity == "info"
    assert verdicts(finding)["each host has a folder of its own"] == "open"


@pytest.mark.parametrize("kind", ["raw", "rbd", "lvm"])
def test_disks_without_backing_files_need_none(kind: str) -> None:
    option = {"section": "libvirt", "key": "images_type", "value": kind, "is_commented": False}
    assert said(Cloud(instances=[instance()], extra={"ConfigOption": [option]})) == []
    assert said(Cloud(instances=[instance()], extra={"ConfigOption": [option | {"is_commented": True}]}))


def test_a_deleted_image_is_no_cause_but_says_what_can_be_fetched() -> None:
    for deleted, word in ((True, "cannot be fetched again"), (False, "It is still there")):
        image = {"image": PRIVATE, "is_deleted": deleted, "status": "deleted" if deleted else "active"}
        (finding,) = said(Cloud(instances=[instance()], extra={"Image": [image]}))
        other = next(one for one in finding.alternatives if "glance" in one.hypothesis)
        assert other.verdict == "ruled out"
        assert word in other.because
        assert any("glance image-download" in text for text in finding.remedy) is not deleted


def test_a_command_that_could_have_is_shown() -> None:
    typed = {"command": f"rm {FILE}", "shell": "shell"}
    (finding,) = said(Cloud(instances=[instance()], extra={"ShellCommand": [typed]}))
    assert verdicts(finding)["somebody removed it by hand"] == "open"


def test_short_and_full_names_are_one_host() -> None:
    (finding,) = said(guilty(domain=".cloud.example.org"))
    assert finding.facts["owners_down"][0]["host"] == f"{OWNER}.cloud.example.org"
    assert finding.facts["victims"] == [USER]


def test_who_comes_next_is_who_is_silent_now() -> None:
    cloud = Cloud(silent=(2.0, 99.0), instances=[instance(), instance(SECOND, root_gb=20)])
    (finding,) = said(cloud)
    (coming,) = finding.facts["next"]
    assert (coming["instance"], coming["host"]) == (SECOND, OWNER)
    assert coming["base_file"] == FILE.rsplit("/", 1)[1].removesuffix("_10")
    assert any("Next, unless that is done" in text for text in finding.remedy)
    assert finding.facts["owners_down"] == [{"host": OWNER, "from": iso(ns(2.0)), "to": None}]


@pytest.mark.parametrize("missing", [(LogRecord,), (Notification, DiskImage, InstanceEvent), (Image, ConfigOption)])
def test_any_subset_tells_who_removed_it(missing: tuple[Any, ...]) -> None:
    (finding,) = said(guilty(), *missing)
    assert (finding.facts["base_file"], finding.facts["removed_by"]) == (FILE, [REMOVER])


def test_the_same_rows_in_another_order_say_the_same() -> None:
    frames = guilty().frames()
    turned = [frame.reverse() for frame in frames]
    assert findings(*frames) == findings(*turned)


def test_files_read_one_after_the_other_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = guilty(local_word="image {image} at ({path}): in use: on this node 1 local, 2 on other nodes sharing this "
                   "instance storage")  # fmt: skip
    events = [cloud._line(OWNER, 1.0 + n / 3, f"{FILE}{n}", "active", PRIVATE) | {"remote": 2} for n in range(3)]
    events += [cloud._line(OTHER, 3.6 + n / 10, f"{FILE}{n}", "removing", PRIVATE) for n in range(3)]
    events += [cloud._line(OTHER, 3.8001, f"{FILE}2", "gone", PRIVATE)]
    cloud.extra["events"] = events
    cloud.instances += [instance(f"{n}{SECOND[1:]}", root_gb=100 + n) for n in range(3)]
    whole = said(cloud)
    assert {one.facts["base_file"] for one in whole} == {FILE, f"{FILE}0", f"{FILE}1"}
    read: list[int] = []
    about = _base_removals.Cache.about
    monkeypatch.setattr(_base_removals, "MOST_ROWS", 1)
    monkeypatch.setattr(_base_removals.Cache, "about", lambda *given: read.append(given[1].height) or about(*given))
    assert said(cloud) == whole
    assert read == [1] * 4
