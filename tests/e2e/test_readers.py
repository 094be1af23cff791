"""Every kind of widget, live, in readers other than JupyterLab."""

from __future__ import annotations

import sys

import nbformat
from playwright.sync_api import BrowserContext

from tests.e2e.kinds import CELLS, SETUP, WIDGETS, check_every_kind, edit
from tests.e2e.lab import Lab
from tests.e2e.servers import serving

MARIMO = """
import marimo
app = marimo.App()

@app.cell
def _():
    import headscope as hs, marimo as mo
    {setup}
    return both, capital, hs, mo, model, pair, transcoders
"""
MARIMO_CELL = """
@app.cell
def _(both, capital, hs, mo, model, pair, transcoders{more}):
    {name} = {call}
    {shown}
    return ({name},)
"""


def test_notebook_7(lab: Lab, browser: BrowserContext) -> None:
    name = lab.write("every-kind.ipynb", SETUP, *CELLS)
    notebook = lab.open(browser, name, app="notebooks")
    check_every_kind(notebook.page)
    edit(notebook.page)
    assert notebook.python("print(LogitLens.prompt)") == "Monday Tuesday Wednesday"
    notebook.page.close()


def test_voila(browser: BrowserContext) -> None:
    command = [
        sys.executable, "-m", "voila", "--no-browser", "--port={port}", "--Voila.ip=127.0.0.1",
        "{root}",
    ]  # fmt: skip
    with serving(command, "/") as (url, root):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in (SETUP, *CELLS)]
        )
        nbformat.write(notebook, root / "app.ipynb")
        page = browser.new_page()
        page.goto(f"{url}/voila/render/app.ipynb", wait_until="commit")
        check_every_kind(page)
        edit(page)
        page.close()


def test_marimo(browser: BrowserContext) -> None:
    command = [
        sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--host", "127.0.0.1",
        "-p", "{port}", "--no-token",
    ]  # fmt: skip
    with serving(command, "/health", files={"app.py": marimo_app()}) as (url, _):
        page = browser.new_page()
        page.goto(url)
        check_every_kind(page)
        edit(page)
        page.close()


def marimo_app() -> str:
    """Widgets as they are, and by `mo.ui.anywidget`, in turn."""
    setup = "\n    ".join(SETUP.strip().splitlines()[1:])
    cells = [
        MARIMO_CELL.format(
            name=name,
            call=call,
            shown=f"mo.ui.anywidget({name})" if i % 2 else name,
            more=", AttributionGraph" if name == "GraphView" else "",
        )
        for i, (name, call) in enumerate(WIDGETS.items())
    ]
    return MARIMO.format(setup="import torch\n    " + setup) + "".join(cells)
