"""Front ends whose anywidget cannot reach another widget: the kernel is asked for the bundle."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.e2e.lab import Lab
from tests.e2e.test_lab import MODEL

#: The loader as it is, on a front end that offers no host; the first bundle is a broken one.
ALONE = """
from headscope.widgets import page
class Alone(hs.LogitLens):
    _esm = hs.LogitLens._esm.replace("host?.getWidget", "false")
assert Alone._esm != hs.LogitLens._esm

whole = globals().get("whole", page.front_end)
answers = globals().get("answers", [lambda: "throw new Error('cut short')"])
page.front_end = lambda name: answers.pop()() if answers else whole(name)
"""


def test_a_bundle_that_failed_to_load_is_asked_for_again(lab: Lab, browser: BrowserContext) -> None:
    name = lab.write("alone.ipynb", MODEL, ALONE, "Alone(model, 'A B C')")
    notebook = lab.open(browser, name, own_kernel=True)
    page = notebook.page
    expect(page.get_by_text("cut short").first).to_be_visible()
    expect(page.locator(".hs-root")).to_have_count(0)
    notebook.run_all()
    expect(page.locator(".hs-root canvas").first).to_be_visible()
    page.close()
