// What the panes of a comparison share, and the one scale that they are drawn on.
import { expect, test, vi } from "vitest";
import { type FrozenWidget, frozenHost } from "../../src/host/frozen";
import { sharing } from "../../src/host/sharing";
import { shareOf } from "../../src/shell/compare";
import { commonHigh, scaled } from "../../src/views/attention/weighting";
import { readOptions } from "../../src/views/heatmap/options";
import { sliceOf } from "../../src/views/heatmap/slice";
import { readScales } from "../../src/views/scales";
import { patterns } from "../attention/patterns";
import { lensGrid } from "../heatmap/grids";
import { golden } from "../wire/golden";

const saved = (widget: string, view: Record<string, unknown>): FrozenWidget => ({
  widget,
  fields: [],
  values: {},
  status: { job: 1, state: "done", fraction: 1, eta_s: null, message: "", paused: null },
  error: null,
  interventions: null,
  effect: "with",
  shifts: [],
  others: [],
  prompt: null,
  selection: {},
  view,
  marks: {},
  notes: [],
  missing: [],
  arguments: {},
  payload: golden("grid"),
});

const SCALES = { probability: [0, 0.5] };

function compared() {
  const container = frozenHost(saved("Compare", { scales: SCALES, columns: [["left"]] }));
  const pane = (name: string) =>
    sharing(frozenHost(saved("LogitLens", { heatmap_cell: [0, 1] })), shareOf(container, name));
  return { container, left: pane("left"), right: pane("right"), difference: pane("difference") };
}

test("a choice in one pane is that of all, a pinned cell is its own", () => {
  const { container, left, right } = compared();
  const heard = vi.fn();
  const end = right.subscribe(heard);
  left.setView({ heatmap_measure: "effect", heatmap_cell: [2, 2] });
  expect(heard).toHaveBeenCalledTimes(1);
  expect(right.state.view).toEqual({
    scales: SCALES,
    heatmap_measure: "effect",
    heatmap_cell: [0, 1],
  });
  expect(left.state.view.heatmap_cell).toEqual([2, 2]);
  expect(container.state.view.heatmap_cell).toBeUndefined();
  expect(right.state).toBe(right.state);
  end();
  left.setView({ heatmap_measure: "probability" });
  expect(heard).toHaveBeenCalledTimes(1);
});

test("all panes are on one scale, until the difference is given its own", () => {
  const { container, left, right, difference } = compared();
  const scales = () => [left, right, difference].map(({ state }) => state.view.scales);
  expect(scales()).toEqual([SCALES, SCALES, SCALES]);
  container.setView({ own_scale: true });
  expect(scales()).toEqual([SCALES, SCALES, undefined]);
});

test("a given domain is that of sequential scales, and the reach of diverging ones", () => {
  const grid = lensGrid(2);
  const [probability] = grid.measures;
  const options = readOptions({ scales: SCALES }, grid);
  const shown = (of: typeof grid) =>
    sliceOf(of, { measure: 0, upward: false, chosen: [], scales: options.scales }).measure.scale;
  expect(shown(grid)).toMatchObject({ kind: "sequential", low: 0, high: 0.5 });
  if (!probability) throw new Error("no measure");
  const scale = { ...probability.scale, kind: "diverging" as const, low: -0.1, high: 0.1 };
  const less = { ...grid, measures: [{ ...probability, scale }] };
  expect(shown(less)).toMatchObject({ kind: "diverging", low: -0.5, high: 0.5 });
  const attention = scaled(patterns(), { scales: { attention: [0, 2] } });
  expect(commonHigh(attention, "attention")).toBe(2);
  expect(commonHigh(attention, "value")).toBe(commonHigh(patterns(), "value"));
});

test("scales that are none are left alone", () => {
  for (const scales of [undefined, 3, { a: [1] }, { a: [1, 0] }, { a: [0, "1"] }])
    expect(readScales({ scales })).toEqual({});
});
