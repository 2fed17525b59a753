"""P5, P6: workers elsewhere, lost, late or busy twice, and cases in object stores: the case is the same octets."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import forensics
from forensics.case import _cluster, _load
from forensics.case._cluster import Place, read_unit
from forensics.cli import app
from forensics.errors import CaseError, StoppedError, StoreDamagedError
from forensics.store import place_of, push, url_of
from tests._small_evidence import MODIFIED_S, capture, log, small_evidence
from tests.test_store_resume import SLOW, tree

distributed = pytest.importorskip("distributed")

PRELOAD = """
import os, time
from forensics.case import _cluster, _load

loaded = getattr(_cluster, "loaded", _cluster.load_one)  # dask runs this file twice
_cluster.loaded = loaded

def load_one(job, *rest):
    hold = {hold!r}
    wanted = job.share is None and job.file.source.endswith("syslog") or job.share is not None and job.share.cut == 1
    if os.path.exists(hold) and wanted:
        with open(hold + ".held", "a") as file:
            file.write(str(os.getpid()) + "\\n")
        while os.path.exists(hold):
            time.sleep(0.02)
    return loaded(job, *rest)

_cluster.load_one = load_one
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small evidence, and an archive that can only be read forwards."""
    folder = small_evidence(tmp_path_factory.mktemp("cluster") / "evidence")
    with tarfile.open(folder / "node3.tar.gz", "w:gz") as archive:
        for name, data in (("node3/syslog", log(90)), ("node3/syslog.1", log(33)), ("node3/a.pcap", capture(50))):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), MODIFIED_S
            archive.addfile(member, io.BytesIO(data))
    os.utime(folder / "node3.tar.gz", (MODIFIED_S, MODIFIED_S))
    return folder


@pytest.fixture(scope="module")
def plain(evidence: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The case that one process makes."""
    return tree(forensics.open_case(evidence, out=tmp_path_factory.mktemp("plain") / "x.case", workers=1).path)


class Cluster:
    """A scheduler in this process, and workers in processes of their own that nobody starts again."""

    def __init__(self, folder: Path) -> None:
        self.hold = folder / "hold"
        (folder / "preload.py").write_text(PRELOAD.format(hold=str(self.hold)))
        self._preload = folder / "preload.py"
        self._scheduler = distributed.LocalCluster(n_workers=0, dashboard_address=None)
        self.address = self._scheduler.scheduler_address
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self, count: int, threads: int = 1) -> None:
        """Start workers until there are so many."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < count:
            command = [sys.executable, "-P", "-m", "distributed.cli.dask_worker", self.address, "--no-nanny"]
            command += ["--nthreads", str(threads), "--no-dashboard", "--preload", str(self._preload)]
            folder = self._preload.parent
            environment = os.environ | {"PYTHONPATH": str(Path(forensics.__file__).parents[1])}
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.workers.append(subprocess.Popen(command, cwd=folder, env=environment, **quiet))
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)

    def close(self) -> None:
        """End all."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self._scheduler.close(timeout=5)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("workers"))
    yield made
    made.close()


@contextlib.contextmanager
def killed_once(cluster: Cluster) -> Iterator[None]:
    """The first worker that comes to what is held is killed there; the others go on."""
    held = Path(f"{cluster.hold}.held")
    held.unlink(missing_ok=True)
    cluster.hold.touch()

    def kill() -> None:
        while not (held.exists() and held.read_text().endswith("\n")):
            time.sleep(0.02)
        os.kill(int(held.read_text().split()[0]), signal.SIGKILL)
        cluster.hold.unlink()

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()


