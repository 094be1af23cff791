"""Notebooks that are read without a kernel: executed, converted, saved and opened again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert.filters import markdown2html
from playwright.sync_api import BrowserContext, Page, Route, expect

from headscope.publish import publish
from tests.e2e.kinds import CELLS, SETUP, STILL, WIDGETS, check_every_kind
from tests.e2e.lab import Lab

#: What every page of nbconvert asks for by itself.
OF_NBCONVERT = re.compile(r"https://cdnjs\.cloudflare\.com/ajax/libs/(require\.js|mathjax)/")


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook with every kind of widget, executed with nobody there and no option set."""
    path = tmp_path_factory.mktemp("executed") / "every-kind.ipynb"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in (SETUP, *CELLS)]
    )
    NotebookClient(notebook, timeout=120).execute()
    nbformat.write(notebook, path)
    return path


@contextmanager
def offline(browser: BrowserContext) -> Iterator[tuple[Page, list[str]]]:
    """A page with the network cut, and what it asks for all the same."""
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    browser.set_offline(True)
    yield page, asked
    browser.set_offline(False)
    page.close()


def convert(path: Path, to: str) -> Path:
    command = [sys.executable, "-m", "nbconvert", "--to", to, path.name]
    subprocess.run(command, cwd=path.parent, check=True, capture_output=True)
    return path.with_suffix({"html": ".html", "markdown": ".md"}[to])


@pytest.mark.parametrize("command", ["nbconvert", "headscope publish"])
def test_a_page_answers_from_file_with_no_network(
    executed: Path, browser: BrowserContext, command: str
) -> None:
    if command == "nbconvert":
        made = convert(executed, "html")
    else:
        made = executed.with_name("published.html")
        publish(executed, made)
    with offline(browser) as (page, asked):
        page.goto(made.as_uri())
        check_every_kind(page)
        expect(page.locator(".headscope-picture:visible")).to_have_count(0)
        # Each side of a comparison has a prompt of its own.
        prompts = len(WIDGETS) - len(STILL) + 1
        expect(page.get_by_text("Saved page, no kernel")).to_have_count(prompts)
    own = OF_NBCONVERT if command == "nbconvert" else re.compile("nothing")
    assert [url for url in asked[1:] if not own.match(url)] == []


def test_markdown_shows_the_pictures(executed: Path, browser: BrowserContext) -> None:
    text = convert(executed, "markdown").read_text(encoding="utf-8")
    with offline(browser) as (page, asked):
        page.set_content(re.sub("(?s)<script.*?</script>", "", markdown2html(text)))
        pictures = page.locator("img").all()
        assert len(pictures) == len(WIDGETS)
        for picture in pictures:
            assert picture.evaluate("(img) => img.naturalWidth") == 672
    assert asked == []


def test_a_notebook_that_is_not_trusted_shows_its_pictures(
    executed: Path, lab: Lab, browser: BrowserContext
) -> None:
    (lab.root / "untrusted.ipynb").write_bytes(executed.read_bytes())
    notebook = lab.open(browser, "untrusted.ipynb", run=False)
    outputs = notebook.page.locator(".headscope-output")
    expect(outputs).to_have_count(len(WIDGETS))
    expect(notebook.page.locator(".headscope")).to_have_count(0)
    for output in outputs.all():
        picture = output.locator("img")
        assert picture.evaluate("(img) => img.naturalWidth") == 672
        expect(output).to_contain_text(str(picture.get_attribute("alt")))
    notebook.page.close()


def test_a_saved_notebook_with_no_state_and_no_kernel_answers(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("kept.ipynb", SETUP, *CELLS), own_kernel=True)
    page = notebook.page
    text = _kept(page, lab.root / "kept.ipynb")
    check_every_kind(page)
    expect(page.locator(".headscope-output")).to_have_count(len(WIDGETS))
    expect(page.locator(".headscope-output:visible")).to_have_count(0)
    page.evaluate("async () => jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    page.close()

    assert "widgets" not in json.loads(text)["metadata"], "no state is stored"
    name = "again.ipynb"  # the other is saved by itself, with what was chosen in it
    (lab.root / name).write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.route("**/api/sessions**", _no_kernel)
    page.goto(f"{lab.url}/lab/tree/{name}?reset")
    check_every_kind(page)
    for words in ("Error displaying widget", "Loading widget"):
        expect(page.get_by_text(words).locator("visible=true")).to_have_count(0)
    page.close()


def _kept(page: Page, path: Path) -> str:
    """The notebook's file, once every output in it holds all that its widget shows."""
    deadline = time.monotonic() + 60
    while True:
        page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        text = path.read_text(encoding="utf-8")
        held = text.count('class=\\"headscope-frozen\\"')
        if held == len(WIDGETS):
            return text
        assert time.monotonic() < deadline, f"{held} of {len(WIDGETS)} outputs"
        page.wait_for_timeout(250)


def _no_kernel(route: Route) -> None:
    """Whoever asks for a kernel gets no answer."""
    if route.request.method != "POST":
        route.continue_()
