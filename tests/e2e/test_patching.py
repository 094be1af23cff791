"""Activation patching in a real JupyterLab, and in a saved page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Position, expect

import headscope as hs
from tests.e2e.lab import Lab, Notebook
from tests.e2e.test_lab import MODEL, widget

CLEAN = "When Anna and Mark went to the store, Anna gave a drink to"
CORRUPTED = "When Anna and Mark went to the store, Mark gave a drink to"
LONGER = "When Anna and Mark went to the big old store, Mark gave a drink to"
TITLE = "Activation patching"

#: Layers with random weights take seconds, so that estimates are seen before exact values.
SLOW = """
import torch, headscope as hs
from transformers import GPT2Config, GPT2LMHeadModel
from transformer_lens.model_bridge.sources import build_bridge_from_module
torch.manual_seed(0)
demo = hs.load_demo()
config = GPT2Config(vocab_size=demo.cfg.d_vocab, n_layer=6)
slow = build_bridge_from_module(
    GPT2LMHeadModel(config).eval(), "GPT2LMHeadModel", hf_config=config,
    tokenizer=demo.tokenizer, model_name="slow")
w = hs.ActivationPatching(slow, " Anna", " Mark", answer=" Anna", wrong=" Mark")
w
"""
LONG = f"{CLEAN} Mark. " * 4 + CLEAN
LONG_CORRUPTED = f"{CLEAN} Mark. " * 2 + f"{CORRUPTED} Anna. " * 2 + CORRUPTED

#: From the top of the tokens over the cells to the cells.
STRIP = 24


def patching(lab: Lab, browser: BrowserContext, name: str, call: str) -> tuple[Notebook, Locator]:
    notebook = lab.open(browser, lab.write(name, MODEL, f"w = hs.ActivationPatching({call})\nw"))
    return notebook, widget(notebook.page, TITLE)


def counts(root: Locator) -> dict[str, int]:
    """How many cells are in which state, as the legend says."""
    texts = root.locator(".hs-legend-state").all_inner_texts()
    pairs = [text.strip().split(" ", 1) for text in texts]
    return {state: int(count) for count, state in pairs}


def cell(root: Locator, row: int, column: int, rows: int) -> Position:
    """Where a cell of the map is: under the token over its column."""
    box = root.locator(".hs-heatmap-scroller").bounding_box()
    chip = root.locator(".hs-strip .hs-meet").nth(column).bounding_box()
    assert box is not None
    assert chip is not None
    top = chip["y"] + STRIP - box["y"]
    y = top + (row + 0.5) * (box["height"] - top) / rows
    return {"x": chip["x"] + chip["width"] / 2 - box["x"], "y": y}


def test_a_typed_pair_is_estimated_then_exact_and_goes_on_after_pause_and_cancel(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("patch-slow.ipynb", SLOW))
    root = widget(notebook.page, TITLE)
    expect(root.locator(".hs-legend-state")).to_have_text(["12 exact"])

    other = root.get_by_label("Corrupted", exact=True)
    other.fill(LONG_CORRUPTED)
    other.press("Enter")
    clean = root.get_by_label("Prompt", exact=True)
    clean.fill(LONG)
    clean.press("Enter")
    estimates = root.locator(".hs-legend-state", has_text="estimate")
    expect(estimates).to_be_visible()
    seen = counts(root)
    assert seen["exact"] >= 6 * 34, "nothing differs before the first token that does"
    cells = sum(seen.values())
    assert cells == 6 * int(notebook.python("print(len(w._shown().axes[1]))"))
    expect(root.locator(".hs-outdated, .hs-previous")).to_have_count(0)

    root.get_by_role("button", name="Pause").click()
    expect(root.get_by_text("Paused")).to_be_visible()
    notebook.page.wait_for_timeout(500)
    paused = counts(root)
    notebook.page.wait_for_timeout(700)
    assert counts(root) == paused
    root.get_by_role("button", name="Resume").click()
    expect(estimates).not_to_contain_text(str(paused["estimate"]))

    root.get_by_role("button", name="Cancel").click()
    expect(root.locator(".hs-status")).to_contain_text("Cancelled")
    kept = counts(root)
    assert paused["exact"] < kept["exact"] < cells
    root.get_by_role("button", name="Run again").click()
    expect(root.locator(".hs-legend-state")).to_have_text([f"{cells} exact"], timeout=60_000)
    assert notebook.python("print((w.result.states == 3).all())") == "True"
    notebook.page.close()


def test_a_cell_shows_its_runs_is_pinned_and_patched_with_others(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook, root = patching(lab, browser, "patch.ipynb", f"model, {CLEAN!r}, {CORRUPTED!r}")
    spot = cell(root, 1, 14, rows=4)
    grid = root.locator(".hs-heatmap-scroller")
    grid.hover(position=spot)
    effect = float(notebook.python("print(w.result['effect'][1, 14])"))
    expect(root.locator(".hs-tooltip")).to_contain_text(f"{effect:.4g} (exact)")
    grid.click(position=spot)
    notebook.becomes("print(w.selection['layer'])", "1")
    runs = root.locator(".hs-runs tbody tr")
    outcome = json.loads(
        notebook.python(
            "import json; o = w.outcome(1, 14); "
            "print(json.dumps([o.metric, [t.patched for t in o.tokens]]))"
        )
    )
    assert runs.first.locator("td").all_inner_texts() == [
        f"{outcome[0][run]:.3g}".replace("-", "−") for run in ("clean", "corrupted", "patched")
    ]
    shown = [row.locator("td").nth(2).inner_text() for row in runs.all()[1:]]
    assert [float(text) for text in shown] == pytest.approx(outcome[1][: len(shown)], abs=6e-4)

    grid.click(position=cell(root, 0, 10, rows=4), modifiers=["Shift"])
    together = root.locator(".hs-total", has_text="Patched together")
    joint = float(notebook.python("print(w.joint([1, 14], [0, 10])['joint'])"))
    expect(together).to_contain_text(re.compile(r"\d"))
    assert float(together.inner_text().split()[-1]) == pytest.approx(joint, abs=6e-4)

    root.get_by_role("button", name="Patch these").click()
    pinned = root.locator(".hs-pinned .hs-token")
    expect(pinned).to_have_count(2)
    notebook.becomes("print(len(w.pinned))", "2")
    on_top = notebook.python("print(w.run().provenance.parameters['pinned'])")
    assert json.loads(on_top)[0]["label"] in pinned.first.inner_text()
    root.get_by_role("button", name="Remove all").click()
    expect(pinned).to_have_count(0)
    notebook.becomes("print(w.pinned)", "()")
    notebook.page.close()


def test_tokens_are_realigned_by_key_and_by_mouse(lab: Lab, browser: BrowserContext) -> None:
    notebook, root = patching(lab, browser, "align.ipynb", f"model, {CLEAN!r}, {LONGER!r}")
    found = json.loads(notebook.python("print(w.result.alignment.source.tolist())"))
    assert found[8:11] == [-1, -1, 8]
    expect(root.locator(".hs-legend-state", has_text="8 not applicable")).to_be_visible()

    store = root.locator(".hs-strip [data-token='8']")
    store.press("ArrowLeft")
    expect(store).to_have_attribute("aria-label", re.compile("meets corrupted 9 ·old"))
    expect(store).to_be_focused()
    store.press("ArrowLeft")
    notebook.becomes("print(w.run().alignment.source.tolist()[8:11])", "[8, -1, -1]")

    box = store.bounding_box()
    assert box is not None
    mouse = notebook.page.mouse
    mouse.move(box["x"] + 9, box["y"] + 9)
    mouse.down()
    mouse.move(box["x"] + 9 - 4 * (box["width"] + 2), box["y"] + 9, steps=4)
    expect(root.locator(".hs-crossing")).to_be_visible()  # to the left of others that stay
    mouse.move(box["x"] + 9 + 2 * (box["width"] + 2), box["y"] + 9, steps=4)
    expect(root.locator(".hs-crossing")).to_have_count(0)
    mouse.up()
    expect(store).to_have_attribute("aria-label", re.compile("meets corrupted 10 ·store"))
    root.get_by_role("button", name="Align automatically").click()
    expect(root.get_by_role("button", name="Align automatically")).to_have_count(0)
    notebook.becomes("print(w.run().alignment.source.tolist())", str(found))
    notebook.page.close()


def test_a_saved_page_keeps_all_that_needs_no_kernel(
    tmp_path: Path, browser: BrowserContext
) -> None:
    saved = hs.ActivationPatching(hs.load_demo(), CLEAN, LONGER)
    saved.run()
    page = browser.new_page()
    page.goto(saved.save_html(tmp_path / "patching.html").as_uri())
    root = page.locator(".hs-root")
    expect(root.get_by_label("Corrupted", exact=True)).to_have_value(LONGER)
    expect(root.get_by_label("Corrupted", exact=True)).to_be_disabled()
    expect(root.locator(".hs-strip .hs-differs")).to_have_text(["·Anna"])
    expect(root.locator(".hs-strip [data-token='8']")).to_be_disabled()
    grid = root.locator(".hs-heatmap-scroller")
    grid.click(position=cell(root, 1, 16, rows=4))
    expect(root.locator(".hs-runs")).to_contain_text("Effect: exact")
    expect(root.locator(".hs-runs")).to_contain_text("need a live kernel")
    expect(root.get_by_role("button", name="Patch here")).to_be_disabled()
    root.get_by_text("Estimates against exact values").click()
    expect(root.locator(".hs-worst li").first).to_contain_text("estimate")
    page.close()