def test_one_two_or_more_workers_and_one_that_is_killed(
    cluster: Cluster, evidence: Path, plain: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evidence.parent)
    for count in (1, 2, 4) if SLOW else (2,):
        cluster.start(count)
        with _cluster.connected(cluster.address) as client:
            case = forensics.open_case("evidence", out=tmp_path / f"{count}" / "x.case", client=client)
        assert tree(case.path) == plain
        assert [path.name for path in case.path.parent.iterdir()] == ["x.case"]
    arguments = ["triage", str(evidence), "--out", str(tmp_path / "y.case"), "--scheduler", cluster.address, "--json"]
    with killed_once(cluster):
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code in (0, 3), done.output
    made = tree(tmp_path / "y.case")
    assert {name: made[name] for name in made if name.startswith(("records/", "sources", "problems"))} == {
        name: plain[name] for name in plain if name.startswith(("records/", "sources", "problems"))
    }
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_capture_in_slices_and_a_worker_killed_in_one(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "br100.pcap").write_bytes(capture(900))
    monkeypatch.setattr(_load, "SLICE_BYTES", 12_000)
    alone = tree(forensics.open_case(folder, out=tmp_path / "alone.case", workers=1).path)
    assert sum("/Packet/" in name for name in alone) == 5
    cluster.start(2)

    def made(name: str) -> dict[str, bytes]:
        with _cluster.connected(cluster.address) as client:
            return tree(forensics.open_case(folder, out=tmp_path / f"{name}.case", client=client).path)

    assert made("two") == alone
    with killed_once(cluster):
        assert made("killed") == alone
    assert made("one") == alone


class Fake:
    """A client without a cluster: every task is done here, as many times as asked, before its turn comes."""

    def __init__(self, times: int = 1, fails_after: int = 1_000_000) -> None:
        self.times, self.fails_after = times, fails_after
        self.threads = 1
        self.calls: list[tuple[list[object], Place]] = []

    def nthreads(self) -> dict[str, int]:
        return {"here": self.threads} if self.threads else {}

    def altered(self, unit, place):
        return unit, place

    def submit(self, task, unit, place, *, key: str, pure: bool) -> Future:
        assert not pure
        self.calls.append((unit, place))
        future: Future = Future()
        if len(self.calls) > self.fails_after:
            future.set_exception(OSError("connection lost"))
            return future
        try:
            attempts = [task(*self.altered(unit, place)) for _ in range(self.times)]
            future.set_result(attempts[-1])
        except Exception as error:
            future.set_exception(error)
        return future

    def cancel(self, futures, force: bool) -> None:
        assert force


def test_what_is_done_twice_counts_once(evidence: Path, plain: dict[str, bytes], tmp_path: Path) -> None:
    client = Fake(times=2)
    case = forensics.open_case(evidence, out=tmp_path / "x.case", client=client)
    assert tree(case.path) == plain
    assert [path.name for path in tmp_path.iterdir()] == ["x.case"]
    members = [len(unit) for unit, _ in client.calls if any(job.file.within for job in unit)]
    assert members == [3]  # a compressed archive is read forwards, once
    unit, place = client.calls[0]
    assert "does not see the folder of the case" in str(read_unit(unit, place))
    assert tree(case.path) == plain
    assert [path.name for path in tmp_path.iterdir()] == ["x.case"]


