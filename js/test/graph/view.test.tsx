// @vitest-environment happy-dom
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
