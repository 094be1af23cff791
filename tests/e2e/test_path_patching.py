"""Path patching in a real JupyterLab: its cells, its alignment, and fields without effect."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.lab import Lab
from tests.e2e.test_lab import MODEL, widget
from tests.e2e.test_patching import CLEAN, LONGER


def test_a_path_is_looked_into_and_tokens_are_realigned(lab: Lab, browser: BrowserContext) -> None:
    call = f"w = hs.PathPatching(model, {CLEAN!r}, {LONGER!r}, receivers='L3H1.q')\nw"
    notebook = lab.open(browser, lab.write("paths.ipynb", MODEL, call))
    root = widget(notebook.page, "Path patching")
    expect(root.locator(".hs-legend-state")).to_have_text(["10 not applicable", "22 exact"])
    expect(root.get_by_label("Answer", exact=True)).to_have_attribute(
        "placeholder", notebook.python("print('·' + w.result.provenance.parameters['answer'][1:])")
    )

    grid = root.locator(".hs-heatmap-scroller")
    grid.focus()
    grid.press("ArrowRight")
    grid.press("Enter")
    notebook.becomes("print(w.selection['layer'] is None)", "False")
    layer, column = json.loads(
        notebook.python("print([w.selection['layer'], w.selection['head']])")
    )
    outcome = json.loads(
        notebook.python(
            f"o = w.outcome({layer}, {column}); import json; "
            "print(json.dumps([o.metric, [t.patched for t in o.tokens]]))"
        )
    )
    runs = root.locator(".hs-runs tbody tr")
    expect(runs.nth(2)).to_be_visible()
    assert runs.first.locator("td").all_inner_texts() == [
        f"{outcome[0][run]:.3g}".replace("-", "−") for run in ("clean", "corrupted", "patched")
    ]
    shown = [row.locator("td").nth(2).inner_text() for row in runs.all()[1:]]
    assert [float(text) for text in shown] == pytest.approx(outcome[1][: len(shown)], abs=6e-4)
    expect(root.get_by_role("button", name="Patch here")).to_have_count(0)

    found = json.loads(notebook.python("print(w.result.alignment.source.tolist())"))
    assert found[8:11] == [-1, -1, 8]
    store = root.locator(".hs-alone [data-token='8']")
    store.press("ArrowLeft")
    expect(store).to_have_attribute("aria-label", re.compile("meets corrupted 9 ·old"))
    notebook.becomes("print(w.run().alignment.source.tolist()[8:11])", "[-1, 8, -1]")
    root.get_by_role("button", name="Align automatically").click()
    expect(store).to_have_attribute("aria-label", re.compile("meets corrupted 10 ·store"))

    root.get_by_label("Sender", exact=True).fill("L0H1")
    root.get_by_label("Sender", exact=True).press("Enter")
    expect(root.get_by_role("alert")).to_contain_text("both given")
    root.get_by_label("Receivers", exact=True).fill("")
    root.get_by_label("Receivers", exact=True).press("Enter")
    expect(root.locator(".hs-title")).to_contain_text("receivers of L0H1")
    wrong = root.get_by_label("Wrong", exact=True)
    expect(wrong).to_be_visible()
    root.get_by_role("combobox", name="Metric").select_option("log_prob")
    expect(wrong).to_have_count(0)
    notebook.page.close()
