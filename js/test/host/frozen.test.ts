import { expect, test, vi } from "vitest";
import { NeedsKernel } from "../../src/host/contract";
import { type FrozenWidget, frozenHost } from "../../src/host/frozen";
import { frozenPayload } from "../wire/golden";

const saved = (): FrozenWidget => ({
  widget: "LogitLens",
  fields: [],
  values: { read_out: "all" },
  status: { job: 1, state: "done", fraction: 1, eta_s: null, message: "", paused: null },
  error: null,
  prompt: "the cat",
  selection: { layer: 1 },
  view: { measure: "rank" },
  marks: {},
  payload: frozenPayload("grid"),
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
  });
  expect(host.state.view).toEqual({ measure: "rank" });
});

test("selection and view options change in the page", () => {
  const host = frozenHost(saved());
  const listener = vi.fn();
  host.subscribe(listener);
  host.setSelection({ token: 2 });
  host.setView({ measure: "entropy" });
  host.setSelection({ token: 2 });
  expect(host.state.selection.token).toBe(2);
  expect(host.state.selection.layer).toBe(1);
  expect(host.state.view).toEqual({ measure: "entropy" });
  expect(listener).toHaveBeenCalledTimes(2);
});

test("what needs a kernel says so", async () => {
  const host = frozenHost(saved());
  await expect(host.ask("cell", {})).rejects.toThrow(NeedsKernel);
  expect(() => host.setPrompt("x")).toThrow(NeedsKernel);
  expect(() => host.rerun()).toThrow(NeedsKernel);
  expect(host.state.prompt).toBe("the cat");
});

test("a page saved before the first result opens", () => {
  expect(frozenHost({ ...saved(), payload: null }).state.result).toBeNull();
});