def test_a_straggler_leaves_nothing(evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Fake()
    forensics.open_case(evidence, out=tmp_path / "x.case", client=client)
    unit, place = client.calls[0]
    gone = Path(place.folder)
    gone.mkdir()
    (gone / "wanted").write_text(place.token)
    load_one = _cluster.load_one

    def late(*job):
        (gone / "wanted").unlink()  # all others have ended meanwhile
        return load_one(*job)

    monkeypatch.setattr(_cluster, "load_one", late)
    read_unit(unit, place)
    assert [path.name for path in tmp_path.iterdir()] == ["x.case"]


def test_a_cluster_that_goes_away_is_gone_on_with(evidence: Path, plain: dict[str, bytes], tmp_path: Path) -> None:
    client = Fake(fails_after=3)
    with pytest.raises(StoppedError, match="the cluster is gone: OSError") as caught:
        forensics.open_case(evidence, out=tmp_path / "x.case", client=client)
    assert "run it again" in str(caught.value)
    kept: list[int] = []
    case = forensics.open_case(evidence, out=tmp_path / "x.case", kept=lambda some, _: kept.append(some))
    assert kept[0] > 0
    assert tree(case.path) == plain


def test_a_cluster_without_workers(evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cluster, "_ALONE_S", 0.05)
    monkeypatch.setattr(_cluster, "_LOOK_S", 0.05)
    client = Fake()
    client.threads = 0
    client.scheduler = type("Scheduler", (), {"address": "tcp://there:8786"})
    client.submit = lambda *_, **__: Future()
    with pytest.raises(StoppedError, match="tcp://there:8786: the cluster has no workers"):
        forensics.open_case(evidence, out=tmp_path / "x.case", client=client)


def test_a_file_that_kills_all_who_read_it(evidence: Path, plain: dict[str, bytes], tmp_path: Path) -> None:
    class Deadly(Fake):
        def altered(self, unit, place):
            if any(job.file.source.endswith("node3/a.pcap") for job in unit):
                raise distributed.KilledWorker("task", "worker", 3)
            return unit, place

    case = forensics.open_case(evidence, out=tmp_path / "x.case", client=Deadly())
    assert case.problems.filter(type="poison")["source"].to_list() == ["node3.tar.gz/node3/a.pcap"]
    whole = {name: data for name, data in plain.items() if name.startswith("records/")}
    number = case.sources["source"].to_list().index("node3.tar.gz/node3/a.pcap") + 1
    others = {name: data for name, data in whole.items() if not name.endswith(f"/{number:06d}.parquet")}
    assert {name: data for name, data in tree(case.path).items() if name.startswith("records/")} == others


def elsewhere(unit, place, field: str):
    """What a worker sees to which something is missing."""
    if field == "evidence":
        files = [replace(job.file, path=Path("/nowhere") / job.file.path.name) for job in unit]
        return [replace(job, file=file) for job, file in zip(unit, files, strict=True)], place
    other = {"folder": "/nowhere"} if field == "folder" else {"versions": {**place.versions, "polars": "0"}}
    return unit, replace(place, **other)


@pytest.mark.parametrize(
    ("field", "said"),
    [("versions", "another version"), ("folder", "folder of the case"), ("evidence", "does not see the evidence")],
)
def test_workers_that_would_make_another_case(evidence: Path, tmp_path: Path, field: str, said: str) -> None:
    class Other(Fake):
        def altered(self, unit, place):
            return elsewhere(unit, place, field)

    if field == "evidence":

        class Other(Fake):
            def submit(self, task, unit, place, **options) -> Future:
                future = super().submit(task, unit, place, **options)
                there = task(*elsewhere(unit, place, field))
                future = Future()
                future.set_result(there)
                return future

    with pytest.raises(CaseError, match=said) as caught:
        forensics.open_case(evidence, out=tmp_path / "x.case", client=Other())
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_no_scheduler_and_no_distributed(evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cluster, "_CONNECT_S", 0.3)
    for address in ("tcp://127.0.0.1:1", "nonsense://127.0.0.1"):
        done = CliRunner().invoke(app, ["triage", str(evidence), "--out", str(tmp_path / "x"), "--scheduler", address])
        assert done.exit_code == 2
        assert f"{address}: no scheduler answers" in done.output
        assert "Hint: start one with `dask scheduler`" in done.output
    done = CliRunner().invoke(app, ["triage", str(evidence), "--scheduler", "tcp://a:1", "--workers", "2"])
    assert done.exit_code == 2
    assert "do not go together" in done.output
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CaseError, match=r"distributed.* is not installed") as caught:
        _cluster.connect("tcp://127.0.0.1:1")
    assert "cloud-forensics[cluster]" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a server on this machine that speaks S3."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**settings, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        import fsspec

        fsspec.filesystem("s3").mkdir("cases")
        yield "s3://cases"
    server.stop()


