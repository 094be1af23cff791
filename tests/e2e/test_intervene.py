"""Interventions in a real JupyterLab: acting on what is selected elsewhere, and a saved page."""

from __future__ import annotations

import json

from playwright.sync_api import BrowserContext, Locator, expect

from tests.e2e.lab import Lab, Notebook
from tests.e2e.test_lab import MODEL, widget

CELL = """
pair = hs.demo.prompts["ioi"][0]
attention = hs.AttentionPatterns(model, pair.clean)
w = hs.Intervene(model, pair.clean, None, pair.corrupted)
hs.link(attention, w)
display(attention, w)
"""


def divergence(root: Locator) -> float:
    """What the page says of how far the two distributions are apart."""
    text = root.locator(".hs-bars-terms dd").first.inner_text()
    return float(text.removesuffix(" nats").replace("−", "-"))


def expect_in_python(notebook: Notebook, *words: str) -> None:
    """`widget.interventions` comes to be these: the page sends a list when the last is computed."""
    for _ in range(60):
        found = notebook.python("import json; print(json.dumps([*map(str, w.interventions)]))")
        if json.loads(found) == list(words):
            return
        notebook.page.wait_for_timeout(100)
    raise AssertionError(found)


def test_a_selected_head_is_scaled_by_a_slider_and_the_prediction_follows(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("intervene.ipynb", MODEL, CELL))
    page = notebook.page
    attention = widget(page, "Attention")
    overview = attention.get_by_label("Heads. Arrow keys move")
    overview.focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        overview.press(key)
    root = widget(page, "Prediction before and after")
    acts = root.get_by_role("group", name="Act on L1H1", exact=True)
    acts.get_by_role("button", name="scale", exact=True).click()
    expect(root.locator(".hs-iv-words")).to_have_text(["L1H1 × 0.5"])
    expect(root.locator(".hs-bars-terms dd").first).not_to_have_text("0 nats")
    half = divergence(root)

    slider = root.get_by_role("slider", name="Factor: L1H1")
    slider.focus()
    slider.press("Home")
    expect(root.locator(".hs-iv-words")).to_have_text(["L1H1 × -2"])
    expect_in_python(notebook, "L1H1 × -2")
    page.wait_for_function(
        "(half) => [...document.querySelectorAll('.headscope')].some((one) => {"
        " const dd = one.shadowRoot.querySelector('.hs-bars-terms dd');"
        " return dd && parseFloat(dd.textContent) > half; })",
        arg=half,
    )
    assert divergence(root) > half

    acts.get_by_role("button", name="resample from the other prompt").click()
    expect(root.locator(".hs-iv-row")).to_have_count(2)
    up = root.get_by_role("button", name="Move up: L1H1 := from")
    up.press("Enter")
    expect(root.locator(".hs-iv-words").first).to_contain_text("L1H1 := from")
    up.press("Control+z")
    up.press("Control+z")
    expect(root.locator(".hs-iv-words")).to_have_text(["L1H1 × -2"])
    expect_in_python(notebook, "L1H1 × -2")
    notebook.python("w.interventions = w.interventions.changed(0, on=False)")
    expect(root.locator(".hs-iv-row input[type=checkbox]")).not_to_be_checked()
    expect(root.locator(".hs-bars-terms dd").first).to_have_text("0 nats")

    # The panel comes to other widgets once it is asked for, and pages without a kernel are read.
    summary = attention.locator(".hs-interventions summary")
    summary.click()
    expect(attention.locator(".hs-iv")).to_contain_text("The model computes as it is.")
    notebook.python(f"w.save_html({str(lab.root / 'saved.html')!r})")
    page.goto((lab.root / "saved.html").as_uri())
    expect(page.locator(".hs-iv-words")).to_have_text(["L1H1 × -2"])
    expect(page.locator(".hs-iv-row input[type=checkbox]")).to_be_disabled()
    expect(page.locator(".hs-bars canvas")).to_be_visible()
    page.close()
