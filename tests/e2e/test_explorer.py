"""The explorer in a real JupyterLab: name movers are found, ablated, undone, saved, reopened."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.lab import Lab, Notebook
from tests.e2e.test_lab import MODEL

CELL = """
clean = "When John and Mary went to the store, John gave a drink to"
corrupted = "When John and Laura went to the store, John gave a drink to"
explorer = hs.Explorer(model, clean, corrupted)
explorer.patching.site = "z"
explorer
"""
NAME_MOVERS = ("L2H4", "L2H5", "L3H4", "L3H5")


def pane(page: Page, title: str) -> Locator:
    """A pane, finished and drawn."""
    found = page.get_by_role("region", name=title, exact=True)
    found.scroll_into_view_if_needed()
    expect(found.locator(".hs-stage")).to_have_attribute("aria-busy", "false")
    return found


def python(notebook: Notebook, what: str) -> object:
    return json.loads(notebook.python(f"import json; print(json.dumps({what}))"))


def test_name_movers_are_found_ablated_undone_and_saved(
    lab: Lab, browser: BrowserContext, tmp_path: Path
) -> None:
    notebook = lab.open(browser, lab.write("explorer.ipynb", MODEL, CELL))
    page = notebook.page
    root = page.locator(".hs-panes-root")
    expect(root.locator(".hs-next-token").first).to_contain_text("Mary")
    root.locator(".hs-interventions > summary").first.click()

    patching = pane(page, "Patching")
    grid = patching.locator(".hs-heatmap-scroller")
    expect(patching.locator(".hs-title")).to_contain_text("denoising")
    for head in NAME_MOVERS:
        grid.focus()
        downs, rights = ["ArrowDown"] * int(head[1]), ["ArrowRight"] * int(head[3])
        for key in ("Control+Home", *downs, *rights, "Enter"):
            grid.press(key)
        acts = root.get_by_role("group", name=f"Act on {head}", exact=True)
        acts.get_by_role("button", name="zero", exact=True).click()
        expect(root.locator(".hs-iv-words").filter(has_text=head)).to_be_visible()
    tokens = root.locator(".hs-next-token")
    expect(tokens.filter(has_text="Mary")).to_contain_text("then <0.1%", timeout=30_000)
    expect(tokens.filter(has_text="John")).to_contain_text("then 60.4%")
    assert python(notebook, "[*map(str, explorer.lens.interventions)]") == [
        f"{head} := 0" for head in NAME_MOVERS
    ]
    notebook.becomes("print(explorer.attention.selection['component'])", "L3H5")

    # Steps back, and forth again, by key.
    page.get_by_role("button", name="Undo").first.click()
    expect(root.locator(".hs-iv-words")).to_have_count(3)
    pane(page, "Lens").get_by_role("button", name="Lens", exact=True).focus()
    page.keyboard.press("Control+Shift+z")
    expect(root.locator(".hs-iv-words")).to_have_count(4)

    _repair_agrees(notebook, "L3H5")

    # A pane is closed, opened, and made narrower by key.
    title = page.get_by_role("button", name="Attribution", exact=True)
    title.click()
    closed = page.get_by_role("region", name="Attribution", exact=True)
    expect(closed.locator("canvas")).to_have_count(0)
    title.click()
    pane(page, "Attribution")
    divider = page.get_by_role("separator", name="Width of").first
    before = divider.get_attribute("aria-valuenow")
    divider.press("Shift+ArrowLeft")
    expect(divider).not_to_have_attribute("aria-valuenow", str(before))
    notebook.becomes("print(explorer.view.get('shares', [1])[0])", "0.4")

    saved = tmp_path / "explorer.html"
    notebook.python(f"explorer.save_html({str(saved)!r})")
    page.close()
    browser.set_offline(True)
    try:
        _reopen(browser, saved)
    finally:
        browser.set_offline(False)


def _repair_agrees(notebook: Notebook, head: str) -> None:
    """What later parts restore of an ablated head is seen in the page, as Python has it.

    Of the plain model: where the head is ablated already, there is nothing left to restore.
    """
    title = "Self-repair"
    notebook.page.get_by_role("button", name=title, exact=True).click()
    repair = pane(notebook.page, title)
    notebook.page.get_by_role("radio", name="Without", exact=True).first.check(force=True)
    notebook.becomes("print(explorer.repair.effect)", "without")
    expect(repair.locator(".hs-title")).to_contain_text("logit(' Mary') when a head is ablated")
    repair.locator(".hs-stage").scroll_into_view_if_needed()
    row = int(notebook.python(f"print(explorer.repair.result.axes[0].labels.index({head!r}))"))
    grid = repair.locator(".hs-heatmap-scroller")
    grid.focus()
    for key in ("Control+Home", *["ArrowDown"] * row):
        grid.press(key)
    tip = repair.locator(".hs-tooltip")
    expect(tip).to_contain_text(f"{head}total")
    change, share = (
        float(notebook.python(f"print(explorer.repair.result[{name!r}][{row}, 0])"))
        for name in ("change", "share")
    )
    assert change < 0 < share < 1  # without it less is left of the answer, but not as much less
    expect(tip).to_contain_text(f"Change{change:.4g} logits".replace("-", "−"))
    expect(tip).to_contain_text(f"Share restored{share:.4g}")
    notebook.page.get_by_role("radio", name="With", exact=True).first.check(force=True)
    notebook.becomes("print(explorer.repair.effect)", "with")


def _reopen(browser: BrowserContext, saved: Path) -> None:
    page = browser.new_page()
    page.goto(saved.as_uri())
    attention = pane(page, "Attention")
    overview = attention.get_by_label("Heads. Arrow keys move")
    overview.focus()
    expect(attention.locator("figcaption strong").first).to_have_text("L3H5")
    for key in ("Home", "ArrowRight", "Enter"):
        overview.press(key)
    expect(attention.locator("figcaption strong").first).to_have_text("L3H1")
    _steps_of_the_selection(page)
    page.locator(".hs-interventions > summary").first.click()
    rows = page.locator(".hs-iv-words")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text=NAME_MOVERS[0])).to_be_visible()
    clear = page.get_by_role("button", name="Clear all")
    expect(clear).to_be_disabled()
    expect(clear).to_have_attribute("title", "Needs a live kernel")
    page.close()


def _steps_of_the_selection(page: Page) -> None:
    """What was chosen in the page is taken back, and chosen again, in every pane."""
    undo, redo = (page.get_by_role("button", name=name).first for name in ("Undo", "Redo"))
    head = pane(page, "Attention").locator("figcaption strong").first
    grid = pane(page, "Patching").locator(".hs-heatmap-scroller")
    grid.focus()
    for key in ("Control+Home", "ArrowRight", "Enter"):
        grid.press(key)
    expect(head).to_have_text("L0H1")
    undo.click()
    expect(head).to_have_text("L3H1")
    undo.click()
    expect(head).to_have_text("L3H5")
    expect(undo).to_be_disabled()
    grid.press("Control+Shift+z")
    expect(head).to_have_text("L3H1")
    redo.click()
    expect(head).to_have_text("L0H1")
    expect(redo).to_be_disabled()
    expect(undo).to_have_attribute("title", re.compile("interventions need a live kernel"))
