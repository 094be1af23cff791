"""With interventions, without, and the difference, chosen in a real JupyterLab."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.e2e.lab import Lab
from tests.e2e.test_lab import MODEL, widget

PROMPT = "When John and Mary went to the store, John gave a drink to"


def test_a_view_shows_what_interventions_do(lab: Lab, browser: BrowserContext) -> None:
    call = f"w = hs.LogitLens(model, {PROMPT!r}, interventions=hs.Interventions().skip(3))\nw"
    notebook = lab.open(browser, lab.write("effects.ipynb", MODEL, call))
    page = notebook.page
    root = widget(page, "Logit lens")
    expect(root.locator(".hs-effect")).to_contain_text("1 intervention acts")
    with_, without, difference = (
        root.get_by_role("radio", name=name, exact=True)
        for name in ("With", "Without", "Difference")
    )
    mary = root.locator(".hs-next-token").filter(has_text="Mary")
    expect(mary).to_contain_text(">99.9%")
    job = notebook.python("print(w.status['job'])")

    with_.focus()
    page.keyboard.press("ArrowRight")
    expect(without).to_be_checked()
    page.keyboard.press("ArrowRight")
    expect(difference).to_be_checked()
    expect(root.locator(".hs-title")).to_contain_text("difference")
    assert notebook.python("print(w.effect, w.status['job'])") == f"difference {job}"

    notebook.python("w.interventions = w.interventions.changed(0, on=False)")
    expect(root.locator(".hs-effect")).to_contain_text("No interventions act")
    with_.click()
    expect(root.locator(".hs-effect")).to_have_count(0)
    expect(root.locator(".hs-title")).not_to_contain_text("difference")
    page.close()
