"""What widgets leave in a notebook, as each reader of the file takes it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest

import headscope as hs
from headscope.errors import RequestError
from headscope.export.output import Picture
from headscope.widgets import published, stand_in
from headscope.widgets.carriers import Carriers
from tests.unit.notebook import NotebookShell, shell
from tests.unit.page import Page, until

VIEW = "application/vnd.jupyter.widget-view+json"
PROMPT = "the cat sat on"


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookShell]:
    """A notebook with no output yet."""
    monkeypatch.setattr(published, "_CARRIERS", Carriers())
    monkeypatch.setattr(
        published.NotebookOutput, "_picture", lambda *_: Picture(b"drawn elsewhere")
    )
    made = shell()
    made.ask()
    yield made
    hs.publish_mode("auto")
    hs.close_all()
    NotebookShell.clear_instance()


def packed(output: dict[str, Any]) -> dict[str, Any]:
    """What the view in an output would show."""
    text = re.search(r'class="headscope-data"[^>]*>([^<]*)<', output["data"]["text/html"])
    assert text is not None
    line = gzip.decompress(base64.b64decode(text[1])).partition(b"\n")[0]
    return dict(json.loads(line))


def codes(output: dict[str, Any]) -> int:
    return int(output["data"]["text/html"].count('class="headscope-code"'))


def test_a_front_end_with_somebody_behind_it_gets_the_live_view_and_what_stands_in(
    notebook: NotebookShell, gpt2: Any
) -> None:
    widget = hs.LogitLens(gpt2, PROMPT)
    live, beside = notebook.shows(widget)
    assert live["data"][VIEW]["model_id"] == widget.model_id
    assert set(live["data"]) == {VIEW, "text/plain"}
    assert beside["transient"]["display_id"] == widget._output
    assert f'data-headscope="{widget._output}"' in beside["data"]["text/html"]
    assert packed(beside)["prompt"] == PROMPT


def test_where_nobody_is_there_the_output_stands_alone_and_is_finished(
    notebook: NotebookShell, gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0)
    notebook.ask(stdin=False)
    widget = hs.LogitLens(gpt2, PROMPT)
    assert widget.status["state"] == "running"
    (alone,) = notebook.shows(widget)
    assert VIEW not in alone["data"]
    assert "data-headscope" not in alone["data"]["text/html"]
    assert packed(alone)["status"]["state"] == "done"


def test_an_app_gets_the_live_view_alone(
    notebook: NotebookShell, gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    notebook.ask(stdin=False)
    (live,) = notebook.shows(hs.LogitLens(gpt2, PROMPT))
    assert VIEW in live["data"]


def test_a_mode_holds_until_it_is_changed_or_its_block_ends(
    notebook: NotebookShell, gpt2: Any
) -> None:
    widget = hs.LogitLens(gpt2, PROMPT)
    hs.publish_mode("static")
    assert VIEW not in notebook.shows(widget)[0]["data"]
    with hs.publish_mode("picture"):
        assert "text/html" not in notebook.shows(widget)[0]["data"]
    assert "text/html" in notebook.shows(widget)[0]["data"]
    hs.publish_mode("live")
    notebook.ask(stdin=False)
    assert VIEW in notebook.shows(widget)[0]["data"]
    with pytest.raises(RequestError, match="'auto', 'live', 'static', 'picture'"):
        hs.publish_mode("dead")  # type: ignore[arg-type]


def test_what_went_wrong_is_said_in_a_line(notebook: NotebookShell, gpt2: Any) -> None:
    notebook.ask(stdin=False)
    (alone,) = notebook.shows(hs.LogitLens(gpt2, ""))
    assert set(alone["data"]) == {"text/plain"}
    assert "empty" in alone["data"]["text/plain"]
    notebook.ask()
    live, beside = notebook.shows(hs.LogitLens(gpt2, ""))
    assert VIEW in live["data"]
    assert "headscope-data" not in beside["data"]["text/html"]


def test_a_closed_widget_is_shown_as_a_word(notebook: NotebookShell, gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, PROMPT)
    notebook.shows(widget)
    widget.close()
    removed = notebook.display_pub.outputs[-1]
    assert removed["update"]
    assert removed["transient"]["display_id"] == widget._output
    assert not removed["data"]["text/html"]
    assert notebook.shows(widget)[0]["data"] == {"text/plain": "LogitLens(closed)"}


# The front end travels once.


def test_each_part_of_the_front_end_is_carried_once(notebook: NotebookShell, gpt2: Any) -> None:
    notebook.ask("one", stdin=False)
    assert codes(notebook.shows(hs.LogitLens(gpt2, PROMPT))[0]) == 1
    assert codes(notebook.shows(hs.LogitLens(gpt2, PROMPT))[0]) == 0
    notebook.ask("two", stdin=False)
    assert codes(notebook.shows(hs.AttentionPatterns(gpt2, PROMPT))[0]) == 1, "its own view only"
    assert codes(notebook.shows(hs.LogitLens(gpt2, PROMPT))[0]) == 0


def test_what_is_closed_carries_nothing_any_more(notebook: NotebookShell, gpt2: Any) -> None:
    notebook.ask("one")
    first = hs.LogitLens(gpt2, PROMPT)
    assert codes(notebook.shows(first)[1]) == 1
    first.close()
    notebook.ask("two")
    assert codes(notebook.shows(hs.LogitLens(gpt2, PROMPT))[1]) == 1


@pytest.mark.parametrize("named", [True, False])
def test_a_cell_that_is_run_again_carries_again(
    notebook: NotebookShell, gpt2: Any, named: bool
) -> None:
    for run in (1, 2):
        notebook.ask("one", run=run, stdin=False, named=named)
        assert codes(notebook.shows(hs.LogitLens(gpt2, PROMPT))[0]) == 1
        notebook.ask("two", run=run, stdin=False, named=named)
        assert codes(notebook.shows(hs.LogitLens(gpt2, PROMPT))[0]) == 0


def test_what_stands_in_is_made_anew_after_changes_and_carries_on(
    notebook: NotebookShell, gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "_QUIET_S", 0.01)
    monkeypatch.setattr(stand_in, "_SHARE", 100.0)

    async def session() -> None:
        widget = hs.LogitLens(gpt2, PROMPT)
        page = Page(widget)
        _, beside = notebook.shows(widget)
        shown = len(notebook.display_pub.outputs)
        page.write(prompt="a b c d")
        page.write(selection={"layer": 1})
        await until(lambda: len(notebook.display_pub.outputs) > shown)
        newest = notebook.display_pub.outputs[-1]
        await until(lambda: packed(notebook.display_pub.outputs[-1])["prompt"] == "a b c d")
        newest = notebook.display_pub.outputs[-1]
        assert newest["update"]
        assert newest["transient"] == beside["transient"]
        assert packed(newest)["selection"]["layer"] == 1
        assert codes(newest) == codes(beside) == 1
        widget.close()
        after = len(notebook.display_pub.outputs)
        await asyncio.sleep(0.05)
        assert len(notebook.display_pub.outputs) == after

    asyncio.run(session())


# No comm that nobody looks at.


def test_without_a_live_view_no_front_end_is_told(notebook: NotebookShell, gpt2: Any) -> None:
    notebook.ask(stdin=False)
    widget = hs.LogitLens(gpt2, PROMPT)
    notebook.shows(widget)
    opened = type(ipywidgets.IntSlider().comm)
    assert widget._is_late
    box = ipywidgets.VBox([widget])
    assert box.get_state()["children"] == [f"IPY_MODEL_{widget.model_id}"]
    assert not widget._is_late
    assert type(widget.comm) is opened
    box.close()
    widget.close()
    unseen = hs.LogitLens(gpt2, PROMPT)
    unseen.close()
    assert unseen.comm is None


# Readers that cannot run here, by the order in which they are documented to choose.

#: VS Code, `extensions/ipynb/src/deserializers.ts`: vendors' types, then these.
VS_CODE = ("application/vnd.", "text/html", "application/javascript", "image/png", "text/plain")
#: Colab shows live views with its own manager of widgets, and otherwise chooses as Jupyter does.
COLAB = ("application/vnd.jupyter.widget-view+json", "text/html", "image/png", "text/plain")
#: GitHub has no widgets and strips scripts and styles from HTML.
GITHUB = ("text/html", "image/png", "text/plain")
#: `nbconvert.exporters.latex`.
LATEX = ("text/latex", "application/pdf", "image/png", "text/plain")


def chosen(output: dict[str, Any], order: tuple[str, ...]) -> str:
    return next(m for prefix in order for m in output["data"] if m.startswith(prefix))


@pytest.mark.parametrize("order", [VS_CODE, COLAB])
def test_live_readers_choose_the_live_view_and_hide_the_other(
    notebook: NotebookShell, gpt2: Any, order: tuple[str, ...]
) -> None:
    live, beside = notebook.shows(hs.LogitLens(gpt2, PROMPT))
    assert chosen(live, order) == VIEW
    assert chosen(beside, order) == "text/html"  # the live view's style rule finds it by its name


@pytest.mark.parametrize("order", [VS_CODE, COLAB, GITHUB])
def test_an_output_alone_is_html_with_its_caption_outside_of_scripts(
    notebook: NotebookShell, gpt2: Any, order: tuple[str, ...]
) -> None:
    notebook.ask(stdin=False)
    widget = hs.LogitLens(gpt2, PROMPT)
    (alone,) = notebook.shows(widget)
    assert chosen(alone, order) == "text/html"
    sanitised = re.sub(r"<script.*?</script>", "", alone["data"]["text/html"], flags=re.DOTALL)
    assert widget.result.title in sanitised
    assert f'src="data:image/png;base64,{alone["data"]["image/png"]}"' in sanitised


def test_papers_take_the_picture(notebook: NotebookShell, gpt2: Any) -> None:
    notebook.ask(stdin=False)
    assert chosen(notebook.shows(hs.LogitLens(gpt2, PROMPT))[0], LATEX) == "image/png"
