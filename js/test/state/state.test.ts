import { describe, expect, test, vi } from "vitest";
import selections from "../../../tests/golden/selections.json";
import { readPreview } from "../../src/state/preview";
import { merge, NOTHING, selected } from "../../src/state/selection";
import { createStore } from "../../src/state/store";
import type { Selection } from "../../src/wire/types";

describe("merge", () => {
  test("lays the patch over the base and leaves the base alone", () => {
    const base: Selection = { ...NOTHING, layer: 3 };
    expect(merge(base, { head: 2, layer: null })).toEqual({ ...NOTHING, head: 2 });
    expect(base.layer).toBe(3);
  });
  test("is the base itself if nothing changes", () => {
    const base: Selection = { ...NOTHING, layer: 3 };
    expect(merge(base, { layer: 3, head: null })).toBe(base);
    expect(merge(base, {})).toBe(base);
  });
});

describe("selected", () => {
  test.each(selections)("$what", ({ old, patch, new: expected }) => {
    const before: Selection = { ...NOTHING, ...old };
    const after = selected(before, patch as Partial<Selection>);
    expect(after).toEqual({ ...NOTHING, ...expected });
    expect(selected(after, after)).toBe(after);
  });
});

describe("store", () => {
  test("tells of changes only, and not after the end", () => {
    const store = createStore(1);
    const listener = vi.fn();
    const stop = store.subscribe(listener);
    store.set(1);
    expect(listener).not.toHaveBeenCalled();
    store.set(2);
    expect(listener).toHaveBeenCalledTimes(1);
    expect(store.get()).toBe(2);
    stop();
    store.set(3);
    expect(listener).toHaveBeenCalledTimes(1);
  });
  test("a listener may leave while it is told", () => {
    const store = createStore(0);
    const told: string[] = [];
    const stop = store.subscribe(() => {
      told.push("first");
      stop();
    });
    store.subscribe(() => told.push("second"));
    store.set(1);
    store.set(2);
    expect(told).toEqual(["first", "second", "second"]);
  });
});

describe("readPreview", () => {
  test("takes the kernel's answer", () => {
    const value = { tokens: ["a"], token_ids: [1], n_ctx: 64, error: null };
    expect(readPreview("a", value)).toEqual({ text: "a", ...value });
  });
  test.each([null, 3, {}, { tokens: ["a"] }, { tokens: 1, token_ids: [1], n_ctx: 2 }])(
    "is null for %j",
    (value) => expect(readPreview("a", value)).toBeNull(),
  );
});
