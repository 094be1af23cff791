"""Circuits and attribution graphs in a real JupyterLab, and saved."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.lab import READY, Lab, Notebook
from tests.e2e.test_lab import MODEL, widget

CIRCUIT = """
pair = hs.demo.prompts["ioi"][0]
w = hs.CircuitDiscovery(model, pair.clean, pair.corrupted)
w
"""
ATTRIBUTION = """
prompt = "The capital of the state containing Dallas is"
w = hs.AttributionGraph(model, prompt, hs.load_demo_transcoders())
w
"""


def told(notebook: Notebook, expression: str) -> object:
    """The value of an expression in the kernel, by way of JSON."""
    return json.loads(notebook.python(f"import json; print(json.dumps({expression}))"))


def go_to(root: Locator, name: str) -> None:
    """Open the panel of a node, as a reader does who knows its name."""
    root.get_by_label("Search nodes").fill(name)
    root.get_by_label("Search nodes").press("Enter")
    expect(root.locator(".hs-graph-detail strong").first).to_have_text(name)


def edge_at(page: Page, figure: Locator) -> None:
    """Click where the pointer is on an edge: found by moving it along the middle of the figure."""
    box = figure.bounding_box()
    assert box is not None
    for at in range(80, int(box["width"]), 4):
        page.mouse.move(box["x"] + at, box["y"] + box["height"] / 2)
        tip = page.locator(".hs-tooltip", has_text="Share of the target's inflow")
        if tip.count() and tip.is_visible():
            page.mouse.down()
            page.mouse.up()
            return
    raise AssertionError("There is no edge.")


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_a_circuit_is_pruned_grouped_labelled_measured_saved_and_read(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("circuit.ipynb", MODEL, CIRCUIT))
    root = widget(notebook.page, "Circuit")
    shown = root.locator(".hs-graph-count")
    expect(shown).to_contain_text("100 of 927 edges")

    slider = root.locator(".hs-graph-slider")
    slider.focus()
    for _ in range(45):
        slider.press("ArrowLeft")
    expect(shown).not_to_contain_text("100 of 927 edges")
    faithful = root.locator(".hs-graph-faithful [role=status]")
    expect(faithful).to_have_attribute("aria-busy", "false")
    outcome = told(notebook, "vars(w.circuit())")
    assert isinstance(outcome, dict)
    assert outcome["requested"] < 100
    expect(shown).to_contain_text(f"{outcome['kept']} of 927 edges")
    expect(faithful).to_contain_text(f"{outcome['kept']} kept")
    shown_faithfulness = faithful.locator("strong").inner_text()
    measured = number(shown_faithfulness)
    assert measured == pytest.approx(outcome["faithfulness"], rel=6e-3)

    # An edge is selected by keys, and its exact value stands beside the estimate.
    figure = root.locator(".hs-graph-canvas")
    go_to(root, "L0H1")
    figure.focus()
    figure.press("e")
    edge = root.get_by_label("Selected edge")
    source, target = edge.locator("strong").all_inner_texts()
    letter = re.search(r"\(([qkv])\)", edge.locator(".hs-graph-head").inner_text())
    edge.get_by_role("button", name="Patch it exactly").click()
    exact = edge.get_by_title("Measured by patching this edge alone")
    ends = f"{source!r}, {target!r}, {letter[1] if letter else ''!r}"
    assert number(exact.inner_text().split()[-1]) == pytest.approx(
        told(notebook, f"w.exact_edge({ends})"), rel=6e-3
    )
    figure.press("Escape")
    expect(edge).to_have_count(0)
    # By the mouse: wherever the pointer shows a hand off the nodes, an edge is.
    edge_at(notebook.page, figure)
    expect(edge).to_be_visible()

    go_to(root, "MLP1")
    expect(edge).to_have_count(0)
    row = root.locator(".hs-graph-links tr", has_text="L0H1").first
    row.get_by_role("button", name="Patch it exactly").click()
    exact = row.get_by_title("Measured by patching this edge alone")
    value = number(exact.inner_text().split()[-1])
    assert value == pytest.approx(told(notebook, "w.exact_edge('L0H1', 'MLP1')"), rel=6e-3)

    for name in ("MLP1", "MLP0"):
        go_to(root, name)
        figure.focus()
        figure.press(" ")
    root.get_by_label("Label of the new group").fill("early MLPs")
    root.get_by_role("button", name="Group", exact=True).click()
    go_to(root, "L0H1")
    root.get_by_label("Label", exact=True).fill("the same name again")
    root.get_by_label("Label", exact=True).press("Enter")
    root.get_by_role("button", name="Suggest groups").click()
    expect(root.locator(".hs-graph-suggested li").first).to_be_visible()

    groups = [{"label": "early MLPs", "nodes": ["MLP1", "MLP0"]}]
    assert told(notebook, "w.groups") == groups
    page = notebook.page
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context")
    page.evaluate(READY)
    root = widget(page, "Circuit")
    expect(root.get_by_label("Label of the group")).to_have_value("early MLPs")
    expect(root.locator(".hs-graph-count")).to_contain_text(f"{outcome['kept']} of 927 edges")
    assert told(notebook, "[w.groups, w.labels]") == [groups, {"L0H1": "the same name again"}]
    assert told(notebook, "[g.label for g in w.result.marks.groups]") == ["early MLPs"]

    root.get_by_role("button", name="CPR and CMD").click()
    expect(root.get_by_label("Faithfulness curve")).to_contain_text("CMD")
    notebook.python("w.save_html('circuit.html')")
    page.goto((lab.root / "circuit.html").as_uri())
    frozen = page.locator(".hs-root")
    expect(frozen.get_by_label("Label of the group")).to_have_value("early MLPs")
    expect(frozen.locator(".hs-graph-faithful strong")).to_have_text(shown_faithfulness)
    expect(frozen.get_by_label("Faithfulness curve")).to_contain_text("CMD")
    expect(frozen.get_by_role("button", name="Minimality")).to_be_disabled()
    page.close()


def test_a_feature_is_looked_into_and_what_follows_its_change_is_measured(
    lab: Lab, browser: BrowserContext
) -> None:
    notebook = lab.open(browser, lab.write("attribution.ipynb", MODEL, ATTRIBUTION))
    root = widget(notebook.page, "Attribution graph")
    name = str(
        told(
            notebook,
            "max((e for e in w.result.names if e.startswith('L3F')), "
            "key=lambda e: w.result.node_measures[0].values[w.result.index(e)])",
        )
    )
    go_to(root, name)
    root.get_by_label("Examples and tokens").check()
    panel = root.locator(".hs-graph-feature")
    expect(panel).to_be_visible(timeout=60_000)
    feature = told(notebook, f"w.feature({name!r})")
    assert isinstance(feature, dict)
    expect(panel.locator(".hs-graph-examples li")).to_have_count(len(feature["examples"]))
    expect(root.get_by_label("Label", exact=True)).to_have_attribute(
        "placeholder", feature["suggested_label"]
    )

    root.get_by_role("button", name="Intervene", exact=True).click()
    rows = root.locator("[aria-label=Intervene] tbody").first.locator("tr")
    expect(rows.first).to_be_visible()
    first = told(notebook, f"vars(w.intervene([{name!r}]).nodes[0])")
    assert isinstance(first, dict)
    cells = rows.first.locator("td").all_inner_texts()
    assert cells[0] == first["name"]
    assert [number(cell) for cell in cells[2:]] == pytest.approx(
        [first["before"], first["predicted"], first["after"]], rel=6e-3
    )

    dest = int(name.split("@")[1])
    heads_of = re.compile(rf"Heads of token@[0-{dest - 1}] → {name}")
    button = root.get_by_role("button", name=heads_of).first
    source = str(button.get_attribute("aria-label")).split()[2]
    button.click()
    heads = root.get_by_label("Heads that carry the edge")
    top = told(notebook, f"vars(w.heads({source!r}, {name!r}).heads[0])")
    assert isinstance(top, dict)
    head = f"L{top['layer']}H{top['head']}"
    expect(heads.locator("tbody tr").first).to_contain_text(head)
    heads.get_by_role("button", name=f"QK of {head}").click()
    src = source.split("@")[1]
    score = told(notebook, f"w.qk({top['layer']}, {top['head']}, {dest}, {src}).score")
    expect(root.get_by_label("Attention score").locator("h3")).to_contain_text(f"{score:.3g}")
    notebook.page.close()
