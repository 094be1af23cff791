"""Finished notebooks as one page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ipywidgets
import nbformat
import pytest

import headscope as hs
from headscope.__main__ import main
from headscope.errors import ResultError
from headscope.export.exporter import PageExporter
from headscope.publish import publish
from tests.unit.notebook import NotebookShell, file_of
from tests.unit.test_publishing import PROMPT, VIEW, notebook, packed

__all__ = ["notebook"]


def page_of(file: Any) -> tuple[str, Any]:
    page, resources = PageExporter().from_notebook_node(file)
    return page, resources["headscope"]


def packs(page: str) -> list[str]:
    return re.findall(r'class="headscope-data"[^>]*>([^<]*)<', page)


def with_state(file: Any, *widgets: Any) -> Any:
    """As a front end saves it that is told to save the widgets' state."""
    state = ipywidgets.Widget.get_manager_state(widgets=list(widgets))
    file.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    return file


def test_outputs_alone_and_beside_live_views_are_drawn_by_one_front_end(
    notebook: NotebookShell, gpt2: Any
) -> None:
    live = notebook.shows(hs.LogitLens(gpt2, PROMPT))
    hs.publish_mode("static")
    notebook.ask("again", run=2)
    file = file_of(live, notebook.shows(hs.AttentionPatterns(gpt2, PROMPT)))
    page, published = page_of(file)
    assert published.kinds == ("grid", "patterns")
    assert published.others == 0
    assert len(packs(page)) == 2
    assert page.count('class="headscope-code"') == 2, "the shell, and the view of attention"
    assert "data-headscope=" not in page, "nothing waits for a live view"
    assert VIEW not in page


def test_a_live_view_without_one_is_made_of_its_stored_state(
    notebook: NotebookShell, gpt2: Any
) -> None:
    widget = hs.AttentionPatterns(gpt2, PROMPT, selection={"layer": 1, "head": 0})
    live, _ = notebook.shows(widget)
    page, published = page_of(with_state(file_of([live]), widget))
    assert published.kinds == ("patterns",)
    shown = packed({"data": {"text/html": page}})
    assert shown["prompt"] == PROMPT
    assert shown["selection"] == widget.selection
    ours = packed({"data": notebook.shows(widget)[1]["data"]})
    assert shown["header"]["data"] == ours["header"]["data"]


def test_a_live_view_with_neither_and_those_of_others_leave_their_text(
    notebook: NotebookShell, gpt2: Any
) -> None:
    slider = ipywidgets.IntSlider(description="of another")
    view = {"data": {VIEW: {"model_id": slider.model_id}, "text/plain": "a slider"}}
    live, _ = notebook.shows(hs.LogitLens(gpt2, PROMPT))
    page, published = page_of(with_state(file_of([view], [live]), slider))
    assert published.others == 2
    assert published.kinds == ()
    assert "a slider" in page
    assert "headscope-code" not in page
    assert "html-manager" not in page


def test_a_page_fetches_nothing(notebook: NotebookShell, gpt2: Any) -> None:
    page, _ = page_of(file_of(notebook.shows(hs.LogitLens(gpt2, PROMPT))))
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=.?https?:", page)


def test_the_command_writes_and_tells(
    notebook: NotebookShell, gpt2: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hs.publish_mode("static")
    source = tmp_path / "made.ipynb"
    nbformat.write(file_of(notebook.shows(hs.LogitLens(gpt2, PROMPT))), source)
    assert main(["publish", str(source)]) == 0
    page = (tmp_path / "made.html").read_text(encoding="utf-8")
    told = capsys.readouterr().out
    assert f"{len(page.encode()):,} bytes, 1 widget\n" in told
    assert main(["publish", str(tmp_path / "none.ipynb")]) == 1
    assert "none.ipynb is no notebook" in capsys.readouterr().err


def test_a_cell_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    source = tmp_path / "fails.ipynb"
    file = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(file, source)
    with pytest.raises(ResultError, match="ZeroDivisionError: division by zero"):
        publish(source, execute=True)
    assert not (tmp_path / "fails.html").exists()
