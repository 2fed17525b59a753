"""The store: whole or not there, the same bytes for the same rows, and its own damage found before a row is shown."""

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from forensics.errors import CaseError, StoreDamagedError
from forensics.records import LogRecord, Source, Span
from forensics.store import ROW_GROUP, Draft, Sink, Store, _sink, checksum_line, is_store, part_name, part_of, scan
from forensics.store._store import by_number
from tests._slow import SLOW


def spans(count: int, start: int = 0) -> pl.DataFrame:
    rows = [("a.log", n, 1, "reject", f"reason {n % 7}") for n in range(start, start + count)]
    return pl.DataFrame(rows, schema=Span.polars_schema(), orient="row")


def small_store(target: Path, rows: int = 1_000) -> Path:
    draft = Draft(target)
    with Sink(draft.path, 1) as sink:
        sink.append(Span, spans(rows))
    draft.table("sources", Source, Source.empty())
    draft.put("findings.json", b"{}\n")
    return draft.seal({"tool": "test", "zone_shifts_s": {}, "title": None}, "../evidence")


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    store = Store(small_store(tmp_path / "x.case"))
    assert_frame_equal(scan(Span, store.parts(Span)[1]).collect(), spans(1_000))
    assert scan(LogRecord, store.parts(LogRecord).values()).collect().shape == (0, len(LogRecord.columns()))
    assert store.hint() is not None
    assert store.hint().resolve() == (tmp_path / "evidence").resolve()


@pytest.mark.parametrize(
    "name", [b"a[1]*?.case", b"k=v", b"\xff\xfe.case", "sn\u00f6 {x}.case".encode(), b"http:x", b" x\n.case"]
)
def test_hostile_names_of_the_folder(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "a1x.case").mkdir()
    store = Store(small_store(tmp_path / os.fsdecode(name)))
    assert_frame_equal(scan(Span, store.parts(Span)[1]).collect(), spans(1_000))


def test_size_of_batches_does_not_show_in_the_bytes(tmp_path: Path) -> None:
    total = 2 * ROW_GROUP + 17
    written = []
    for name, sizes in (("a", [total]), ("b", [1, 10, ROW_GROUP, 5, total - ROW_GROUP - 16]), ("c", [50_000] * 3)):
        rows = 0
        with Sink(tmp_path / name, 3) as sink:
            for size in sizes:
                size = min(size, total - rows)
                sink.append(Span, spans(size, rows))
                rows += size
        assert rows == total
        written.append((tmp_path / name / "records" / "Span" / "000003.parquet").read_bytes())
    assert written[0] == written[1] == written[2]


def test_a_file_holds_so_many_row_groups_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sink, "ROW_GROUP", 10)
    monkeypatch.setattr(_sink, "MOST_GROUPS", 3)
    written = []
    for name, size in (("a", 100), ("b", 7)):
        with Sink(tmp_path / name, 3) as sink:
            for start in range(0, 100, size):
                sink.append(Span, spans(min(size, 100 - start), start))
            sink.cut([])
            sink.append(Span, spans(40, 100))
        assert sink.parts == [
            "Span", "Span_000000_000001", "Span_000000_000002", "Span_000000_000003", "Span_000001",
            "Span_000001_000001",
        ]  # fmt: skip
        (parts,) = by_number(tmp_path / name, (part_name(3, key) for key in reversed(sink.parts))).values()
        assert [part_of(str(part.relative_to(tmp_path / name))) for part in parts] == [(3, key) for key in sink.parts]
        assert scan(Span, parts).collect().equals(spans(140))
        assert [scan(Span, [part]).collect().height for part in parts] == [30, 30, 30, 10, 30, 10]
        written.append([part.read_bytes() for part in parts])
    assert written[0] == written[1]


def test_parquet_has_page_checksums_and_fixed_row_groups(tmp_path: Path) -> None:
    with Sink(tmp_path, 1) as sink:
        sink.append(Span, spans(ROW_GROUP + 10))
    path = tmp_path / "records" / "Span" / "000001.parquet"
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)] == [ROW_GROUP, 10]
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with (
        pytest.raises(OSError, match=r"(?i)crc|checksum"),
        pq.ParquetFile(path, page_checksum_verification=True) as file,
    ):
        file.read()


def test_manifest_is_checkable_without_the_tool(tmp_path: Path) -> None:
    store = small_store(tmp_path / "x.case")
    for name in ("manifest.sha256", "manifest"):
        done = subprocess.run(["sha256sum", "--strict", "-c", name], cwd=store, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    listed = {line.split("  ")[1] for line in (store / "manifest").read_text().splitlines()}
    assert listed == set(tree(store)) - {"manifest", "manifest.sha256", "evidence.path"}


@pytest.mark.parametrize(
    "name", [b"a\nb", b"back\\slash", b"cr\rlf\n", b"-c", b" lead", b"\xff\xfe", b"*x", b"plain.log"]
)
def test_checksum_lines_of_hostile_names(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "e").mkdir()
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path / "e"), name))).write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "sums").write_bytes(checksum_line(name, sha256))
    done = subprocess.run(["sha256sum", "--strict", "-c", "../sums"], cwd=tmp_path / "e", capture_output=True)
    assert done.returncode == 0, done.stderr


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    original = small_store(tmp_path / "x.case", rows=200)
    files = sorted(tree(original))
    assert "evidence.path" in files
    rng = random.Random(10)
    for _ in range(10_000 if SLOW else 400):
        name = rng.choice(files)
        path = original / name
        good = path.read_bytes()
        bad = bytearray(good)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(StoreDamagedError) as caught:
            Store(original)
        assert Path(str(caught.value.where)).name in (Path(name).name, "manifest")
        path.write_bytes(good)
    Store(original)