@contextlib.contextmanager
def machine(folder: Path) -> Iterator[Path]:
    """Another machine: one that has no copy of any case yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORENSICS_CACHE", str(folder))
        yield folder


def test_a_case_in_an_object_store(bucket: str, evidence: Path, plain: dict[str, bytes], tmp_path: Path) -> None:
    import fsspec

    url = f"{bucket}/incidents/x.case"
    store = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    with machine(tmp_path / "one"):
        made = forensics.open_case(evidence, out=url, client=Fake(times=2))
        assert tree(made.path) == plain
        assert sorted(name.split("x.case/", 1)[1] for name in store.find(url)) == sorted(plain)
        assert not [name for name in store.find(bucket) if "attempts" in name]
    with machine(tmp_path / "two"):
        case = forensics.open_case(Path(url), evidence=evidence)  # as the command line has it, a slash short
        assert tree(case.path) == plain
        assert case.packets.collect().equals(made.packets.collect())
        assert case.cite(case.log_records.head(1))["raw"].to_list() == [log().split(b"\n")[0] + b"\n"]
        case.note("seen", at="2013-02-15T01:40Z")
    with machine(tmp_path / "one"):
        assert forensics.open_case(url).notes["text"].to_list() == ["seen"]
        made.note("done", at="2013-02-15T01:50Z")
        again = forensics.open_case(evidence, out=url)
        assert again.notes["text"].to_list() == ["seen", "done"]
    with machine(tmp_path / "two"):
        with pytest.raises(CaseError, match="changed the case meanwhile"):
            case.note("too late", at="2013-02-15T01:40Z")
        assert forensics.open_case(url).notes["text"].to_list() == ["seen", "done"]
    name = next(name for name in store.find(url) if "/records/" in name)
    data = store.cat_file(name)
    store.pipe_file(name, data[:-1] + bytes([data[-1] ^ 1]))
    with machine(tmp_path / "three"), pytest.raises(StoreDamagedError, match="differs from its digest"):
        forensics.open_case(url)
    store.rm(name)
    with machine(tmp_path / "four"), pytest.raises(StoreDamagedError, match="is missing"):
        forensics.open_case(url)
    assert [path.name for path in (tmp_path / "four").rglob("*") if path.is_file()] == []


def test_an_upload_that_stops_is_no_case(evidence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from forensics.store import _remote

    url = f"file://{tmp_path}/there/x.case"
    put = _remote.Remote.put
    stops = ["manifest"]

    def stopping(self, folder, names) -> None:
        names = list(names)
        if names == stops:
            raise StoppedError("no room")
        put(self, folder, names)

    monkeypatch.setattr(_remote.Remote, "put", stopping)
    with machine(tmp_path / "one"):
        with pytest.raises(StoppedError):
            forensics.open_case(evidence, out=url)
        assert (tmp_path / "there" / "x.case" / "case.json").is_file()
        with pytest.raises(CaseError, match="no finished case"):
            forensics.open_case(url)
        stops.clear()
        case = forensics.open_case(evidence, out=url)  # nothing is read again
        assert tree(tmp_path / "there" / "x.case") == tree(case.path)


def test_nothing_but_a_case_is_replaced(evidence: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.txt").write_text("all of it")
    with machine(tmp_path / "one"), pytest.raises(CaseError, match="something else"):
        forensics.open_case(evidence, out=f"file://{tmp_path}/there")
    assert (tmp_path / "there" / "thesis.txt").read_text() == "all of it"


def test_names_that_lead_out_of_a_case(tmp_path: Path, evidence: Path) -> None:
    from forensics.store import _remote

    for name in ("../x", "/etc/x", "a/../../x", "C:x", "a\\x"):
        with pytest.raises(StoreDamagedError, match="no name of a file"):
            _remote._digests(b"00  " + name.encode() + b"\n")


def test_urls_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert url_of("s3://b/x.case/") == "s3://b/x.case"
    assert url_of(Path("/s3:/b")) is None
    assert url_of("incident-0215/") is None
    monkeypatch.chdir(tmp_path)
    Path("s3:/b").mkdir(parents=True)
    assert url_of("s3://b") is None  # a folder may have any name
    with machine(Path("/cache")):
        assert place_of("s3://b/x.case").name == "x.case"
        assert place_of("s3://b/x.case") != place_of("s3://c/x.case")
    with pytest.raises(CaseError, match="no such kind of store") as caught:
        push(Path("/"), "nonsense://b/x")
    assert caught.value.hint


def test_an_object_store_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(CaseError, match="s3://b/x: not installed: fsspec") as caught:
        forensics.open_case("s3://b/x")
    assert "cloud-forensics[cluster]" in str(caught.value)
