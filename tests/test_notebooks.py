"""The notebooks run from top to bottom, and their widgets finish with a result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from tests.e2e.lab import CLEAN

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelManager]:
    """One for all: importing torch takes as long as some notebooks do."""
    manager = KernelManager()
    manager.start_kernel(cwd=str(tmp_path_factory.mktemp("notebooks")))
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, kernel: KernelManager) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(CLEAN))
    NotebookClient(notebook, timeout=120, km=kernel).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [
        output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})
    ]
    assert sum("headscope-data" in text for text in shown) >= 3
    assert "widgets" not in notebook.metadata, "no state that only a kernel could use"


def test_notebooks_are_committed_without_outputs() -> None:
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs")
