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
from tests._power import Disk
from tests._small_evidence import log, small_evidence
from tests.test_store_resume import tree as every_file

CUTS = 1000 if os.environ.get("FORENSICS_SLOW") != "1" else 20_000


def tree(case: Path) -> dict[str, bytes]:
    """All that is the case: what is still to be added lies beside it."""
    return {name: data for name, data in every_file(case).items() if not name.startswith(".adding/")}


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
    place, left = tmp_path / "place", tmp_path / "left"
    place.mkdir()
    disk = Disk(place)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        first = tree(triaged(evidence, place / "x.case"))
        begun = len(disk.moments)
        (evidence / "node1" / "syslog.2").write_bytes(log(7))
        os.utime(evidence / "node1" / "syslog.2", (1_360_900_000, 1_360_900_000))
        second = tree(triaged(evidence, place / "x.case"))
    disk.close()
    assert first != second
    assert len(disk.moments) > begun + 100 > 200
    rng = random.Random(8)
    cases = 0
    for n in range(CUTS):
        rng.choice(disk.moments).cut(left, rng)
        if (left / "x.case").exists():  # one that is there is whole
            cases += 1
            assert Store(left / "x.case").about
            assert tree(left / "x.case") in (first, second)
        if n % 200 == 0:
            assert tree(triaged(evidence, left / "x.case")) == second, n
            assert [path.name for path in left.iterdir()] == ["x.case"], n
        shutil.rmtree(left)
    assert cases > CUTS / 4
    for _ in range(20):  # when the run is over nothing is lost any more
        disk.moments[-1].cut(left, rng)
        assert tree(left / "x.case") == second
        shutil.rmtree(left)


def test_a_disk_that_only_says_that_it_synced_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    place, left = tmp_path / "place", tmp_path / "left"
    place.mkdir()
    disk = Disk(place, honest=False)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        wanted = tree(triaged(evidence, place / "x.case"))
    disk.close()
    rng = random.Random(9)
    broken = 0
    for _ in range(CUTS // 2):
        rng.choice(disk.moments[-20:]).cut(left, rng)
        try:
            Store(left / "x.case")
        except (StoreDamagedError, CaseError):
            broken += (left / "x.case").exists()
        else:
            assert tree(left / "x.case") == wanted
        shutil.rmtree(left)
    assert broken


def test_what_is_added_is_there_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, left = tmp_path / "place", tmp_path / "left"
    place.mkdir()
    case = triaged(small_evidence(tmp_path / "evidence"), place / "x.case")
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
        rng.choice(disk.moments).cut(left, rng)
        Store(left / "x.case")
        assert tree(left / "x.case") in trees, n
        shutil.rmtree(left)
    disk.moments[-1].cut(left, rng)
    Store(left / "x.case")
    assert tree(left / "x.case") == trees[-1]
