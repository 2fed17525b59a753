"""R08: the power goes at any moment, and no store that is not whole is ever taken for one."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import forensics
from forensics import report
from forensics.case import _build
from forensics.errors import CaseError, StoreDamagedError
from forensics.store import Store, _draft
from tests._power import Disk, Left, lay
from tests._slow import SLOW
from tests._small_evidence import log, small_evidence
from tests.test_store_resume import tree as every_file

CASE = "x.case"
CUTS = 20_000 if SLOW else 1000


def tree(case: Path) -> dict[str, bytes]:
    """All that is the case: what is still to be added lies beside it."""
    return {name: data for name, data in every_file(case).items() if not name.startswith(".adding/")}


def case_in(left: Left) -> dict[str, bytes] | None:
    """The same of what a cut leaves; None where there is no case."""
    if f"{CASE}/" not in left:
        return None
    inside = {name.removeprefix(f"{CASE}/"): octets for name, octets in left.items() if name.startswith(f"{CASE}/")}
    return {
        name: octets
        for name, octets in inside.items()
        if octets is not None and not name.startswith(".adding/") and not name.endswith("evidence.path")
    }


def triaged(evidence: Path, out: Path) -> Path:
    return forensics.open_case(evidence, out=out, workers=1, finish=report.pages).path


@pytest.fixture(autouse=True, scope="module")
def _as_one_version() -> Iterator[None]:
    """Whoever edits the code while the tests run makes another version of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_build, "versions", dict)
        patch.setattr(_draft, "COMMIT_S", 0)
        yield


def test_no_power_cut_leaves_a_wrong_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    place, there = tmp_path / "place", tmp_path / "there"
    place.mkdir()
    disk = Disk(place)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        first = tree(triaged(evidence, place / CASE))
        begun = len(disk.moments)
        (evidence / "node1" / "syslog.2").write_bytes(log(7))
        os.utime(evidence / "node1" / "syslog.2", (1_360_900_000, 1_360_900_000))
        second = tree(triaged(evidence, place / CASE))
    disk.close()
    assert first != second
    assert len(disk.moments) > begun + 100 > 200
    rng = random.Random(8)
    cases = 0
    for n in range(CUTS):
        left = rng.choice(disk.moments).cut(rng)
        case = case_in(left)
        if case is not None:  # one that is there is whole
            cases += 1
            assert case in (first, second)
        if n % 200 == 0:
            lay(left, there)
            if case is not None:
                assert Store(there / CASE).about
            assert tree(triaged(evidence, there / CASE)) == second, n
            assert [path.name for path in there.iterdir()] == [CASE], n
            shutil.rmtree(there)
    assert cases > CUTS / 4
    for _ in range(20):  # when the run is over nothing is lost any more
        assert case_in(disk.moments[-1].cut(rng)) == second
    lay(disk.moments[-1].cut(rng), there)
    assert Store(there / CASE).about


def test_a_disk_that_only_says_that_it_synced_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    place, there = tmp_path / "place", tmp_path / "there"
    place.mkdir()
    disk = Disk(place, honest=False)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        wanted = tree(triaged(evidence, place / CASE))
    disk.close()
    rng = random.Random(9)
    broken = 0
    for _ in range(CUTS // 2):
        left = rng.choice(disk.moments[-20:]).cut(rng)
        if case_in(left) in (None, wanted):
            continue
        lay(left, there)
        with pytest.raises((StoreDamagedError, CaseError)):
            Store(there / CASE)
        broken += 1
        shutil.rmtree(there)
    assert broken


def test_what_is_added_is_there_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, there = tmp_path / "place", tmp_path / "there"
    place.mkdir()
    case = triaged(small_evidence(tmp_path / "evidence"), place / CASE)
    trees = [tree(case)]
    disk = Disk(place)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        for name, data in (("notes/1.json", b"one"), ("later.html", bytes(5000)), ("notes/1.json", b"two")):
            Store(case).add(name, data)
            trees.append(tree(case))
    disk.close()
    rng = random.Random(10)
    for n in range(CUTS // 4):
        left = rng.choice(disk.moments).cut(rng)
        if n % 25 and case_in(left) in trees and f"{CASE}/.adding/" not in left:
            continue
        lay(left, there)  # what was begun is ended by whoever opens it
        Store(there / CASE)
        assert tree(there / CASE) in trees, n
        shutil.rmtree(there)
    lay(disk.moments[-1].cut(rng), there)
    Store(there / CASE)
    assert tree(there / CASE) == trees[-1]
