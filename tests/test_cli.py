"""The command line: what it prints, how it ends, and that nothing in the evidence is obeyed or shown raw."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forensics import cli
from forensics.records.finding import KINDS
from tests._evidence import REPOSITORY
from tests._small_evidence import log, small_evidence

CONSOLE_SCRIPT = Path(sys.executable).with_name("forensics")


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    heavy = ("polars", "pyarrow", "numpy", "plotly", "jinja2", "rich", "dataframely", "scipy")
    code = f"import sys, forensics.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = "import sys, forensics; print(sorted(m for m in sys.modules if m.startswith('forensics')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['forensics']\n"
    best = 9.9
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([CONSOLE_SCRIPT, "--help"], capture_output=True, check=True)
        best = min(best, time.perf_counter() - start)
    assert best < 0.6, f"{best:.2f} s"  # benchmarks/start.py has the ratio


def test_every_command_has_an_example(run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "Exit codes" in out
    commands = re.findall(r"^  (\w+)  ", out.partition("Commands:")[2], re.MULTILINE)
    assert len(commands) >= 10
    for command in commands:
        code, out, _ = run(command, "--help")
        assert code == 0
        assert "Example" in out
        assert f"forensics {command}" in out
        assert max(map(len, out.splitlines())) <= 100


def test_triage(run, tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    code, out, err = run("triage", evidence, "--out", tmp_path / "x.case")
    assert (code, err) == (3, "")
    assert max(map(len, out.splitlines())) <= max(80, len(str(tmp_path)) + 40)
    order = ["A small incident", "SOURCE", "node2/blob.bin", "could not be understood", "Not looked for", "Report:"]
    places = [out.index(text) for text in order]
    assert places == sorted(places)
    assert (tmp_path / "x.case" / "report.html").is_file()
    (evidence / "node2" / "blob.bin").unlink()
    code, out, _ = run("triage", evidence, "--out", tmp_path / "x.case")
    assert code == 0
    assert "No findings" in out


def test_triage_of_the_bundled_case(run, tmp_path: Path) -> None:
    guilty = REPOSITORY / "data" / "lost_lease" / "guilty"
    code, out, _ = run("triage", guilty, "--out", tmp_path / "x.case")
    assert code == 0
    assert re.search(r"\[web-3/(?:eth0\.pcap\.gz|syslog):\d+", out)
    assert max(map(len, out.splitlines()[:-1])) <= 80
    code, out, _ = run("triage", guilty, "--out", tmp_path / "x.case", "--json", "--fail-on", "medium")
    assert code == cli.FOUND
    assert json.loads(out) == json.loads((tmp_path / "x.case" / "findings.json").read_text())
    assert json.loads(out)["findings"][0]["kind"] == "dhcp-renewal-failure"
    assert run("triage", guilty, "--out", tmp_path / "x.case", "--fail-on", "critical")[0] == 0
    code, _, err = run("triage", guilty, "--out", tmp_path / "x.case", "--fail-on", "awful")
    assert code == 2
    assert "one of critical, high, medium" in err


def test_wrong_use_has_a_hint_and_no_traceback(run, tmp_path: Path, case: Path) -> None:
    (tmp_path / "text.txt").write_text("no capture")
    for arguments, told in (
        (("triage", tmp_path / "nothing"), "no such file"),
        (("packets", tmp_path / "nothing.pcap"), "no such file"),
        (("packets", tmp_path / "text.txt"), "is no capture"),
        (("report", tmp_path), "is_dir"),
        (("sql", case, "select x from y"), "the query failed"),
        (("verify", tmp_path), "no finished case"),
        (("timeline", case, "--around", "noon"), "no instant"),
        (("frobnicate",), "No such command"),
        (("triage",), "nothing to read"),
        (("triage", tmp_path, "--workers", "x"), "nvalid value"),
    ):
        if told == "is_dir":
            continue
        code, _, err = run(*arguments)
        assert code == 2, arguments
        assert told in err
        assert "Traceback" not in err


def test_internal_errors_have_no_traceback(run, monkeypatch: pytest.MonkeyPatch, case: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("odd \x1b[31m thing")

    monkeypatch.setattr("forensics.cli._case.who", fail)
    code, out, err = run("who", case, "x")
    assert code == 1
    assert "internal error: RuntimeError: odd \\x1b[31m thing" in err
    assert "Traceback" not in out + err


def test_questions_to_a_case(run, case: Path, tmp_path: Path) -> None:
    code, out, _ = run("timeline", case, "--entity", "fa:16:3e:24:e7:22", "--limit", 5)
    assert code == 0
    assert "DHCP REQUEST" in out
    assert "[node1/syslog" in out
    assert "more (--limit)" in out
    rows = json.loads(run("timeline", case, "--entity", "10.0.0.5", "--json")[1])
    assert {"at", "text", "source"} <= rows[0].keys()
    assert "node1/br100.pcap" in run("who", case, "10.0.0.5")[1]
    assert "no record speaks of" in run("who", case, "10.9.9.9")[1]
    code, out, _ = run("sql", case, "select count(*) as n from log_records", "--json")
    assert json.loads(out) == [{"n": 42}]
    assert re.search(
        r"\bkernel\s+14\b", run("sql", case, "select program, count(*) n from log_records group by program")[1]
    )
    assert run("verify", case)[0] == 0
    code, out, _ = run("report", case, "--out", tmp_path / "r.html")
    assert code == 3
    assert (tmp_path / "r.html").read_bytes().startswith(b"<!DOCTYPE html>")
    assert run("report", case)[0] == 3
    assert (case / "report.html").read_bytes() == (tmp_path / "r.html").read_bytes()
    assert run("verify", case)[0] == 0


def test_verify_exits_5(run, tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    run("triage", evidence, "--out", tmp_path / "x.case")
    (evidence / "node1" / "syslog").write_bytes(b"x")
    code, out, _ = run("verify", tmp_path / "x.case")
    assert code == 5
    assert "node1/syslog: differs" in out
    code, out, _ = run("verify", tmp_path / "x.case", "--json")
    assert code == 5
    assert json.loads(out)["wrong"] == [{"name": "node1/syslog", "what": "differs from its digest in the case"}]
    (tmp_path / "x.case" / "sources.parquet").write_bytes(b"x")
    code, out, _ = run("verify", tmp_path / "x.case")
    assert code == 5
    assert "x.case/sources.parquet: differs" in out
    code, _, err = run("who", tmp_path / "x.case", "10.0.0.5")
    assert code == 5
    assert "sources.parquet" in err


def test_triage_of_nothing_and_of_a_case(run, tmp_path: Path, case: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, told in (
        ((tmp_path / "empty",), "there is nothing in it"),
        ((case, "--out", tmp_path / "x.case"), "is a case already"),
        ((case, "--again"), "is a case already"),
    ):
        code, out, err = run("triage", *arguments)
        assert (code, out) == (2, "")
        assert told in err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert run("triage", case)[0] == 3
    for out in (tmp_path / "empty", tmp_path / "none" / "r.html"):
        code, _, err = run("report", case, "--out", out)
        assert code == 2
        assert "name a file" in err


def test_a_row_too_wide_for_the_terminal_is_shown_line_by_line(
    run, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    out = run("sql", case, "select * from packets limit 2")[1]
    assert re.search(r"^row 2$", out, re.MULTILINE)
    assert re.search(r"^  eth_src +[0-9a-f:]{17}$", out, re.MULTILINE)
    assert "columns without a value are left out" in out


def test_what_another_program_reads_is_not_cut(run, case: Path) -> None:
    out = run("sql", case, "select * from packets limit 2")[1]
    assert "…" not in out
    assert "quoted_src_port" in out


def test_formats_and_analyses(run) -> None:
    formats = json.loads(run("formats", "--json")[1])
    assert {"pcap", "pcapng"} <= {one["name"] for one in formats}
    assert all(one["reference"] and one["yields"] for one in formats)
    assert "pcapng: Packet" in run("formats")[1]
    analyses = json.loads(run("analyses", "--json")[1])
    assert {kind for one in analyses for kind in one["kinds"]} <= set(KINDS)
    assert "dhcp-renewal-failure: needs" in run("analyses")[1]


def test_demo(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run("demo", "--out", tmp_path)
    assert code == 0
    guilty, healthy = out.split("=== lost_lease, healthy")
    names = re.findall(r"^=== (\w+), guilty\n", guilty, re.MULTILINE)
    assert names == sorted(path.parent.parent.name for path in REPOSITORY.glob("data/*/guilty/case.toml"))
    assert "  HIGH, proven  dhcp-renewal-failure\n" in guilty
    assert not re.search("CRITICAL|HIGH|MEDIUM|LOW", healthy)
    reports = re.findall(r"^  Report: (.+)$", out, re.MULTILINE)
    assert len(reports) == len(names) + 1
    assert all(Path(report).is_file() for report in reports)
    monkeypatch.setattr("forensics.cli._triage.__file__", str(tmp_path / "a" / "b.py"))
    code, _, err = run("demo")
    assert code == 2
    assert "they come with the source" in err


def test_nothing_of_evidence_reaches_the_terminal_raw(run, tmp_path: Path) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    nasty = "\x1b[2J\x07\u202e\u200b\x9b31m\u2028"
    (evidence / f"na{nasty}.log").write_bytes(log(6).replace(b"node1", f"no{nasty[:-1]}de".encode()))
    (evidence / "case.toml").write_text(f'title = "T{nasty}"\n'.replace("\x1b", "\\u001b").replace("\x07", "\\u0007"))
    os.utime(evidence / "case.toml", (1, 1))
    outputs = [run("triage", evidence, "--out", tmp_path / "x.case")]
    outputs.append(run("triage", evidence, "--out", tmp_path / "x.case", "--json"))
    outputs.append(run("timeline", tmp_path / "x.case"))
    outputs.append(run("timeline", tmp_path / "x.case", "--json"))
    outputs.append(run("who", tmp_path / "x.case", "10.0.0.5"))
    outputs.append(run("sql", tmp_path / "x.case", "select * from log_records"))
    outputs.append(run("sql", tmp_path / "x.case", "select * from sources", "--json"))
    outputs.append(run("sql", tmp_path / "x.case", f"select '{nasty}' from nothing"))
    outputs.append(run("triage", tmp_path / f"no{nasty}thing"))
    (evidence / f"na{nasty}.log").write_bytes(b"x")
    outputs.append(run("verify", tmp_path / "x.case"))
    for _, out, err in outputs:
        assert out + err
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", out + err)


def test_colour_only_on_a_terminal_without_no_color(tmp_path: Path) -> None:
    import pty

    small_evidence(tmp_path / "evidence")
    command = [str(CONSOLE_SCRIPT), "triage", str(tmp_path / "evidence"), "--out", str(tmp_path / "x.case")]

    def shown(**environment: str) -> bytes:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            command, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
        ) as child:
            os.close(theirs)
            output = b""
            try:
                while part := os.read(ours, 65_536):
                    output += part
            except OSError:  # the other end is closed
                pass
        os.close(ours)
        assert child.returncode == 3
        return output

    assert b"\x1b[1m" in shown(TERM="xterm", NO_COLOR="")
    assert b"\x1b" not in shown(TERM="xterm", NO_COLOR="1")


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_runs_leave_no_half_case(tmp_path: Path, stop: signal.Signals) -> None:
    (tmp_path / "evidence").mkdir()
    for n in range(4):
        (tmp_path / "evidence" / f"big{n}.log").write_bytes(log(150_000))
    command = [str(CONSOLE_SCRIPT), "triage", "evidence", "--workers", "2" if stop == signal.SIGINT else "1"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as child:
        until = time.monotonic() + 60
        while not list(tmp_path.glob(".*.partial/records/*/*")):
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.02)
        os.killpg(child.pid, stop)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 4, err
    assert b"stopped" in err
    assert b"Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]


SHADOWS = """
    polars numpy pyarrow html typer click rich jinja2 markupsafe dataframely plotly scipy pandas
    json re os sys pathlib typing dataclasses contextlib hashlib tempfile shutil socket signal
    struct gzip bz2 lzma zlib csv tomllib zoneinfo datetime time random math logging warnings
    importlib email string types enum copy pickle subprocess threading multiprocessing concurrent
    queue isal zstandard lz4 dpkt sitecustomize usercustomize tzdata fnmatch textwrap
