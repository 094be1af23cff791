import { expect, test, vi } from "vitest";
import { NeedsKernel } from "../../src/host/contract";
import { type FrozenWidget, frozenHost } from "../../src/host/frozen";
import { readWidget } from "../../src/host/packed";
import { decodeResult } from "../../src/wire/decode";
import type { Provenance } from "../../src/wire/types";
import { golden } from "../wire/golden";

const saved = (): FrozenWidget => ({
  widget: "LogitLens",
  fields: [],
  values: { read_out: "all" },
  status: { job: 1, state: "done", fraction: 1, eta_s: null, message: "", paused: null },
  error: null,
  interventions: null,
  effect: "with",
  shifts: [],
  others: [],
  prompt: "the cat",
  selection: { layer: 1 },
  view: { heatmap_measure: "rank" },
  marks: {},
  notes: [],
  missing: [],
  arguments: {},
  payload: golden("grid"),
});

test("holds what was saved", () => {
  const host = frozenHost(saved());
  expect(host.live).toBe(false);
  expect(host.state.result?.title).toBe("Golden grid");
  expect(host.state.selection).toEqual({
    layer: 1,
    head: null,
    dest: null,
    src: null,
    token: null,
    component: null,
    feature: null,
  });
  expect(host.state.view).toEqual({ heatmap_measure: "rank" });
});

test("selection and view options change in the page", () => {
  const host = frozenHost(saved());
  const listener = vi.fn();
  host.subscribe(listener);
  host.setSelection({ token: 2 });
  host.setView({ heatmap_measure: "entropy" });
  host.setSelection({ token: 2 });
  expect(host.state.selection.token).toBe(2);
  expect(host.state.selection.layer).toBe(1);
  expect(host.state.view).toEqual({ heatmap_measure: "entropy" });
  expect(listener).toHaveBeenCalledTimes(2);
});

test("what needs a kernel says so", async () => {
  const host = frozenHost(saved());
  await expect(host.ask("cell", {})).rejects.toThrow(NeedsKernel);
  expect(() => host.setPrompt("x")).toThrow(NeedsKernel);
  expect(() => host.rerun()).toThrow(NeedsKernel);
  expect(host.state.prompt).toBe("the cat");
});

test("widgets of a group share what is selected, positions where the tokens are the same", () => {
  const [one, same, alone] = [
    frozenHost(saved(), "a"),
    frozenHost(saved(), "a"),
    frozenHost(saved()),
  ];
  const other = saved();
  const made = other.payload?.header.data.provenance as Provenance | undefined;
  if (made?.prompts[0]) made.prompts[0].token_ids = [1];
  const apart = frozenHost(other, "a");
  one.setSelection({ layer: 2, head: 1, token: 3 });
  expect(same.state.selection).toMatchObject({ layer: 2, head: 1, token: 3 });
  expect(apart.state.selection).toMatchObject({ layer: 2, head: 1, token: null });
  expect(alone.state.selection).toMatchObject({ layer: 1, head: null, token: null });
});

test("a packed widget is a line of JSON and the buffers that its header describes", () => {
  const { header, buffers } = golden("grid");
  const line = `${JSON.stringify({ version: 4, others: [], prompt: "a\nb", header })}\n`;
  const parts = [
    new TextEncoder().encode(line),
    ...buffers.map((buffer) => new Uint8Array(buffer)),
  ];
  const widget = readWidget(Uint8Array.from(parts.flatMap((part) => [...part])));
  expect(widget.prompt).toBe("a\nb");
  expect(decodeResult(widget.payload)).toEqual(decodeResult(golden("grid")));
  const newer = new TextEncoder().encode('{"version":5}\n');
  expect(() => readWidget(newer)).toThrow("version 4");
});

test("who is drawn later has what was selected before", () => {
  const early = frozenHost(saved(), "b");
  early.setSelection({ layer: 2, head: 1 });
  early.setSelection({ token: 3 });
  expect(frozenHost(saved(), "b").state.selection).toMatchObject({ layer: 2, head: 1, token: 3 });
});

test("steps of the selection go back and forth where they are counted, for the whole group", () => {
  const common = { undo: 7, redo: 2, ran: decodeResult(golden("grid")) as never };
  const holder = frozenHost({ ...saved(), common, payload: null }, "c");
  const view = frozenHost(saved(), "c");
  expect(holder.state.steps).toEqual({ undo: 0, redo: 0 }); // the kernel's went with it
  view.setSelection({ layer: 2, head: 1 });
  view.setSelection({ token: 3 });
  view.setSelection({ token: 3 });
  expect(holder.state.steps).toEqual({ undo: 2, redo: 0 });
  holder.step("undo");
  holder.step("undo");
  holder.step("undo");
  expect(view.state.selection).toEqual(holder.state.selection);
  expect(view.state.selection).toMatchObject({
    layer: 1,
    head: null,
    component: null,
    token: null,
  });
  expect(holder.state.steps).toEqual({ undo: 0, redo: 2 });
  holder.step("redo");
  expect(view.state.selection).toMatchObject({ head: 1, component: "L2H1", token: null });
  view.setSelection({ token: 1 });
  expect(holder.state.steps).toEqual({ undo: 2, redo: 0 });
});
