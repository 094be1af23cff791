"""The three views without a mouse, in a saved page and in JupyterLab; motion, and contrast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

import headscope as hs
from tests.e2e.lab import Lab
from tests.e2e.test_lab import MODEL, widget

STORY = "When John and Nicole went to the store, John gave a drink to"

#: What is focused, inside shadow roots too.
FOCUSED = """() => {
  let element = document.activeElement;
  while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const group = element.closest('[role=radiogroup]');
  return {
    tag: element.tagName,
    name: element.getAttribute('aria-label') || element.labels?.[0]?.textContent
      || element.title || element.textContent,
    group: group?.getAttribute('aria-label') ?? '',
    ring: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth),
  };
}"""

#: Text whose contrast with what lies behind it is below WCAG AA, as "ratio text".
FAINT = """() => {
  const rgba = (css) => {
    const numbers = css.match(/[\\d.]+/g).map(Number);
    return numbers.length === 4 ? numbers : [...numbers, 1];
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((c, i) => c * a + below[i] * (1 - a)).concat(1);
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parent = (e) => e.parentElement ?? e.getRootNode().host ?? null;
  const chain = (e) => (e ? [e, ...chain(parent(e))] : []);
  // What is behind a page that sets no background, as Chromium's Canvas has it.
  const paper = matchMedia('(prefers-color-scheme: dark)').matches ? 18 : 255;
  const faint = [];
  let seen = 0;
  const visit = (root) => {
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot) visit(element.shadowRoot);
      const own = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data);
      const text = element.matches('textarea, select, .hs-input')
        ? element.value || element.placeholder : own.join('').trim();
      const style = getComputedStyle(element);
      const { width, height } = element.getBoundingClientRect();
      if (!text || style.visibility !== 'visible' || width < 2 || height < 2) continue;
      if (element.closest('style, script')) continue;
      seen += 1;
      const line = chain(element).map((e) => getComputedStyle(e));
      const grounds = line.map((s) => rgba(s.backgroundColor));
      const ground = grounds.reduceRight((below, c) => over(c, below), [paper, paper, paper, 1]);
      const opacity = line.reduce((product, s) => product * Number(s.opacity), 1);
      const [r, g, b, a] = rgba(style.color);
      const [one, other] = [light(over([r, g, b, a * opacity], ground)), light(ground)];
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${text.slice(0, 30)}`);
    }
  };
  visit(document);
  return { seen, faint };
}"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    torch.set_num_threads(1)
    model = hs.load_demo()
    widgets = [
        hs.AttentionPatterns(model, STORY),
        hs.LogitLens(model, STORY),
        hs.LogitAttribution(model, STORY, answer=" Nicole", wrong=" John"),
    ]
    return hs.save_page(widgets, tmp_path_factory.mktemp("keyboard") / "page.html")


@pytest.fixture
def page(browser: BrowserContext, saved: Path) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(saved.as_uri())
    # Widgets are unpacked one after the other.
    expect(page.locator(".hs-root")).to_have_count(page.locator(".headscope-frozen").count())
    for root in page.locator(".hs-root").all():
        root.scroll_into_view_if_needed()
        expect(root.locator("canvas").first).to_be_visible()
    page.evaluate("() => scrollTo(0, 0)")
    yield page
    page.close()


def keys(page: Page, *names: str) -> None:
    for name in names:
        page.keyboard.press(name)


def said(root: Locator) -> Locator:
    """What screen readers are told."""
    return root.locator("[role=status][aria-live]")


def test_tab_reaches_every_control_and_leaves_again(page: Page) -> None:
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUSED)
        if focus["tag"] == "BODY":
            break
        assert focus["name"], focus
        assert focus["ring"] >= 2, focus
        reached.append(focus["name"])
    else:
        raise AssertionError("the focus never left the page")
    for name in ("Heads.", "L0H0: rows are dest", "Logit lens: Prob", "Direct logit attribution:"):
        assert sum(one.startswith(name) for one in reached) == 1, name


def test_attention_by_keys(page: Page) -> None:
    root = page.locator(".hs-root").first
    root.get_by_label("Heads. Arrow keys move").focus()
    keys(page, "ArrowRight", "ArrowDown", "Enter")
    expect(root.locator("figcaption strong")).to_have_text("L1H1")
    keys(page, "ArrowRight", " ")
    expect(root.locator("figcaption strong")).to_have_text(["L1H1", "L1H2"])

    matrix = root.get_by_label("L1H2: rows are dest")
    matrix.focus()
    keys(page, "ArrowUp", "ArrowUp", "ArrowRight")
    expect(said(root)).to_contain_text("src 1 ·When")
    keys(page, "Enter")
    expect(said(root)).to_contain_text("Pinned dest 12")
    expect(root.locator(".hs-att-sources caption")).to_contain_text("what dest 12")
    expect(matrix).to_be_focused()
    keys(page, "Escape")
    expect(root.locator(".hs-att-sources")).to_have_count(0)
    expect(matrix).to_be_focused()


def test_attention_as_text_and_lines_by_keys(page: Page) -> None:
    root = page.locator(".hs-root").first
    root.get_by_role("radio", name="Matrix").focus()
    keys(page, "ArrowRight")
    text = root.get_by_label("tokens. Arrow keys move")
    text.focus()
    keys(page, "ArrowLeft", "Enter")
    expect(root.locator(".hs-att-status")).to_contain_text("(pinned)")
    expect(root.locator(".hs-att-sources caption")).to_contain_text("what dest 13")
    keys(page, "Escape")
    expect(root.locator(".hs-att-status")).not_to_contain_text("(pinned)")

    root.get_by_role("radio", name="Text", exact=True).focus()
    keys(page, "ArrowRight")
    lines = root.get_by_label("Lines from dest tokens")
    lines.focus()
    keys(page, "ArrowDown", "ArrowDown", "Enter")
    expect(root.locator(".hs-att-sources caption")).to_contain_text("what dest")
    keys(page, "Escape")
    expect(root.locator(".hs-att-sources")).to_have_count(0)
    expect(lines).to_be_focused()


@pytest.mark.parametrize(("index", "panel"), [(1, ".hs-top"), (2, ".hs-panel .hs-sums")])
def test_a_heatmap_by_keys(page: Page, index: int, panel: str) -> None:
    root = page.locator(".hs-root").nth(index)
    root.scroll_into_view_if_needed()
    grid = root.locator(".hs-heatmap-scroller")
    grid.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(root.locator(".hs-tooltip")).to_be_visible()
    cell = root.get_by_role("gridcell")
    expect(cell).to_contain_text("position 1")
    expect(grid).to_have_attribute("aria-activedescendant", cell.get_attribute("id") or "")
    keys(page, "Enter")
    expect(said(root)).to_contain_text("Pinned")
    expect(root.locator(panel).first).to_be_visible()
    expect(grid).to_be_focused()
    keys(page, "Escape")
    expect(said(root)).to_have_text("Unpinned")
    expect(root.locator(panel)).to_have_count(0)
    expect(grid).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for root in page.locator(".hs-root").all():
        expect(root).to_have_attribute("data-theme", scheme)
    for summary in page.locator("summary").all():
        summary.click()
    for grid in page.locator(".hs-heatmap-scroller").all():
        grid.focus()
        keys(page, "ArrowDown", "Enter")
    for mode in ("Text", "Lines", "Matrix"):
        page.get_by_role("radio", name=mode, exact=True).click()
        found = page.evaluate(FAINT)
        assert found["seen"] > 300
        assert found["faint"] == []


def test_nothing_moves_for_who_wants_no_motion(page: Page) -> None:
    moving = """() => [...document.querySelectorAll('.headscope')].flatMap(({ shadowRoot }) =>
      [...shadowRoot.querySelectorAll('*')].flatMap((e) =>
        getComputedStyle(e).transitionDuration.split(', ').filter((d) => parseFloat(d) > 0)))"""
    assert page.evaluate(moving) != []
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == []


def test_jupyterlabs_own_keys_stay_out(lab: Lab, browser: BrowserContext) -> None:
    name = lab.write("keys.ipynb", MODEL, f"lens = hs.LogitLens(model, {STORY!r})\nlens")
    notebook = lab.open(browser, name)
    page = notebook.page
    root = widget(page, "Logit lens")
    grid = root.locator(".hs-heatmap-scroller")
    grid.focus()
    keys(page, "ArrowDown", "ArrowRight", "Enter")
    expect(root.locator(".hs-top").first).to_be_visible()
    # Each would add, cut or move to a cell, or change a cell's kind.
    keys(page, "a", "b", "x", "m", "j", "d", "d", "Escape")
    expect(said(root)).to_have_text("Unpinned")
    expect(grid).to_be_focused()
    notebook.becomes("print(lens.selection['token'])", "None")
    kinds = "() => jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.type)"
    assert page.evaluate(kinds) == ["code", "code"]
    page.close()
