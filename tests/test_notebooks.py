"""Every notebook is clean in the repository, and runs from a clean kernel on its case."""

import ast
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def source_cells(path: Path) -> list[nbformat.NotebookNode]:
    """The code cells of a notebook."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


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


def shown(notebook: nbformat.NotebookNode) -> list[str]:
    """The plain text of every output, in order."""
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    return [out.get("text") or out.get("data", {}).get("text/plain", "") for out in outputs]


def run(path: Path) -> nbformat.NotebookNode:
    """Run a notebook in its folder, as a reader would, with nothing imported from there."""
    notebook = nbformat.read(path, as_version=4)
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PLOTLY_RENDERER": "json"}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}})
    return client.execute(env=environment)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_and_says_the_same_twice(path: Path) -> None:
    first = run(path)
    assert shown(first) == shown(run(path))
    assert any(shown(first))
