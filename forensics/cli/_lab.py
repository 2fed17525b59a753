"""Commands that turn a case into a notebook, and open it where nothing that lies about is obeyed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from forensics import report as pages
from forensics.case import Case
from forensics.cli import _show as show
from forensics.cli._case import _opened
from forensics.cli._triage import has_gaps
from forensics.errors import CaseError

_GAPS = 3
_OPTIONS = (
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.allow_remote_access=False",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=None",
    "--LabApp.extension_manager=readonly",
)
"""Heard on this computer alone; asks nobody on the network. The token is Jupyter's own, a new one each time."""


def notebook(path: Path, out: Path | None, *, as_json: bool) -> int:
    """Write the post-mortem notebook of a case."""
    case = _opened(path)
    target = _target(case, out)
    data = _made(case, target)
    if target.exists() and target.read_bytes() != data:
        hint = "it may have been edited: move it away, or give another --out"
        raise CaseError("there is a notebook already", where=str(target), hint=hint)
    target.write_bytes(data)
    show.made("notebook", target, machine=as_json)
    return _GAPS if has_gaps(case) else 0


def lab(path: Path, out: Path | None, *, browser: bool, as_json: bool) -> int:
    """Open the post-mortem notebook of a case in JupyterLab; write it first where there is none yet."""
    if find_spec("jupyterlab") is None:
        hint = "pip install 'cloud-forensics[notebook]'; forensics report CASE --notebook needs no JupyterLab"
        raise CaseError("JupyterLab is not installed", hint=hint)
    case = _opened(path)
    target = _target(case, out)
    if not target.exists():
        target.write_bytes(_made(case, target))
    show.made("notebook", target, machine=as_json)
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="forensics-lab-") as empty:
        return _served(command(target, browser=browser), Path(empty))


def command(target: Path, *, browser: bool) -> list[str]:
    """How JupyterLab is started on a notebook."""
    asked = [] if browser else ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        asked.append("--allow-root")  # who works as root on evidence is not to be sent away in the middle of it
    whole = target.resolve()
    place = [f"--ServerApp.root_dir={whole.parent}", f"--LabApp.default_url=/lab/tree/{quote(os.fsencode(whole.name))}"]
    return [sys.executable, "-P", "-m", "jupyterlab", *_OPTIONS, *place, *asked]


def _served(words: list[str], empty: Path) -> int:
    """Run it until it ends, in an empty folder: Jupyter obeys what it finds where it is started.

    Kernels inherit PYTHONSAFEPATH: they import nothing from the folder that the notebook lies in.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PWD": str(empty)}
    with subprocess.Popen(words, cwd=empty, env=environment) as server:  # noqa: S603 - no shell, no evidence in it
        before = signal.signal(signal.SIGINT, lambda *_: None)  # Jupyter hears Ctrl-C too, and asks
        try:
            return server.wait() and 1
        finally:
            signal.signal(signal.SIGINT, before)
            if server.poll() is None:
                server.terminate()


def _target(case: Case, out: Path | None) -> Path:
    target = out or case.path.with_name(f"{case.path.name.removesuffix('.case')}.ipynb")
    if target.resolve().is_relative_to(case.path.resolve()):
        raise CaseError("the notebook would lie inside the case", where=str(target), hint="leave --out away")
    if target.suffix != ".ipynb" or target.is_dir() or not target.parent.is_dir():
        hint = "name a file, such as incident.ipynb, in a folder that exists"
        raise CaseError("no place for a notebook", where=str(target), hint=hint)
    return target


def _made(case: Case, target: Path) -> bytes:
    where = os.path.relpath(case.path.resolve(), target.parent.resolve())
    return pages.notebook(case.content, case.rows, where)
