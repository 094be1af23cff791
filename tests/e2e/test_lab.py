"""The widgets in a real JupyterLab, driven with mouse and keyboard."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.lab import Lab

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

MODEL = "import headscope as hs\nmodel = hs.load_demo()"

#: GPT-2 small's vocabulary and layers with random weights: a lens over it takes many seconds.
SLOW_MODEL = """
import torch, headscope as hs
from transformers import GPT2Config, GPT2LMHeadModel
from transformer_lens.model_bridge.sources import build_bridge_from_module
torch.manual_seed(0)
slow = build_bridge_from_module(
    GPT2LMHeadModel(GPT2Config()).eval(), "GPT2LMHeadModel", hf_config=GPT2Config(),
    tokenizer=None, model_name="slow")
lens = hs.LogitLens(slow, list(range(10, 310)), read_out="all")
lens
"""

#: 12 x 12 heads at 1,000 tokens, each head narrow so that the forward pass is quick.
LONG_PROMPT = """
import torch, headscope as hs
from transformers import GPT2Config, GPT2LMHeadModel
from transformer_lens.model_bridge.sources import build_bridge_from_module
torch.manual_seed(0)
config = GPT2Config(vocab_size=500, n_positions=1024, n_embd=96, n_layer=12, n_head=12)
long = build_bridge_from_module(
    GPT2LMHeadModel(config).eval(), "GPT2LMHeadModel", hf_config=config,
    tokenizer=None, model_name="long")
