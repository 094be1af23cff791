"""Saved pages of every kind of widget: whom they serve, and what they make of hostile tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import headscope as hs
from headscope.export.glyphs import visible
from tests.e2e.axe import violations
from tests.e2e.zoo import every_widget
from tests.hostile import TRAP, poison

#: Every text that a page holds, with its attributes: what is typed in stays as it is.
TEXTS = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll('*')) {
      if (['SCRIPT', 'STYLE', 'TEXTAREA'].includes(node.tagName)) continue;
      for (const name of ['title', 'aria-label', 'placeholder', 'aria-description'])
        if (node.hasAttribute(name)) found.push([name, node.getAttribute(name)]);
      for (const { nodeType, data } of node.childNodes)
        if (nodeType === 3 && data.trim()) found.push(['', data]);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document.body);
  const bad = /[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]|\\p{Default_Ignorable_Code_Point}/u;
  return found.filter(([name, text]) => bad.test(name ? text.replaceAll('\\n', '') : text));
}"""
#: Elements that nothing of ours makes, and attributes that run code.
INJECTED = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll('*')) {
      if (node.matches('img, iframe, object, embed, link, base, a, svg script'))
        found.push(node.outerHTML);
      for (const { name } of node.attributes) if (name.startsWith('on')) found.push(node.outerHTML);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document.body);
  return found;
}"""


@pytest.fixture(scope="module")
def widgets() -> dict[str, Any]:
    return every_widget()


@pytest.fixture(scope="module")
def codes() -> dict[Path, list[str]]:
    """What the widgets of each page said when it was saved."""
    return {}


def saved(widgets: dict[str, Any], folder: Path, codes: dict[Path, list[str]]) -> Path:
    path = hs.save_page(widgets.values(), folder / "page")
    codes[path] = [widget.to_code() for widget in widgets.values()]
    return path


@pytest.fixture(scope="module")
def plain(
    widgets: dict[str, Any],
    codes: dict[Path, list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    return saved(widgets, tmp_path_factory.mktemp("plain"), codes)


@pytest.fixture(scope="module")
def hostile(
    plain: Path,
    widgets: dict[str, Any],
    codes: dict[Path, list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Made after `plain`, of the same widgets."""
    for i, widget in enumerate(widgets.values()):
        poison(widget, 11 * i)
    return saved(widgets, tmp_path_factory.mktemp("hostile"), codes)


@pytest.fixture
def tab(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield page
    assert complaints == []
    page.close()


def open_all(page: Page, path: Path) -> None:
    """A page with every widget drawn, and with its provenance open."""
    page.goto(path.as_uri())
    for root in page.locator(".hs-root").all():
        root.scroll_into_view_if_needed()
        expect(root.locator("canvas").first).to_be_visible()
        root.locator("summary").filter(has_text="Provenance").click()


def open_tables(page: Page) -> None:
    """Every view as a table, where it can be one."""
    for button in page.get_by_role("button", name="Table", exact=True).all():
        button.click()


def test_axe_finds_nothing_in_any_view_nor_in_its_table(plain: Path, tab: Page) -> None:
    tab.emulate_media(color_scheme="dark")
    open_all(tab, plain)
    expect(tab.locator('.hs-root[data-theme="dark"]')).to_have_count(8)
    assert violations(tab) == []
    tab.emulate_media(color_scheme="light")
    expect(tab.locator('.hs-root[data-theme="light"]')).to_have_count(8)
    open_tables(tab)
    assert violations(tab) == []


def test_hostile_tokens_stay_text_and_can_be_read(hostile: Path, tab: Page) -> None:
    open_all(tab, hostile)
    open_tables(tab)
    assert tab.evaluate(TEXTS) == []
    assert tab.evaluate(INJECTED) == []
    assert tab.evaluate(f"() => window.{TRAP}") is None
    assert violations(tab) == []


@pytest.mark.parametrize("page", ["plain", "hostile"])
def test_a_page_copies_the_code_that_python_gives(
    page: str, codes: dict[Path, list[str]], tab: Page, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(page)
    tab.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', "
        "{ value: { writeText: async (text) => { window.copied = text } } })"
    )
    tab.goto(path.as_uri())
    expect(tab.locator(".hs-root")).to_have_count(8)
    for root, code in zip(tab.locator(".hs-root").all(), codes[path], strict=True):
        root.get_by_role("button", name="Export").click()
        root.get_by_role("menuitem", name="Copy as code").click()
        expect(root.locator(".hs-foot").get_by_text("Copied the Python call")).to_be_visible()
        assert tab.evaluate("() => window.copied") == code
        compile(code, "copied", "exec")


def test_plotly_draws_hostile_tokens_as_text(
    hostile: Path, widgets: dict[str, Any], tab: Page, tmp_path: Path
) -> None:
    shown = [
        widgets[name].result for name in ("AttentionPatterns", "LogitLens", "AttributionGraph")
    ]
    for i, result in enumerate(shown):
        path = tmp_path / f"{i}.html"
        result.to_plotly().write_html(path, include_plotlyjs=True)
        tab.goto(path.as_uri())
        plot = tab.locator(".plotly-graph-div")
        expect(plot.locator(".xtick text").first).to_be_attached()
        box = plot.locator(".nsewdrag").first.bounding_box()
        assert box is not None
        for part in range(1, 8):
            tab.mouse.move(box["x"] + box["width"] * part / 8, box["y"] + box["height"] * part / 8)
        assert plot.locator("svg a").count() == 0
        assert plot.locator("tspan[style*=bold]").count() == 0
        assert tab.evaluate(f"() => window.{TRAP}") is None
    ticks = plot.locator(".xtick text").all_text_contents()
    assert ticks[0] == visible(shown[-1].provenance.prompts[0].tokens[0])
