"""What a whole triage costs, against the size of the evidence: from a folder of captures and logs to a sealed case.

    python benchmarks/triage.py [--sizes 10 30 100 300 1000 2000] [--out FOLDER]

Half of each folder is one capture, half an rsyslog tree of 16 hosts. Seconds are of the command as a person runs it,
memory is what all its processes have for themselves at one time. `wc -l` over the same files is the peer: what it takes
to look at every octet once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import gen_logs
import gen_pcap
import plotly.graph_objects as go
from _measure import machine

from forensics.charts._theme import template

RESULTS = Path(__file__).resolve().parent / "results"


def measured(argv: list[str]) -> dict[str, float]:
    """One run of a command and all its processes: wall and CPU seconds, peak private MiB."""
    peak, ended = [0.0], threading.Event()
    started = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended))
    watcher.start()
    _, _, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    ended.set()
    watcher.join()
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "private_mib": peak[0]}


def _watch(session: int, peak: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.05):
        total = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(folder.name)) == session:
                    status = (folder / "status").read_text()
                    total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))
            except OSError:
                continue
        peak[0] = max(peak[0], total / 1024)


def evidence(folder: Path, mebibytes: int) -> int:
    """Write the evidence; its size in octets."""
    gen_logs.write(folder, max(mebibytes // 2, 1))
    gen_pcap.write(folder / "compute01-eth0.pcap", max(mebibytes / 2, 1))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def chart(rows: list[dict[str, float]]) -> go.Figure:
    """Seconds and memory against size, both axes logarithmic."""
    sizes = [row["mib"] for row in rows]
    figure = go.Figure(layout={"template": template(dark=False)})
    for name, unit in (("wall_s", "seconds"), ("cpu_s", "CPU seconds"), ("wc_s", "seconds of wc -l")):
        figure.add_scatter(x=sizes, y=[row[name] for row in rows], name=unit, mode="lines+markers")
    figure.add_scatter(
        x=sizes, y=[row["private_mib"] for row in rows], name="private MiB", mode="lines+markers", yaxis="y2"
    )
    figure.update_layout(
        title="A whole triage against the size of its evidence",
        xaxis={"type": "log", "title": "MiB of captures and logs"},
        yaxis={"type": "log", "title": "seconds"},
        yaxis2={"type": "log", "title": "private MiB", "overlaying": "y", "side": "right"},
    )
    return figure


def main() -> None:
    """Measure size after size, print the table, keep figures and chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 30, 100, 300, 1000, 2000], help="MiB of evidence")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where triage.json and triage.html go")
    given = parser.parse_args()
    told = machine()
    rows = []
    print("| MiB | wall s | CPU s | MiB per s | private MiB | wc -l s | : wc -l |\n" + "|---" * 7 + "|")
    for size in given.sizes:
        folder = Path(tempfile.mkdtemp(prefix="triage-"))
        try:
            mib = evidence(folder / "evidence", size) / 2**20
            files = [str(path) for path in sorted((folder / "evidence").rglob("*")) if path.is_file()]
            counted = measured(["wc", "-l", *files])
            command = [sys.executable, "-P", "-m", "forensics", "triage", str(folder / "evidence")]
            row = {"mib": mib, **measured([*command, "--out", str(folder / "out.case")]), "wc_s": counted["wall_s"]}
        finally:
            shutil.rmtree(folder)
        rows.append(row)
        ratio = row["wall_s"] / row["wc_s"]
        print(
            f"| {mib:.0f} | {row['wall_s']:.1f} | {row['cpu_s']:.1f} | {mib / row['wall_s']:.0f} "
            f"| {row['private_mib']:.0f} | {row['wc_s']:.2f} | {ratio:.0f} |",
            flush=True,
        )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "triage.json").write_text(json.dumps({"machine": told, "rows": rows}, indent=1) + "\n")
    chart(rows).write_html(given.out / "triage.html", include_plotlyjs=True)
    print(f"figures and chart: {given.out}")


if __name__ == "__main__":
    main()
