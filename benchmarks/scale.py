"""Reading files with the workers of a dask cluster, beside plain processes of the standard library.

    python benchmarks/scale.py [--mib 24] [--files 8] [--rounds 5]

The same files, half captures and half logs, are read into Parquet by one process, by two of a
``ProcessPoolExecutor`` and by two workers of dask.distributed, one thread each; they take turns. All are started, and
have read one file, before the clock runs. What counts is the ratio of the two speed-ups, which is that of the two
times; on a machine that is busy, the processor seconds that each way takes, scheduler and client included, tell more.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

os.environ["POLARS_MAX_THREADS"] = "1"  # before anything imports it, here and in the workers
os.environ["DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"] = "False"  # it looks at each worker every ten milliseconds

from forensics.case._cluster import Cluster
from forensics.case._load import Job, load_one
from forensics.case._pool import load_all
from forensics.evidence import walk
from forensics.loaders._reader import Origin

HERE = Path(__file__).resolve().parent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--mib", type=int, default=24, help="size of each file")
    options.add_argument("--files", type=int, default=8)
    options.add_argument("--rounds", type=int, default=5)
    asked = options.parse_args()
    import psutil
    from distributed import Client, LocalCluster

    def spent() -> float:
        own = psutil.Process()
        every = [own.cpu_times(), *(child.cpu_times() for child in own.children(recursive=True))]
        return sum(times.user + times.system for times in every)

    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        folder = Path(name)
        jobs = evidence(folder / "evidence", asked.mib, asked.files)
        with (
            ProcessPoolExecutor(1, context) as one,
            ProcessPoolExecutor(2, context) as two,
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            ways: dict[str, Callable[[Sequence[Job], Path], object]] = {
                "one process": lambda given, out: plain(one, given, out),
                "two processes": lambda given, out: plain(two, given, out),
                "two dask workers": lambda given, out: Cluster(client, out).load_all(given),
            }
            load_all([replace(jobs[0], folder=fresh(folder / "out"))], 1)
            for way in ways.values():
                way(jobs[:2], fresh(folder / "out"))
            walls: dict[str, list[float]] = {label: [] for label in ways}
            cpu: dict[str, list[float]] = {label: [] for label in ways}
            print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            for _ in range(asked.rounds):
                for label, way in ways.items():
                    out = fresh(folder / "out")
                    started, before = time.perf_counter(), spent()
                    way(jobs, out)
                    walls[label].append(time.perf_counter() - started)
                    cpu[label].append(spent() - before)
                    print(f"  {label:18} {walls[label][-1]:6.2f} s, {cpu[label][-1]:6.2f} s of processors", flush=True)
            print(f"load after: {os.getloadavg()[0]:.1f}")
    medians = {label: median(times) for label, times in walls.items()}
    for label, times in walls.items():
        turns = " ".join(f"{wall:.1f}" for wall in times)
        faster = medians["one process"] / medians[label]
        busy = median(cpu[label])
        print(f"{label:18} {medians[label]:6.2f} s  {busy:6.2f} s of processors  speed-up {faster:.2f}  ({turns})")
    pairs = zip(walls["two processes"], walls["two dask workers"], strict=True)
    print(f"dask : processes, ratio of medians {medians['two processes'] / medians['two dask workers']:.2f}")
    print(f"processor seconds, processes : dask {median(cpu['two processes']) / median(cpu['two dask workers']):.2f}")
    print(f"dask : processes, median of the rounds' ratios {median(plain / dask for plain, dask in pairs):.2f}")


def evidence(folder: Path, mib: int, files: int) -> list[Job]:
    """Half captures and half logs, the same octets each time."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    for number in range(files // 2):
        command = [sys.executable, "gen_pcap.py", str(folder / f"{number}.pcap"), str(mib), str(number)]
        subprocess.run(command, cwd=HERE, env=environment, check=True, stdout=subprocess.DEVNULL)
    logs = folder.with_name("logs")
    command = [sys.executable, "gen_logs.py", str(logs), str(mib * (files - files // 2))]
    subprocess.run(command, cwd=HERE, env=environment, check=True, stdout=subprocess.DEVNULL)
    for number, path in enumerate(sorted(path for path in logs.rglob("*") if path.is_file())):
        path.rename(folder / f"{number}-{path.name}")
    found = list(walk(folder))
    return [
        Job(number, file, Origin(source=file.source, host=None, modified_ns=file.modified_ns), folder)
        for number, file in enumerate(found, 1)
    ]


def plain(pool: ProcessPoolExecutor, jobs: Sequence[Job], out: Path) -> None:
    """What anybody would write: the longest first, one task a file."""
    given = sorted(jobs, key=lambda job: -job.file.size_bytes)
    for future in [pool.submit(load_one, replace(job, folder=out)) for job in given]:
        future.result()


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
