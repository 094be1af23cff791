"""Two widgets and their difference in a real notebook: one scale, one choice, one selection."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Locator, expect

from tests.e2e.lab import Lab, Notebook

SETUP = """
import headscope as hs, torch
torch.set_num_threads(1)
model, tuned = hs.load_demo(), hs.load_demo()
with torch.no_grad():
    tuned.original_model.transformer.h[2].mlp.c_proj.original_component.weight.mul_(1.2)
prompt = "The capital of the state containing Dallas is"
"""
CELL = "compare = hs.Compare(hs.LogitLens(model, prompt), hs.LogitLens(tuned, prompt))\ncompare"


def scales(root: Locator) -> list[str]:
    """What the colour scale of each pane is said to be, from left to right."""
    legends = root.locator(".hs-legend canvas[aria-label^='Colour scale']")
    expect(legends).to_have_count(3)
    return [str(legend.get_attribute("aria-label")) for legend in legends.all()]


def test_three_panes_are_on_one_scale_and_follow_each_other(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("compare.ipynb", SETUP, CELL))
    root = notebook.page.locator(".hs-panes-root")
    left, right, less = (
        root.locator(f"[data-pane={name}]") for name in ("left", "right", "difference")
    )
    assert scales(root) == [
        "Colour scale of Probability: 0 to 1",
        "Colour scale of Probability: 0 to 1",
        "Colour scale of Δ Probability: −1 to 1, neutral at 0",
    ]
    toggle = root.get_by_label("Difference on its own scale")
    toggle.check()
    expect(less.locator(".hs-legend canvas").first).not_to_have_attribute(
        "aria-label", re.compile("−1 to 1")
    )
    toggle.uncheck()

    right.get_by_role("combobox", name="Colour").select_option("kl")
    expect(less.locator(".hs-legend-bar").first).to_contain_text("Δ KL to the final output")
    shared = scales(root)
    assert shared[0] == shared[1]
    low, high = re.findall(r"[\d.]+", shared[0])
    assert low == "0"
    assert f"−{high} nats to {high}" in shared[2]

    _stays_as_it_is(notebook, root)

    box = left.get_by_label("Prompt", exact=True)
    box.fill("Monday Tuesday Wednesday")
    box.press("Enter")
    for pane in (left, right):
        expect(pane.locator(".hs-tokens")).to_contain_text("Wednesday")
    expect(less.locator(".hs-previous")).to_have_count(0)
    expect(less.locator(".hs-stage")).to_have_attribute("aria-busy", "false")
    ran = notebook.python("print(compare._less.result.provenance.prompts[0].text)")
    assert ran == "Monday Tuesday Wednesday"

    live = scales(root)
    saved = notebook.python("print(compare.save_html('compare').resolve().as_uri())")
    notebook.page.close()
    page = browser.new_page()
    page.goto(saved)
    assert scales(page.locator(".hs-panes-root")) == live
    page.get_by_role("combobox", name="Colour").last.select_option("probability")
    assert scales(page.locator(".hs-panes-root"))[0] == "Colour scale of Probability: 0 to 1"
    page.close()


def _stays_as_it_is(notebook: Notebook, root: Locator) -> None:
    """What is unfolded in a pane stays so in another theme, and with panes below each other."""
    folds = root.locator("[data-pane=left] .hs-foot details")
    folds.locator("summary").click()
    expect(folds).to_have_attribute("open", "")
    notebook.theme("JupyterLab Dark")
    expect(root).to_have_attribute("data-theme", "dark")
    expect(folds).to_have_attribute("open", "")
    notebook.theme("JupyterLab Light")
    size = notebook.page.viewport_size
    assert size is not None
    one, other = (root.locator(f"[data-pane={name}]") for name in ("left", "difference"))
    for width, stacked in ((600, True), (size["width"], False)):
        notebook.page.set_viewport_size({**size, "width": width})
        expect(root.locator(".hs-panes-stacked")).to_have_count(int(stacked))
        first, last = one.bounding_box(), other.bounding_box()
        assert first is not None
        assert last is not None
        assert (first["x"] == last["x"], first["y"] == last["y"]) == (stacked, not stacked)
        expect(folds).to_have_attribute("open", "")
