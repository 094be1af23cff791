// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { NOTHING } from "../../src/state/selection";
import type { ViewProps } from "../../src/views/contract";
import { GraphView } from "../../src/views/graph";
import type { CircuitGraph, Selection } from "../../src/wire/types";
import { goldenGraph, makeGraph } from "./graphs";

let root: HTMLElement;
let marks: Record<string, unknown>;
let options: Record<string, unknown>;
let selection: Selection;
let said: string[];
let ask: ReturnType<typeof vi.fn<ViewProps["ask"]>>;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  marks = { pinned: [], groups: [], labels: {}, places: [], threshold: {} };
  options = {};
  selection = NOTHING;
  said = [];
  ask = vi.fn<ViewProps["ask"]>(async () => ({ value: { exact: 2.5 }, arrays: [] }));
});
afterEach(() => {
  render(null, root);
  root.remove();
});

async function show(
  result: CircuitGraph,
  more: Partial<ViewProps<CircuitGraph>> = {},
): Promise<void> {
  const draw = (): void => {
    render(
      <GraphView
        result={result}
        resultId={1}
        job={1}
        selection={selection}
        select={(patch) => {
          selection = { ...selection, ...patch };
          draw();
        }}
        options={options}
        setOption={(name, value) => {
          options = { ...options, [name]: value };
          draw();
        }}
        marks={marks}
        setMark={(name, value) => {
          marks = { ...marks, [name]: value };
          draw();
        }}
        asks={[]}
        ask={ask}
        live={true}
        theme="light"
        width={800}
        announce={(text) => said.push(text)}
        {...more}
      />,
      root,
    );
  };
  await act(draw);
}

const find = <E extends HTMLElement = HTMLElement>(selector: string): E => {
  const found = root.querySelector<E>(selector);
  if (!found) throw new Error(`There is no ${selector}.`);
  return found;
};
const buttons = (name: string): HTMLButtonElement[] =>
  [...root.querySelectorAll("button")].filter(
    (b) => b.textContent === name || b.getAttribute("aria-label") === name,
  );
const click = (name: string): Promise<void> => act(async () => buttons(name)[0]?.click());
const press = (key: string, init: KeyboardEventInit = {}): Promise<void> =>
  act(() => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
    find(".hs-graph-canvas").dispatchEvent(event);
  });
const input = (element: HTMLInputElement, value: string, type = "input"): Promise<void> =>
  act(() => {
    element.value = value;
    element.dispatchEvent(new Event(type, { bubbles: true }));
  });
const counted = (): string => find(".hs-graph-count").textContent ?? "";

/** Presses of an arrow that bring the cursor from the first target to a node. */
async function walkTo(name: string): Promise<void> {
  await input(find("input[type=search]"), name);
  await act(() => find(".hs-graph-found button").click());
}

it("says how much of all it shows, and prunes again while a slider moves", async () => {
  await show(goldenGraph());
  expect(counted()).toContain("8 of 12 nodes, 9 of 40 edges (10 were sent)");
  const slider = find<HTMLInputElement>(".hs-graph-slider");
  await input(slider, "0.2");
  expect(counted()).not.toContain("9 of 40 edges");
  expect(marks.threshold).toEqual({});
  await input(slider, "0.2", "change");
  expect(marks.threshold).toEqual({ nodes: 0.2, edges: 0.98 });
  await click("Undo");
  expect(counted()).toContain("9 of 40 edges");
});

it("walks, speaks and pins by keyboard, and takes steps back and forth", async () => {
  await show(goldenGraph());
  await walkTo("L1F12@3");
  await press("ArrowDown");
  expect(said.at(-1)).toContain("L0F12@1");
  await press("Enter");
  expect(marks.pinned).toEqual(["L0F12@1"]);
  expect(selection.token).toBe(1);
  await press("ArrowUp");
  expect(said.at(-1)).toContain("L1F12@3");
  await press("z", { ctrlKey: true });
  expect(marks.pinned).toEqual([]);
  await press("Z", { ctrlKey: true, shiftKey: true });
  expect(marks.pinned).toEqual(["L0F12@1"]);
});

it("selects a head for the other widgets", async () => {
  const circuit = makeGraph(
    "components",
    [
      ["embed", -1, -1, -1],
      ["head", 2, -1, 5],
      ["logits", -1, -1, -1],
    ],
    [
      [0, 1, 1, 1],
      [1, 2, 1],
    ],
  );
  await show(circuit);
  await walkTo("L2H5");
  await press("Enter");
  expect([selection.layer, selection.head]).toEqual([2, 5]);
});

it("makes a group of what is selected, renames and dissolves it", async () => {
  await show(goldenGraph());
  for (const name of ["L0F12@1", "L1F12@3"]) {
    await walkTo(name);
    await press(" ");
  }
  await input(find("input[aria-label='Label of the new group']"), "capitals");
  await click("Group");
  expect(marks.groups).toEqual([{ label: "capitals", nodes: ["L0F12@1", "L1F12@3"] }]);
  await input(find("input[aria-label='Label of the group']"), "<b>states</b>", "change");
  expect(marks.groups).toEqual([{ label: "<b>states</b>", nodes: ["L0F12@1", "L1F12@3"] }]);
  expect(root.querySelector("b")).toBeNull();
  await click("Dissolve <b>states</b>");
  expect(marks.groups).toEqual([]);
});

it("shows only what is pinned, with the edges between", async () => {
  marks.pinned = ["L0F12@1", "L1F12@3", "logit10@6"];
  options.graph_only_pinned = true;
  await show(goldenGraph());
  expect(counted()).toContain("3 of 12 nodes, 3 of 40 edges");
});

it("offers an edge's exact value where a kernel answers, and says why not elsewhere", async () => {
  await show(goldenGraph(), { live: false });
  await walkTo("L0F12@1");
  const [shut] = buttons("Patch it exactly");
  expect([shut?.disabled, shut?.title]).toEqual([true, "Needs a live kernel"]);
  await show(goldenGraph(), { asks: ["edge"] });
  await click("Patch it exactly");
  expect(ask).toHaveBeenCalledWith("edge", { source: "token@1", target: "L0F12@1", input: "" });
  expect(find(".hs-graph-detail").textContent).toContain("exact 2.5");
});

it("is a table on demand", async () => {
  options.graph_table = true;
  await show(goldenGraph());
  expect(root.querySelectorAll(".hs-graph-table tbody tr")).toHaveLength(9);
});

it("takes marks that make no sense for none", async () => {
  marks = { pinned: "x", groups: [{ label: 3 }, null], labels: [], places: [{}], threshold: "1" };
  await show(goldenGraph());
  expect(counted()).toContain("9 of 40 edges");
});