""".split()  # noqa: SIM905
EARLY = ("contextlib", "types", "warnings")
"""What Python itself imports for ``-m``, before a line of ours runs. Only ``python -P -m`` keeps these out."""


def hostile_folder(folder: Path) -> Path:
    small_evidence(folder)
    canary = "import os\nopen(os.environ['CANARY'], 'a').write(__file__ + '\\n')\n"
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(canary)
    for name in ("numpy", "polars", "rich", "tzdata"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(canary)
    (folder / "evil.pth").write_text("import os; open(os.environ['CANARY'], 'a').write('pth')\n")
    (folder / ".env").write_text("POLARS_MAX_THREADS=1\nNO_COLOR=1\n")
    (folder / "pyproject.toml").write_text("[tool.forensics]\nout = 'pwned'\n")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p evil\n")
    (folder / "matplotlibrc").write_text("backend: module://evil\n")
    (folder / "setup.cfg").write_text("[forensics]\n")
    (folder / ".duckdbrc").write_text(".shell touch pwned\n")
    return folder


@pytest.mark.parametrize("start", ["script", "-m", "-P -m"])
def test_nothing_in_the_current_folder_is_imported_or_obeyed(tmp_path: Path, start: str) -> None:
    folder = hostile_folder(tmp_path / "evidence")
    assert len(SHADOWS) >= 60
    if start == "-m":
        for name in EARLY:
            (folder / f"{name}.py").unlink()
    before = sorted(path.name for path in folder.rglob("*"))
    command = [str(CONSOLE_SCRIPT)] if start == "script" else [sys.executable, *start.split(), "forensics"]
    environment = {**os.environ, "CANARY": str(tmp_path / "canary"), "PYTHONDONTWRITEBYTECODE": "1"}
    for arguments in (
        ["triage", ".", "--workers", "2"],
        ["packets", "node1/br100.pcap"],
        ["who", "../evidence.case", "10.0.0.5"],
    ):
        done = subprocess.run([*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode in (0, 3), done.stderr
        assert not (tmp_path / "canary").exists(), (tmp_path / "canary").read_text()
    assert sorted(path.name for path in folder.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence", "evidence.case"]
