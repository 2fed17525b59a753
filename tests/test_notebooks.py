"""Every notebook is clean in the repository, and runs from a clean kernel on its case."""

import ast
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests._slow import SLOW

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def source_cells(path: Path) -> list[nbformat.NotebookNode]:
    """The code cells of a notebook."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def parameters(path: Path) -> dict[str, object]:
    """What the first code cell sets; a notebook sets plain values there and nothing else."""
    body = ast.parse(source_cells(path)[0].source).body
    assert all(isinstance(step, ast.Assign) and isinstance(step.targets[0], ast.Name) for step in body)
    return {step.targets[0].id: ast.literal_eval(step.value) for step in body}


def test_there_are_notebooks() -> None:
    assert {"start_here", "adhoc_pcap", "incident_chart"} <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_committed_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    code = source_cells(path)
    assert "parameters" in code[0].metadata.get("tags", [])
    assert [cell.outputs for cell in code if cell.outputs] == []
    assert [cell.execution_count for cell in code if cell.execution_count is not None] == []
    for cell in code:
        defined = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.AsyncFunctionDef)
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, defined)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_has_a_case_of_its_own(path: Path) -> None:
    told = parameters(path)
    assert (path.parent / str(told["evidence"])).is_dir()
    assert told["out"] == f"{path.stem}.case"  # two notebooks would write one case over and over
    assert any("fx.open_case(evidence, out=out)" in cell.source for cell in source_cells(path)[1:])


def test_start_here_leads_to_every_other_notebook() -> None:
    text = (ROOT / "notebooks" / "start_here.ipynb").read_text()
    assert [path.stem for path in NOTEBOOKS if f"({path.name})" not in text] == ["start_here"]


def shown(notebook: nbformat.NotebookNode) -> list[str]:
    """The plain text of every output, in order; the bar that shows how reading gets on has none."""
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    texts = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in outputs]
    return [text for text in texts if text]


def run(path: Path, folder: Path, seed: int) -> nbformat.NotebookNode:
    """Run a notebook in a folder, as a reader would, with nothing imported from there."""
    notebook = nbformat.read(path, as_version=4)
    environment = {
        **os.environ,
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": str(seed),
        "PLOTLY_RENDERER": "json",
    }
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}})
    return client.execute(env=environment)


AGAIN = {"start_here", "adhoc_pcap"}
"""Notebooks that are run a second time; all of them with ``FORENSICS_SLOW=1``."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_says_the_same_of_fresh_evidence_and_of_the_case_that_is_there(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (tmp_path / "data").symlink_to(ROOT / "data")
    first = shown(run(path, folder, seed=1))
    case = folder / f"{path.stem}.case"
    made = case.joinpath("case.json").stat()
    assert any(first)
    if path.stem in AGAIN or SLOW:
        assert first == shown(run(path, folder, seed=2))
    assert case.joinpath("case.json").stat().st_ino == made.st_ino  # opened, not made again
    assert [one.name for one in folder.iterdir()] == [case.name]
