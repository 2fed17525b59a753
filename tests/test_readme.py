"""README stays true: what it shows is run here, as a new user would."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"```(console|python)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
COMMANDS = [line[2:] for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if line[:2] == "$ "]
SCRIPTS = [text for kind, text in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty working folder with the bundled data in it."""
    place = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "data", place / "data")
    return place


def run(command: list[str], folder: Path) -> str:
    """Standard output of a command that must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout


def test_commands_do_what_readme_says(folder: Path) -> None:
    assert len(COMMANDS) >= 6
    for line in COMMANDS:
        assert run(shlex.split(line), folder).strip(), line
    assert (folder / "web-3.case/report.html").is_file()


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_python_runs_as_shown(script: str, folder: Path) -> None:
    shown = re.sub(r"^((?:case|requests|fx\.scan_dhcp)[.(].*?)(\s+#.*)?$", r"print(\1)", script, flags=re.MULTILINE)
    run([sys.executable, "-P", "-c", shown], folder)
