"""What a whole triage costs, against the size of the evidence: from a folder of captures and logs to a sealed case.

    python benchmarks/triage.py [--sizes 10 30 100 300 1000 3000 10000] [--work FOLDER] [--out FOLDER]
    python benchmarks/triage.py --sizes          # measures nothing, draws the chart of what is known

Half of each folder is one capture, half an rsyslog tree of 16 hosts. Seconds are of the command as a person runs it,
memory is what all its processes have for themselves at one time. `wc -l` over the same files is the peer: what it takes
to look at every octet once. A size that was measured before is replaced, all others are kept; what does not fit on the
disk is left out.
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
from plotly.subplots import make_subplots

from forensics.case._figure import save
from forensics.charts._theme import template
from forensics.errors import CaseError

HERE = Path(__file__).resolve().parent
RESULTS, IMAGES = HERE / "results", HERE.parent / "docs" / "images"
ROOM = 1.5
"""What evidence and its case take together on the disk, for each octet of evidence."""


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
    capture = folder / "compute01-eth0.pcap"
    capture = folder / "compute01-eth0.pcap"
    gen_pcap.write(capture, mebibytes / 2)
    _cut(capture, mebibytes << 19)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _cut(capture: Path, most: int) -> None:
    """Take off the packets beyond a size: they are written by the ten thousand."""
    at = 24
    with capture.open("r+b") as file:
        file.seek(at)
        while len(header := file.read(16)) == 16 and at + 16 <= most:
            at += 16 + int.from_bytes(header[8:12], "little")
            file.seek(at)
        file.truncate(min(at, capture.stat().st_size))


def chart(rows: list[dict[str, float]]) -> go.Figure:
    """Seconds above and memory below, against size; all axes logarithmic."""
    sizes = [row["mib"] for row in rows]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.6, 0.4], vertical_spacing=0.06)
    figure.update_layout(template=template(dark=False), title="A whole triage against the size of its evidence")
    for name, told in (("wall_s", "seconds"), ("cpu_s", "CPU seconds"), ("wc_s", "seconds of wc -l")):
        figure.add_scatter(x=sizes, y=[row[name] for row in rows], name=told, mode="lines+markers", row=1, col=1)
    last = rows[-1]
    guide = [last["cpu_s"] * size / last["mib"] for size in sizes]
    figure.add_scatter(
        x=sizes, y=guide, name="as the size", mode="lines", line={"dash": "dot", "width": 1}, row=1, col=1
    )
    memory = [row["private_mib"] for row in rows]
    figure.add_scatter(x=sizes, y=memory, name="private MiB, all processes", mode="lines+markers", row=2, col=1)
    figure.update_xaxes(type="log", dtick=1)
    figure.update_xaxes(title="MiB of captures and logs", row=2, col=1)
    figure.update_yaxes(type="log", dtick=1, title="seconds", row=1, col=1)
    figure.update_yaxes(type="log", title="MiB", range=[2, 4], dtick=1, row=2, col=1)
    return figure.update_layout(height=700, width=900)


def triaged(size: int, work: Path) -> dict[str, float]:
    """One size: the evidence is made, looked at by wc, triaged, and removed."""
    folder = Path(tempfile.mkdtemp(prefix="triage-", dir=work))
    try:
        mib = evidence(folder / "evidence", size) / 2**20
        files = [str(path) for path in sorted((folder / "evidence").rglob("*")) if path.is_file()]
        counted = measured(["wc", "-l", *files])
        command = [sys.executable, "-P", "-m", "forensics", "triage", str(folder / "evidence")]
        return {"mib": mib, **measured([*command, "--out", str(folder / "out.case")]), "wc_s": counted["wall_s"]}
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure size after size, print the table, keep figures and chart."""
    sizes = [10, 30, 100, 300, 1000, 3000, 10_000]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=sizes, help="MiB of evidence")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), help="where evidence and cases go")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where triage.json goes")
    parser.add_argument("--image", type=Path, default=IMAGES / "triage.svg", help="the chart: .svg, .png or .html")
    given = parser.parse_args()
    kept = given.out / "triage.json"
    known = json.loads(kept.read_text())["rows"] if kept.is_file() else []
    rows: dict[int, dict[str, float]] = {row["size"]: row for row in known if "size" in row}
    print("| MiB | wall s | CPU s | MiB per s | private MiB | wc -l s | : wc -l |\n" + "|---" * 7 + "|")
    for size in given.sizes:
        free = shutil.disk_usage(given.work).free / 2**20
        if free < ROOM * size:
            print(f"{size} MiB left out: {given.work} has room for {free / ROOM:.0f} MiB", file=sys.stderr)
            continue
        row = rows[size] = {"size": size, **triaged(size, given.work)}
        mib, wall_s = row["mib"], row["wall_s"]
        print(
            f"| {mib:.0f} | {wall_s:.1f} | {row['cpu_s']:.1f} | {mib / wall_s:.0f} "
            f"| {row['private_mib']:.0f} | {row['wc_s']:.2f} | {wall_s / row['wc_s']:.0f} |",
            flush=True,
        )
        told = {"machine": machine(), "rows": [rows[one] for one in sorted(rows)]}
        given.out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(told, indent=1) + "\n")
    if not rows:
        parser.error("nothing is measured yet: name sizes")
    try:
        print(save(lambda: chart([rows[one] for one in sorted(rows)]), given.image))
    except CaseError as error:  # no browser here
        print(f"no chart: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
