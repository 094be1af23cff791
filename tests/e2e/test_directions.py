"""Directions and examples are typed in a real notebook."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.e2e.kinds import SETUP
from tests.e2e.lab import Lab

NEAREST = "near = hs.NearestTokens(model, 'Denver - Colorado + Illinois', to='embedding')\nnear"
TASK = """task = hs.TaskVectors(model, capitals[:6], capitals[6:8], shots=0, shuffles=2,
    template="The capital of {x} is {y}", into="The bird of {x} is {y}")
task"""


def test_directions_and_examples_are_typed(lab: Lab, browser: BrowserContext) -> None:
    notebook = lab.open(browser, lab.write("directions.ipynb", SETUP, NEAREST, TASK))
    near, task = notebook.page.locator(".hs-root").all()
    near.scroll_into_view_if_needed()
    expect(near.locator(".hs-title")).to_contain_text("Denver − Colorado + Illinois")
    box = near.get_by_label("Direction")
    box.fill("Austin - Texas +")
    expect(near.get_by_role("alert").first).to_contain_text("At character 17 there is the end")
    box.fill('"The capital of Texas is" - "The bird of Texas is"')
    box.press("Enter")
    expect(near.locator(".hs-title")).to_contain_text("The bird of Texas is")
    expect(near.locator(".hs-tokens")).to_contain_text("capital")
    expect(near.get_by_text("Generate next token")).to_have_count(0)

    task.scroll_into_view_if_needed()
    queries = task.get_by_label("Queries")
    expect(queries).to_have_value("Connecticut → Hartford\nDelaware → Dover")
    queries.fill("Alabama → Montgomery")
    queries.press("Enter")
    expect(task.locator(".hs-error")).to_contain_text("'Alabama' is an example and a query")
    queries.fill("Texas → Austin")
    queries.press("Enter")
    expect(task.locator(".hs-error")).to_have_count(0)
    expect(task.locator(".hs-stage")).to_have_attribute("aria-busy", "false")
    expect(task.locator(".hs-heatmap")).to_be_visible()
    said = "print(task.result.axes[0].labels, task.result['accuracy'][0].tolist())"
    assert notebook.python(said).startswith("('mean', 'Texas → Austin') [0.0, 0.0, 1.0")
    notebook.page.close()
