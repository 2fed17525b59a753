"""What is published: a source distribution that builds, a wheel with nothing too much, and that it works installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CASE = ROOT / "data" / "bpdu_cutoff" / "guilty"
SUFFIXES = {".py", ".c", ".h", ".so", ".html", ".css", ".svg", ".typed"}
pytestmark = [
    pytest.mark.xdist_group("distribution"),
    pytest.mark.skipif(sys.platform == "win32", reason="builds with a Unix compiler"),
]


def run(*command: object, cwd: Path, code: int = 0, **environment: str) -> str:
    """What a program says, without what points Python to this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FORENSICS_"))}
    ran = subprocess.run(
        [*map(str, command)], cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == code, ran.stdout[-2000:] + ran.stderr[-4000:]
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel made of it; built as they are in a checkout, without a network."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "requirements.lock"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "forensics", tree / "forensics", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (tree / "forensics" / "kernels" / "_compiled.cp310-win_arm64.so").write_bytes(b"of another machine")
    (tree / "tests").mkdir()
    (tree / "tests" / "test_x.py").touch()
    run(sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir", tree / "out", tree, cwd=tree)
    (sdist,), (wheel,) = (tree / "out").glob("*.tar.gz"), (tree / "out").glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def built_without_a_compiler(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made of the source distribution where there is no compiler."""
    folder = tmp_path_factory.mktemp("pure")
    with tarfile.open(built[0]) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    run(sys.executable, "-P", "-m", "build", "--no-isolation", "--wheel", source, cwd=folder, CC="false")
    return next((source / "dist").glob("*.whl"))


def installed(wheel: Path, folder: Path) -> Path:
    """Install a wheel into an environment of its own, which sees the libraries of this one; returns its programs."""
    venv.create(folder, with_pip=False, symlinks=True)
    (own,) = folder.glob("lib/python*/site-packages")
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--no-deps", "--no-index",
        "--disable-pip-version-check", wheel, cwd=folder)  # fmt: skip
    (own / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "bin"


def sources(sdist: Path) -> set[str]:
    """The modules of the tree that a distribution was built from."""
    tree = sdist.parents[1]
    return {path.relative_to(tree).as_posix() for path in (tree / "forensics").rglob("*.py")}


def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))).decode()


def test_the_wheel_holds_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    inside = contents(built[1])
    package = {name for name in inside if ".dist-info/" not in name}
    assert all(name.startswith("forensics/") for name in package), package
    assert {Path(name).suffix for name in package} <= SUFFIXES
    expected = sources(built[0]) | {f"forensics/report/templates/report.{kind}" for kind in ("html", "css")}
    assert expected | {"forensics/py.typed"} <= package
    libraries = [name for name in package if name.endswith(".so")]
    assert libraries in ([], ["forensics/kernels/_compiled.abi3.so"]), "made here, for any Python from 3.11 on"
    tag = built[1].stem.split("-", 2)[2]
    assert tag.startswith("cp311-abi3-")
    assert f"Tag: {tag}" in metadata(built[1], "WHEEL").splitlines()


def test_the_wheel_asks_for_what_the_lock_pins(built: tuple[Path, Path]) -> None:
    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    needed = re.findall(r"^Requires-Dist: ([\w.-]+)[^;\n]*(?:; (.*))?$", metadata(built[1], "METADATA"), re.MULTILINE)
    lock = (ROOT / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==(\S+)", lock, re.MULTILINE))
    assert {canonical(name) for name, _ in needed} <= set(map(canonical, pinned))
    blocks = re.split(r"\n(?=\S)", lock.strip())
    assert all("--hash=sha256:" in block for block in blocks if "==" in block), "every pin has its digest"
    assert "Requires-Python: >=3.11" in metadata(built[1], "METADATA")


def test_the_source_distribution_has_what_a_build_needs(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "requirements.lock", "forensics/py.typed"}
    needed |= {f"forensics/kernels/{path.name}" for path in (ROOT / "forensics" / "kernels").glob("*.[ch]")}
    needed |= sources(built[0])
    assert needed <= names
    assert not [name for name in names if name.startswith(("tests", "data")) or name.endswith((".so", ".pyc"))]


@pytest.fixture(scope="module")
def programs(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed wheel."""
    return installed(built[1], tmp_path_factory.mktemp("installed") / "venv")


def test_an_installed_wheel_says_what_it_is(built: tuple[Path, Path], programs: Path, tmp_path: Path) -> None:
    version = metadata(built[1], "METADATA").split("\nVersion: ")[1].split("\n")[0]
    assert version in run(programs / "forensics", "--version", cwd=tmp_path)
    said = run(programs / "forensics", "demo", cwd=tmp_path, code=2)
    assert str(programs.parent) in said, "it is not the checkout that speaks"
    assert "run it from a checkout" in said
    assert "Traceback" not in said


def triage(programs: Path, folder: Path, **environment: str) -> tuple[str, str]:
    """What an installed package makes of a bundled case: what it says, and the report."""
    case = folder / "x.case"
    said = run(programs / "forensics", "triage", CASE, "--out", case, "--json", cwd=folder, **environment)
    return said, (case / "report.html").read_text()


ELSEWHERE = """
import os, sys
from pathlib import Path
for name in ("pread", "readv", "preadv", "geteuid", "getuid", "sysconf", "sched_getaffinity", "link", "fchmod",
             "O_NOATIME", "O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "O_CLOEXEC", "sync", "getloadavg"):
    if hasattr(os, name):
        delattr(os, name)
for module in ("fcntl", "resource", "pwd", "grp", "termios", "tty"):
    sys.modules[module] = None
for known in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks, os.supports_effective_ids):
    known.clear()
reading = Path.read_bytes
def read_bytes(path):
    if path.as_posix().startswith("/proc/"):
        raise FileNotFoundError(path)
    return reading(path)
Path.read_bytes = read_bytes
Path(os.environ["WITNESS"]).touch()
"""
"""What other systems lack, taken away from every Python process that starts."""


def test_an_installed_wheel_triages_a_bundled_case_where_there_is_no_posix(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(ELSEWHERE)
    witness = tmp_path / "witness"
    said, report = triage(programs, tmp_path, PYTHONPATH=str(tmp_path), WITNESS=str(witness))
    assert witness.exists()
    assert [finding["kind"] for finding in json.loads(said)["findings"]][:1] == ["bpdu-guard-cutoff"]
    assert "access time" in report, "it cannot be kept there, and that is told"


@pytest.fixture(scope="module")
def pure_programs(built_without_a_compiler: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(built_without_a_compiler, tmp_path_factory.mktemp("pure") / "venv")


def test_without_a_compiler_the_install_succeeds(built_without_a_compiler: Path, pure_programs: Path) -> None:
    """There is no library then. The tag still names this platform: setuptools decides on it before it compiles."""
    wheel = built_without_a_compiler
    assert not [name for name in contents(wheel) if name.endswith(".so")]
    assert wheel.stem.split("-", 2)[2].startswith("cp311-abi3-")
    asked = "from forensics.kernels import engine; print(engine())"
    assert run(pure_programs / "python", "-c", asked, cwd=wheel.parent).strip() == "reference"
    said = run(pure_programs / "python", "-c", asked, cwd=wheel.parent, code=1, FORENSICS_ENGINE="compiled")
    assert "the compiled engine is not installed" in said


@pytest.mark.slow
def test_without_a_compiler_the_report_is_the_same(pure_programs: Path, programs: Path, tmp_path: Path) -> None:
    (tmp_path / "pure").mkdir()
    assert triage(pure_programs, tmp_path / "pure") == triage(programs, tmp_path)
