"""The site builds without a network or a warning, holds together, and its figures answer."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page as BrowserPage
from playwright.sync_api import expect

import headscope as hs
import headscope.errors
from headscope.widgets.page import PageWidget
from tests.docs.conftest import DOCS
from tests.docs.site import Site
from tests.e2e.browser import chromium

pytest.importorskip("sphinx", reason="the site is built on Python 3.11 and newer")

METHODS = sorted(path.stem for path in (DOCS / "methods").glob("*.md") if path.stem != "index")
NOTEBOOKS = sorted((DOCS.parent / "notebooks").glob("*.ipynb"))


def test_links_and_anchors_lead_somewhere(site: Site) -> None:
    lost = []
    for name, page in site.pages.items():
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            path, anchor = page.target(link)
            there = site.pages.get(str(path.relative_to(site.root).with_suffix("")))
            if not path.is_file() or (anchor and (there is None or anchor not in there.ids)):
                lost.append(f"{name}: {link}")
    assert lost == []


def test_nothing_is_fetched_from_elsewhere(site: Site) -> None:
    for name, page in site.pages.items():
        for address in page.fetched:
            parts = urlsplit(address)
            assert not parts.netloc, (name, address)
            assert parts.scheme in ("", "data"), (name, address)
            if not parts.scheme:
                assert page.target(address)[0].is_file(), (name, address)
    for path in site.root.rglob("*.css"):
        addresses = re.findall(r"url\(\s*['\"]?(?!data:|#)([^'\")]+)|@import", path.read_text())
        assert all(address and not urlsplit(address).netloc for address in addresses), path.name


def test_every_public_name_is_in_the_reference(site: Site) -> None:
    ids = {
        i for name, page in site.pages.items() if name.startswith("reference/") for i in page.ids
    }
    names = set(hs.__all__) - {"__version__"}
    errors = names & set(vars(headscope.errors))
    missing = {f"headscope.{name}" for name in names - errors - {"demo"}} - ids
    missing |= {f"headscope.errors.{name}" for name in errors} - ids
    assert missing | ({"module-headscope.demo"} - ids) == set()


def test_every_method_of_a_widget_is_in_the_reference(site: Site) -> None:
    page = site["reference/widgets"]
    for cls in (getattr(hs, name) for name in hs.__all__):
        if not (isinstance(cls, type) and issubclass(cls, PageWidget)):
            continue
        ours = [base for base in cls.__mro__ if base.__module__.startswith("headscope")]
        public = {n for base in ours for n, v in vars(base).items() if n[0] != "_" and callable(v)}
        for name in public - {"set_state", "put_down", "take_up", "open"}:
            homes = [f"{base.__module__}.{base.__name__}.{name}" for base in ours]
            assert page.ids & {*homes, f"headscope.{cls.__name__}.{name}"}, (cls, name)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_page_says_what_its_numbers_mean(site: Site, name: str) -> None:
    source = (DOCS / "methods" / f"{name}.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)$", source, re.MULTILINE)
    assert {"How to read it", "What it does not show", "Sources"} <= set(titles)
    rows = re.findall(r"^\| (\w+) \|", source, re.MULTILINE)
    assert {"Call", "Gives", "Sign", "Normalisation", "Cost"} <= set(rows)
    assert "```python" not in source  # all of its code runs: see docs/_ext/examples.py
    assert "headscope-frozen" in site[f"methods/{name}"].text
    assert "<math" in site[f"methods/{name}"].text


def test_the_tutorials_are_the_notebooks(site: Site) -> None:
    pages = [page for name, page in site.pages.items() if name.startswith("tutorials/")]
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        title = cells[0]["source"][0].removeprefix("# ").strip()
        (page,) = (page for page in pages if f"<h1>{title}<" in page.text)
        assert page.text.count('class="highlight-python') == sum(
            cell["cell_type"] == "code" for cell in cells
        )


def test_one_front_end_draws_all_figures_of_a_page(site: Site) -> None:
    assert site["gallery"].text.count('class="headscope-frozen"') == 8
    for name in ("index", "gallery"):
        kinds = site[name].text.count('class="headscope-code"')
        assert kinds == {"index": 2, "gallery": 3}[name]


@pytest.mark.e2e
def test_a_frozen_figure_draws_and_answers_with_the_network_cut(site: Site) -> None:
    with chromium() as context:
        context.set_offline(True)
        page = context.new_page()
        complaints: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(site["methods/activation-patching"].path.as_uri())
        _hovers(page)
        _follows_the_theme(page)
        assert complaints == []
        assert {urlsplit(address).scheme for address in requests} <= {"file", "data", "blob"}


def _hovers(page: BrowserPage) -> None:
    root = page.locator(".hs-root").first
    root.scroll_into_view_if_needed()
    grid = root.locator(".hs-heatmap-content")
    expect(root.locator("canvas").first).to_be_visible()
    box = grid.bounding_box()
    assert box is not None
    grid.hover(position={"x": 0.6 * box["width"], "y": 0.6 * box["height"]})
    expect(root.locator(".hs-tooltip")).to_contain_text("Effect")


def _follows_the_theme(page: BrowserPage) -> None:
    for theme in ("dark", "light"):
        page.evaluate("theme => { document.body.dataset.theme = theme; }", theme)
        expect(page.locator(".hs-root").first).to_have_attribute("data-theme", theme)