def test_missing_extra_and_swapped_files_are_found(tmp_path: Path) -> None:
    for change in ("remove", "add", "swap", "unlist"):
        store = small_store(tmp_path / f"{change}.case")
        if change == "remove":
            (store / "findings.json").unlink()
        elif change == "add":
            (store / "records" / "Span" / "000002.parquet").write_bytes(b"x")
        elif change == "swap":
            (store / "findings.json").rename(store / "x")
            (store / "case.json").rename(store / "findings.json")
            (store / "x").rename(store / "case.json")
        else:
            lines = (store / "manifest").read_bytes().splitlines(keepends=True)
            (store / "manifest").write_bytes(b"".join(lines[1:]))
        with pytest.raises(StoreDamagedError):
            Store(store)


def test_a_half_written_store_is_no_store(tmp_path: Path) -> None:
    whole = small_store(tmp_path / "x.case")
    for missing in ("manifest", "manifest.sha256", "case.json"):
        half = tmp_path / "half.case"
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(whole, half)
        (half / missing).unlink()
        assert not is_store(half)
        with pytest.raises(CaseError, match="no finished case"):
            Store(half)


def test_draft_leaves_nothing_behind(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "x.case")
    draft.put("findings.json", b"{}\n")
    draft.abandon()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".x.case.partial").mkdir()  # what a killed run left
    (tmp_path / ".x.case.partial" / "old").write_text("old")
    small_store(tmp_path / "x.case")
    assert [path.name for path in tmp_path.iterdir()] == ["x.case"]
    assert "old" not in tree(tmp_path / "x.case")


def test_an_earlier_case_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    first = tree(small_store(tmp_path / "x.case", rows=5))
    second = tree(small_store(tmp_path / "x.case", rows=6))
    assert first.keys() == second.keys()
    assert first != second
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CaseError, match="something else"):
        Draft(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    assert small_store(tmp_path / "empty") == tmp_path / "empty"


def test_two_writers(tmp_path: Path) -> None:
    first = Draft(tmp_path / "x.case")
    with pytest.raises(CaseError, match=f"process {os.getpid()} on .* is writing this case"):
        Draft(tmp_path / "x.case")
    first.abandon()
    Draft(tmp_path / "x.case").abandon()


def test_files_can_be_added(tmp_path: Path) -> None:
    path = small_store(tmp_path / "x.case")
    store = Store(path)
    store.add("report.html", b"<p>")
    before = tree(path)
    Store(path).add("report.html", b"<p>")
    assert tree(path) == before
    assert Store(path).read("report.html") == b"<p>"


@pytest.mark.parametrize("change", ["swapped", "removed", "edited"])
def test_a_manifest_that_was_altered_and_sealed_again(tmp_path: Path, change: str) -> None:
    path = small_store(tmp_path / "x.case")
    lines = (path / "manifest").read_bytes().splitlines(keepends=True)
    for n in range(len(lines)):
        altered = list(lines)
        if change == "swapped":
            other = lines[n - 1]
            altered[n], altered[n - 1] = lines[n][:64] + other[64:], other[:64] + lines[n][64:]
        elif change == "removed":
            del altered[n]
        else:
            altered[n] = (b"0" if lines[n][:1] != b"0" else b"1") + lines[n][1:]
        data = b"".join(altered)
        (path / "manifest").write_bytes(data)
        (path / "manifest.sha256").write_bytes(checksum_line(b"manifest", hashlib.sha256(data).hexdigest()))
        assert Store(path, check=False).damage()
        with pytest.raises(StoreDamagedError):
            Store(path)


def test_an_addition_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the process that adds something is killed."""
    replace = Path.replace
    found = set()
    for last in range(8):
        path = small_store(tmp_path / f"{last}.case")
        moves = 0

        def killed(self: Path, target: Path) -> Path:
            nonlocal moves
            moves += 1
            if moves > last:  # noqa: B023
                raise KeyboardInterrupt
            return replace(self, target)

        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(Path, "replace", killed)
            Store(path).add("findings.json", b"new")
        store = Store(path)
        found.add(store.read("findings.json"))
        store.add("notes.jsonl", b"{}")
        assert not [name for name in tree(path) if "adding" in name or name.endswith(".part")]
        assert Store(path).read("notes.jsonl") == b"{}"
    assert found == {b"{}\n", b"new"}


def test_two_that_add(tmp_path: Path) -> None:
    path = small_store(tmp_path / "x.case")
    one, other = Store(path), Store(path)
    one.add("a.txt", b"a")
    other.add("b.txt", b"b")
    assert Store(path).has("a.txt")
    assert Store(path).has("b.txt")


def test_a_case_is_opened_without_a_write(tmp_path: Path) -> None:
    path = small_store(tmp_path / "x.case")
    before = {one: one.stat().st_mtime_ns for one in (path, *path.rglob("*"))}
    moved = path.rename(tmp_path / "y.case")
    Store(moved).table("sources", Source)
    assert {path / one.relative_to(moved): one.stat().st_mtime_ns for one in (moved, *moved.rglob("*"))} == before


def test_later_schema_is_refused(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "x.case")
    draft.seal({"schema": 99, "tool": "later"}, None)
    with pytest.raises(CaseError, match="schema 99"):
        Store(tmp_path / "x.case")
