// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it } from "vitest";
import { goldenGraph, smallCircuit } from "./graphs";
import {
  asked,
  buttons,
  click,
  close,
  counted,
  find,
  input,
  open,
  page,
  press,
  show,
  walkTo,
} from "./page";

beforeEach(open);
afterEach(close);

it("says how much of all it shows, and prunes again while a slider moves", async () => {
  await show(goldenGraph());
  expect(counted()).toContain("8 of 12 nodes, 9 of 40 edges (10 were sent)");
  const slider = find<HTMLInputElement>(".hs-graph-slider");
  await input(slider, "0.2");
  expect(counted()).not.toContain("9 of 40 edges");
  expect(page.marks.threshold).toEqual({});
  await input(slider, "0.2", "change");
  expect(page.marks.threshold).toEqual({ nodes: 0.2, edges: 0.98 });
  await click("Undo");
  expect(counted()).toContain("9 of 40 edges");
});

it("walks, speaks and pins by keyboard, and takes steps back and forth", async () => {
  await show(goldenGraph());
  await walkTo("L1F12@3");
  await press("ArrowDown");
  expect(page.said.at(-1)).toContain("L0F12@1");
  await press("Enter");
  expect(page.marks.pinned).toEqual(["L0F12@1"]);
  expect(page.selection.token).toBe(1);
  await press("ArrowUp");
  expect(page.said.at(-1)).toContain("L1F12@3");
  await press("z", { ctrlKey: true });
  expect(page.marks.pinned).toEqual([]);
  await press("Z", { ctrlKey: true, shiftKey: true });
  expect(page.marks.pinned).toEqual(["L0F12@1"]);
});

it("selects a head for the other widgets", async () => {
  await show(smallCircuit());
  await walkTo("L2H5");
  await press("Enter");
  expect([page.selection.layer, page.selection.head]).toEqual([2, 5]);
});

it("goes to the head that is selected in another widget", async () => {
  await show(smallCircuit());
  page.selection = { ...page.selection, component: "L2H5" };
  await show(smallCircuit());
  expect(find(".hs-graph-detail").textContent).toContain("L2H5");
});

it("makes a group of what is selected, renames and dissolves it", async () => {
  await show(goldenGraph());
  for (const name of ["L0F12@1", "L1F12@3"]) {
    await walkTo(name);
    await press(" ");
  }
  await input(find("input[aria-label='Label of the new group']"), "capitals");
  await click("Group");
  expect(page.marks.groups).toEqual([{ label: "capitals", nodes: ["L0F12@1", "L1F12@3"] }]);
  await input(find("input[aria-label='Label of the group']"), "<b>states</b>", "change");
  expect(page.marks.groups).toEqual([{ label: "<b>states</b>", nodes: ["L0F12@1", "L1F12@3"] }]);
  expect(page.root.querySelector("b")).toBeNull();
  await click("Dissolve <b>states</b>");
  expect(page.marks.groups).toEqual([]);
});

it("shows only what is pinned, with the edges between", async () => {
  page.marks.pinned = ["L0F12@1", "L1F12@3", "logit10@6"];
  page.options.graph_only_pinned = true;
  await show(goldenGraph());
  expect(counted()).toContain("3 of 12 nodes, 3 of 40 edges");
});

it("offers an edge's exact value where a kernel answers, and says why not elsewhere", async () => {
  await show(smallCircuit(), { live: false });
  await walkTo("L2H5");
  const [shut] = buttons("Patch it exactly");
  expect([shut?.disabled, shut?.title]).toEqual([true, "Needs a live kernel"]);
  await show(smallCircuit(), { asks: ["edge"] });
  await click("Patch it exactly");
  expect(asked("edge")).toEqual([{ source: "embed", target: "L2H5", input: "q" }]);
  expect(find(".hs-graph-detail").textContent).toContain("exact 2.5");
});

it("is a table on demand", async () => {
  page.options.graph_table = true;
  await show(goldenGraph());
  expect(page.root.querySelectorAll(".hs-graph-table tbody tr")).toHaveLength(9);
});

it("takes marks that make no sense for none", async () => {
  page.marks = {
    pinned: "x",
    groups: [{ label: 3 }, null],
    labels: [],
    places: [{}],
    threshold: "1",
  };
  await show(goldenGraph());
  expect(counted()).toContain("9 of 40 edges");
});

const OF_ANOTHER = {
  pinned: ["L9H9", "L2H5"],
  groups: [
    { label: "gone", nodes: ["L9H9", "L9H8"] },
    { label: "half", nodes: ["L9H7", "embed"] },
  ],
};

it("keeps marks of nodes that another graph has, and shows them for no more than that", async () => {
  Object.assign(page.marks, OF_ANOTHER);
  await show(smallCircuit());
  const labels = [
    ...page.root.querySelectorAll<HTMLInputElement>("[aria-label='Label of the group']"),
  ];
  expect(labels.map(({ value, title }) => [value, title])).toEqual([["half", "1 nodes: embed"]]);
  expect(counted()).toContain("2 marks belong to another graph");
  expect(counted()).toContain("Showing 3 of 3 nodes");
  await walkTo("L2H5");
  await press("Enter");
  await click("Dissolve half");
  expect(page.marks.pinned).toEqual(["L9H9"]);
  expect(page.marks.groups).toEqual([OF_ANOTHER.groups[0]]);
  expect(buttons("Group")).toHaveLength(0);
  await show(goldenGraph());
  expect(counted()).toContain("belong to another graph");
});

it("counts the circuit apart from what is there for pinned nodes", async () => {
  page.marks.threshold = { nodes: 0.01, edges: 0.01 };
  await show(goldenGraph());
  const [circuit] = counted().split(" edges");
  page.marks.pinned = ["L0F7@3", "token@3"];
  await show(goldenGraph());
  expect(counted()).toMatch(`${circuit} edges`);
  expect(counted()).toMatch(/for what is pinned 1 node and \d+ edges? outside of that/);
  await walkTo("L0F7@3");
  expect(find(".hs-graph-detail").textContent).toContain("pruned");
});

it("selects an edge by keyboard and by a click, with its estimate and its exact value", async () => {
  await show(smallCircuit(), { asks: ["edge"] });
  await walkTo("L2H5");
  await press("e");
  expect(page.said.at(-1)).toBe("edge embed to L2H5 (q), +1 logits, 100%");
  await press("e");
  expect(page.said.at(-1)).toBe("edge L2H5 to logits, +1 logits, 100%");
  await press("E", { shiftKey: true });
  const panel = find("[aria-label='Selected edge']");
  expect(panel.textContent).toContain("embed→L2H5(q)Effect +1 logits");
  expect(panel.contains(buttons("Patch it exactly")[0] ?? null)).toBe(true);
  await click("Patch it exactly");
  expect(asked("edge")).toEqual([{ source: "embed", target: "L2H5", input: "q" }]);
  await press("Escape");
  expect(page.root.querySelector("[aria-label='Selected edge']")).toBeNull();

  // Between the rows, on the only line there.
  const canvas = find(".hs-graph-canvas");
  const { width, height } = { width: 800, height: Number.parseFloat(canvas.style.height) };
  for (let y = 10; y < height && !page.root.querySelector("[aria-label='Selected edge']"); y += 7) {
    for (const type of ["pointerdown", "pointerup"]) {
      const at = { clientX: 62 + (width - 62) / 2, clientY: y, bubbles: true, button: 0 };
      await act(() => {
        canvas.dispatchEvent(new PointerEvent(type, at));
      });
    }
  }
  expect(find("[aria-label='Selected edge']").textContent).toContain("→");
});
