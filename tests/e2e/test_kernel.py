"""What a widget says and still does when its kernel is busy, restarted or dead."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Locator, expect

from tests.e2e.lab import Lab, Notebook
from tests.e2e.test_lab import LONG_PROMPT, MODEL, widget

GONE = "No kernel: run the cell again"


def chosen(root: Locator, *keys: str) -> None:
    """Move over the overview of heads, and enlarge the one that is reached."""
    overview = root.get_by_label("Heads. Arrow keys move")
    overview.focus()
    for key in (*keys, "Enter"):
        overview.press(key)


def lens(lab: Lab, browser: BrowserContext, name: str) -> tuple[Notebook, Locator]:
    cells = (MODEL, "lens = hs.LogitLens(model, 'The capital of Texas is')\nlens")
    notebook = lab.open(browser, lab.write(name, *cells), own_kernel=True)
    return notebook, widget(notebook.page, "Logit lens")


def cell_under_the_pointer(root: Locator) -> None:
    """Hover and pin on the heatmap."""
    grid = root.locator(".hs-heatmap-scroller")
    box = grid.bounding_box()
    assert box is not None
    spot = {"x": box["width"] * 0.6, "y": box["height"] * 0.6}
    grid.hover(position=spot)
    expect(root.locator(".hs-tooltip")).to_contain_text("Probability")
    grid.click(position=spot)
    expect(root.locator(".hs-top li").first).to_be_visible()


def test_a_restart_is_said_and_all_that_needs_no_kernel_goes_on(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook, root = lens(lab, browser, "restart.ipynb")
    notebook.restart()
    expect(root.locator(".hs-badge")).to_have_text(GONE)
    expect(root.get_by_label("Prompt", exact=True)).to_be_disabled()
    cell_under_the_pointer(root)
    root.get_by_role("radio", name="Entropy").click()
    expect(root.locator(".hs-legend").first).to_contain_text("Entropy")
    expect(root.get_by_text("More tokens, and their logits, need a live kernel.")).to_be_visible()
    expect(root.get_by_role("alert")).to_have_count(0)

    notebook.run_all()  # "run the cell again" is all it takes
    root = widget(notebook.page, "Logit lens")
    expect(root.locator(".hs-badge")).to_have_count(0)
    expect(root.get_by_label("Prompt", exact=True)).to_be_enabled()
    cell_under_the_pointer(root)
    expect(root.locator(".hs-top li")).to_have_count(20)  # the kernel's longer list
    notebook.page.close()


def test_a_kernel_that_dies_is_said_without_a_touch(lab: Lab, browser: BrowserContext) -> None:
    notebook, root = lens(lab, browser, "dies.ipynb")
    notebook.start("import os; os._exit(1)")
    expect(root.locator(".hs-badge")).to_have_text(GONE)
    notebook.page.locator(".jp-Dialog-button.jp-mod-accept").click()  # JupyterLab says so as well
    cell_under_the_pointer(root)
    notebook.page.close()


def test_a_busy_kernel_is_waited_for_and_a_gone_one_is_not(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("busy.ipynb", LONG_PROMPT), own_kernel=True)
    root = widget(notebook.page, "Attention patterns")
    badge = root.locator(".hs-badge")
    panel = root.locator("figcaption strong")

    notebook.python("attn.selection = {'layer': 0, 'head': 0}")
    expect(panel).to_have_text("L0H0")
    notebook.start("import time; time.sleep(6)")
    chosen(root, "ArrowDown", "ArrowDown", "ArrowRight")
    expect(badge).to_have_text("Kernel busy, waiting")
    expect(root.get_by_text("Loading L2H1")).to_be_visible()
    expect(panel).to_have_text("L2H1")  # once the cell has ended
    expect(badge).to_have_count(0)

    notebook.restart()
    expect(badge).to_have_text(GONE)
    chosen(root, "ArrowDown")  # not held here, so the choice is refused
    expect(panel).to_have_text("L2H1")
    expect(root.get_by_text("Loading")).to_have_count(0)
    expect(root.get_by_text("can be enlarged here")).to_be_visible()
    notebook.page.close()
