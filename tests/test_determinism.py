"""The same evidence gives the same bytes, whatever the machine, the folder and the order of work (R11)."""

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests._evidence import REPOSITORY
from tests._small_evidence import small_evidence


def tree_hash(store: Path) -> str:
    """Of all files of a case but the hint where the evidence lay."""
    files = sorted(path for path in store.rglob("*") if path.is_file() and path.name != "evidence.path")
    lines = [f"{path.relative_to(store).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
    assert {"manifest", "findings.json", "report.html", "sources.parquet"} <= {path.name for path in files}
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def copied(model: Path, folder: Path, seed: int) -> Path:
    """A copy of the evidence, its files made in an order of its own."""
    names = sorted(path.relative_to(model) for path in model.rglob("*") if path.is_file())
    random.Random(seed).shuffle(names)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(model / name, folder / name)
    return folder


RUN = """
import json, os, sys, time
import forensics.cli
codes = []
for names, zone, umask, workers in json.loads(sys.argv[1]):
    evidence, case, place = (os.fsdecode(name.encode()) for name in names)
    os.environ["TZ"] = zone
    time.tzset()
    os.umask(umask)
    os.chdir(place)
    sys.argv = ["forensics", "triage", evidence, "--out", case, "--workers", str(workers)]
    codes.append(forensics.cli.main())
print(json.dumps(codes))
"""


def test_one_tree_hash(tmp_path: Path) -> None:
    model = small_evidence(tmp_path / "model")
    for path in (REPOSITORY / "data" / "lost_lease" / "guilty").glob("*/*"):
        place = model / path.parent.name / path.name
        place.parent.mkdir(exist_ok=True)
        data = path.read_bytes()
        # the first part of each capture is enough, and its cut end makes a gap
        place.write_bytes(gzip.decompress(data)[:150_000] if path.match("*.pcap.gz") else data)
        shutil.copystat(path, place)
    processes = [  # threads, locale, hash seed, flags
        ("1", "C", "0", []),
        ("2", "tr_TR.UTF-8", "1", ["-O"]),
        ("8", "de_DE.UTF-8", "4242", []),
        ("1", "POSIX", "random", ["-X", "utf8=0"]),
        ("8", "C.UTF-8", "77", ["-OO"]),
        ("2", "C", "5", ["-X", "utf8=0"]),
    ]
    runs = [("UTC", 0o022, 1), ("America/Edmonton", 0o077, 1), ("Asia/Kolkata", 0o002, 1), ("Pacific/Apia", 0o027, 2)]
    assert len(processes) * len(runs) >= 24

    def run(number: int) -> list[str]:
        threads, locale, seed, flags = processes[number]
        jobs = []
        for count, (zone, umask, workers) in enumerate(runs):
            if workers > 1 and number % 2:  # a pool takes its time to start
                workers = 0
            place = tmp_path / f"run [{number}] \u00e4" / ("deep/" * count)
            place.mkdir(parents=True)
            folder = copied(model, tmp_path / f"evidence-{number}-{count}", number * 10 + count) if count else model
            jobs.append([[str(folder), str(place / f"case-{count}"), str(place)], zone, umask, workers])
        environment = {**os.environ, "POLARS_MAX_THREADS": threads, "LC_ALL": locale, "PYTHONHASHSEED": seed}
        environment |= {"COLUMNS": str(40 + number), "HOME": str(tmp_path)}
        command = [sys.executable, *flags, "-c", RUN, json.dumps(jobs)]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == [3] * len(runs), done.stderr  # not all is understood
        for job in jobs:
            data = b"".join(path.read_bytes() for path in Path(job[0][1]).rglob("*") if path.is_file())
            assert str(tmp_path).encode() not in data
        return [tree_hash(Path(job[0][1])) for job in jobs]

    with ThreadPoolExecutor(2) as pool:
        hashes = list(pool.map(run, range(len(processes))))
    assert len({one for own in hashes for one in own}) == 1, hashes