attn = hs.AttentionPatterns(long, [0] + [7 * i % 450 for i in range(999)])
attn
"""


def widget(page: Page, title: str) -> Locator:
    """The widget whose title starts with `title`, finished and drawn."""
    root = page.locator(".hs-root").filter(has=page.locator(".hs-title", has_text=title)).first
    root.scroll_into_view_if_needed()  # what is out of sight is not drawn
    expect(root.locator(".hs-stage")).to_have_attribute("aria-busy", "false")
    expect(root.locator("canvas").first).to_be_visible()
    return root


def test_the_tour_runs_and_every_widget_is_drawn(lab: Lab, browser: BrowserContext) -> None:
    shutil.copy(NOTEBOOKS / "01_tour.ipynb", lab.root)
    notebook = lab.open(browser, "01_tour.ipynb")
    page = notebook.page
    for title in ("Attention patterns", "Logit lens", "Direct logit attribution"):
        widget(page, title)
    # The last cell is a mistake made on purpose, and says in one line what to do.
    expect(page.locator(".hs-error")).to_have_count(1)
    expect(page.locator(".hs-error")).to_contain_text("tokens, not one")
    page.close()


def test_an_edit_in_the_page_recomputes_and_a_pick_reaches_python(
    lab: Lab, browser: BrowserContext
) -> None:
    name = lab.write(
        "edit.ipynb", MODEL, "attn = hs.AttentionPatterns(model, 'Dallas is in')\nattn"
    )
    notebook = lab.open(browser, name)
    page = notebook.page
    root = widget(page, "Attention patterns")
    expect(root.locator(".hs-tokens li")).to_have_count(4)

    box = root.get_by_label("Prompt", exact=True)
    box.fill("Monday Tuesday Wednesday Thursday")
    expect(root.locator(".hs-tokens li")).to_have_count(5)  # the preview, before it runs
    box.press("Enter")
    expect(root.locator(".hs-next-token").first).to_be_enabled()
    expect(root.locator(".hs-previous")).to_have_count(0)
    notebook.becomes("print(attn.prompt)", "Monday Tuesday Wednesday Thursday")
    ran = json.loads(
        notebook.python("import json; print(json.dumps(attn.result.provenance.prompts[0].tokens))")
    )
    assert ran[1:] == [" Monday", " Tuesday", " Wednesday", " Thursday"]

    overview = root.get_by_label("Heads. Arrow keys move")
    overview.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        overview.press(key)
    notebook.becomes("print(attn.selection['layer'], attn.selection['head'])", "1 2")

    notebook.python("attn.selection = {'layer': 3, 'head': 5}")
    expect(root.get_by_text("L3H5").first).to_be_visible()

    best = notebook.python("print(attn.result.next_tokens[0].text)")
    root.get_by_role("button", name="Generate next token").click()
    expect(root.locator(".hs-tokens li")).to_have_count(6)
    expect(root.locator(".hs-previous")).to_have_count(0)
    extended = notebook.python("print(attn.prompt)")
    assert "".join(extended.split()) == f"MondayTuesdayWednesdayThursday{best.strip()}"
    page.close()


def test_the_newest_edit_wins(lab: Lab, browser: BrowserContext) -> None:
    name = lab.write("newest.ipynb", MODEL, "lens = hs.LogitLens(model, 'A B C')\nlens")
    notebook = lab.open(browser, name)
    root = widget(notebook.page, "Logit lens")
    box = root.get_by_label("Prompt", exact=True)
    for prompt in ("one two three", "four five six", "Monday Tuesday Wednesday"):
        box.fill(prompt)
        box.press("Enter")
    expect(root.locator(".hs-tokens")).to_contain_text("Wednesday")
    expect(root.locator(".hs-previous")).to_have_count(0)
    notebook.page.wait_for_timeout(500)
    assert notebook.python("print(lens.result.provenance.prompts[0].text)").endswith(
        "Monday Tuesday Wednesday"
    )
    notebook.page.close()


def test_bad_input_is_one_line_in_the_page(lab: Lab, browser: BrowserContext) -> None:
    name = lab.write("bad.ipynb", MODEL, "attn = hs.AttentionPatterns(model, '')\nattn")
    notebook = lab.open(browser, name)
    page = notebook.page
    error = page.locator(".hs-error")
    expect(error).to_be_visible()
    assert "Traceback" not in page.locator(".jp-Notebook").inner_text()
    assert notebook.python("print(type(attn.last_error).__name__)") == "PromptError"
    page.get_by_label("Prompt", exact=True).fill("Dallas is in")
    page.get_by_label("Prompt", exact=True).press("Enter")
    expect(error).to_have_count(0)
    widget(page, "Attention patterns")
    page.close()


def test_a_long_job_shows_progress_and_is_cancelled(lab: Lab, browser: BrowserContext) -> None:
    notebook = lab.open(browser, lab.write("slow.ipynb", SLOW_MODEL))
    page = notebook.page
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible(timeout=60_000)
    start = time.monotonic()
    assert notebook.python("print(6 * 7)") == "42"  # the kernel answers meanwhile
    assert time.monotonic() - start < 3
    cancel.click()
    expect(page.get_by_text("Cancelled").first).to_be_visible(timeout=5_000)
    assert notebook.python("print(lens.status['state'])") == "cancelled"
    hooks = "print(sum(len(h.fwd_hooks) for h in slow.hook_dict.values()))"
    assert notebook.python(hooks) == "0"
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    page.close()


def test_a_thousand_tokens(lab: Lab, browser: BrowserContext) -> None:
    notebook = lab.open(browser, lab.write("long.ipynb", LONG_PROMPT))
    page = notebook.page
    root = widget(page, "Attention patterns")
    assert notebook.python("print(len(attn.result.heads), attn.result.overview.shape[-1])") != ""
    notebook.python("attn.selection = {'layer': 7, 'head': 3}")
    expect(root.get_by_text("L7H3").first).to_be_visible()
    weights = "print(attn.head(7, 3).shape, float(attn.head(7, 3)[-1].sum().round(3)))"
    assert notebook.python(weights) == "(1000, 1000) 1.0"
    page.close()


def test_the_theme_is_followed(lab: Lab, browser: BrowserContext) -> None:
    name = lab.write("theme.ipynb", MODEL, "lens = hs.LogitLens(model, 'A B C')\nlens")
    notebook = lab.open(browser, name)
    root = widget(notebook.page, "Logit lens")
    expect(root).to_have_attribute("data-theme", "light")
    light = root.evaluate("(e) => getComputedStyle(e).backgroundColor")
    notebook.theme("JupyterLab Dark")
    expect(root).to_have_attribute("data-theme", "dark")
    assert root.evaluate("(e) => getComputedStyle(e).backgroundColor") != light
    notebook.theme("JupyterLab Light")
    notebook.page.close()


def test_the_bundle_travels_once_for_all_widgets(lab: Lab, browser: BrowserContext) -> None:
    cell = "ws = [hs.LogitLens(model, p) for p in ('A B C', 'D E F', 'G H I')]\n"
    name = lab.write("once.ipynb", MODEL, cell + "for w in ws: display(w)")
    notebook = lab.open(browser, name, own_kernel=True)
    expect(notebook.page.locator(".hs-root canvas").first).to_be_visible()
    code = (
        "from ipywidgets.widgets.widget import _instances; "
        "print(sorted(len(w._esm) > 50_000 for w in _instances.values() "
        "if hasattr(w, '_esm')))"
    )
    assert notebook.python(code) == "[False, False, False, True]"
    notebook.page.close()
