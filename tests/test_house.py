"""The house keeps its own rules: files, names, dependencies, what the code may not do."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = sorted((ROOT / "forensics").rglob("*.py"))
CONDA = {"tzdata": "python-tzdata", "kaleido": "python-kaleido"}


def tracked() -> list[Path]:
    """Files of the project: what git knows, or the whole tree where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.splitlines() if listed.returncode == 0 else []
    found = [ROOT / name for name in names] or [p for p in ROOT.rglob("*") if ".venv" not in p.parts]
    return [path for path in found if path.is_file()]


def short(path: Path) -> str:
    """Name of a file for a test's id."""
    return path.relative_to(ROOT).as_posix()


def test_top_level_holds_what_a_visitor_expects() -> None:
    files = "pyproject.toml environment.yml Makefile README.md CHANGELOG.md LICENSE .ci"
    folders = "forensics notebooks data tests benchmarks docs"
    assert [name for name in f"{files} {folders}".split() if not (ROOT / name).exists()] == []


def test_conda_gets_what_pip_gets() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["notebook"], *extras["charts"]]
    named = {re.sub(r"^[\w.-]+", lambda m: CONDA.get(m[0], m[0]), line) for line in wanted}
    listed = set(re.findall(r"^  - (\S+)$", (ROOT / "environment.yml").read_text(), re.MULTILINE))
    assert listed == named | {"python" + project["requires-python"], "pip", "conda-forge"}


def plain(name: str) -> str:
    """A distribution's name in the form that all spellings of it share."""
    return name.lower().replace("_", "-")


def test_lock_pins_every_dependency_with_hashes_and_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        m.lower().replace("_", "-") for m in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", text, re.MULTILINE)
    }
    wanted = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in wanted}  # type: ignore[index]
    assert names - pinned == set()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [entry.split("\n")[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("path", PACKAGE, ids=short)
def test_no_file_grows_beyond_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", PACKAGE, ids=short)
def test_every_module_opens_with_one_sentence(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text()))
    assert said
    assert said.splitlines()[0].rstrip().endswith((".", "?", ":"))


FORBIDDEN_CALLS = {"eval", "exec", "compile_command", "breakpoint"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "mmap", "tarfile", "zipfile", "pandas"}
FORBIDDEN_ATTRIBUTES = {"unpack_archive", "extractall", "map_elements", "iterrows", "utcnow", "utcfromtimestamp"}


def offences(path: Path) -> list[str]:
    """Uses of what evidence could turn against its reader, or of what would lose or bend it."""
    found = []
    inside = path.relative_to(ROOT / "forensics").as_posix()
    for node in ast.walk(ast.parse(path.read_text())):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{line}: imports {n}" for n in names if n.split(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if isinstance(node.func, ast.Name) and name in FORBIDDEN_CALLS:
                found.append(f"{line}: calls {name}")
            if isinstance(node.func, ast.Attribute) and name in FORBIDDEN_ATTRIBUTES:
                found.append(f"{line}: calls {name}")
            if any(k.arg == "shell" and getattr(k.value, "value", None) is True for k in node.keywords):
                found.append(f"{line}: shell=True")
            if name == "Environment" and not any(k.arg == "autoescape" for k in node.keywords):
                found.append(f"{line}: jinja2 without autoescape")
            if name == "Markup" and inside != "escape.py":
                found.append(f"{line}: Markup outside escape.py")
            if isinstance(node.func, ast.Name) and name == "open":
                found.append(f"{line}: open() outside evidence and store")
        if isinstance(node, ast.ExceptHandler) and len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
            broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            found += [f"{line}: swallows every error"] if broad else []
    return found


@pytest.mark.parametrize("path", PACKAGE, ids=short)
def test_evidence_is_never_interpreted(path: Path) -> None:
    assert offences(path) == []


def test_the_gate_sees_what_it_forbids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    bad = tmp_path / "forensics" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("import pickle\neval('1')\ntry:\n    x = open('f')\nexcept Exception:\n    pass\nMarkup('x')\n")
    assert len(offences(bad)) == 5


def test_one_question_has_one_stem() -> None:
    analyses = [p.stem for p in (ROOT / "forensics/analysis").glob("[!_]*.py")]
    assert analyses
    missing = [stem for stem in analyses if not (ROOT / f"tests/analysis/test_{stem}.py").exists()]
    assert missing == []


def test_the_project_speaks_of_itself_alone() -> None:
    private = re.compile(rb"/root/|/home/\w+/|\bissue #?\d", re.IGNORECASE)
    told = []
    for path in tracked():
        if path.suffix in {".gz", ".pcap", ".pcapng", ".png", ".zst", ".xz"} or path == Path(__file__).resolve():
            continue
        told += [f"{short(path)}: {hit[0]!r}" for hit in private.finditer(path.read_bytes())]
    assert told == []


def test_readme_names_only_what_exists() -> None:
    text = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make ([a-z-]+)", text)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"README names `make {target}`"
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("http") or (ROOT / link).exists(), f"README links to {link}"


def test_the_pages_name_only_what_exists() -> None:
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text()
        for name in re.findall(r"`((?:tests|forensics|notebooks|data|benchmarks)/[\w./*-]+)`", text):
            assert "NAME" in name or list(ROOT.glob(name)) or list(ROOT.glob(name + ".py")), f"{page.name} names {name}"
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page.name} links to {link}"
