import { describe, expect, test } from "vitest";
import { layoutOf, moved, placed, toggled, widened } from "../../src/shell/panes-layout";

const panes = (...names: string[]) =>
  names.map((name) => ({ name, title: name, widget: null, error: null }));

describe("a layout", () => {
  test("has every pane once, whatever the options say", () => {
    const { columns } = layoutOf(
      { columns: [["b", "gone", "b"], ["gone"], 3, ["a"]] },
      panes("a", "b", "c"),
    );
    expect(columns).toEqual([["b", "c"], ["a"]]);
  });

  test("starts side by side, and with many panes in two columns", () => {
    expect(layoutOf({}, panes("a", "b", "c")).columns).toEqual([["a"], ["b"], ["c"]]);
    expect(layoutOf({}, panes("a", "b", "c", "d")).columns).toEqual([
      ["a", "c"],
      ["b", "d"],
    ]);
  });

  test("takes only what it understands", () => {
    const layout = layoutOf(
      { shares: [1, -1], collapsed: ["x", "b"], heights: { a: 100, b: -3, x: 5 } },
      panes("a", "b"),
    );
    expect(layout.shares).toEqual([0.5, 0.5]);
    expect(layout.collapsed).toEqual(["b"]);
    expect(layout.heights).toEqual({ a: 100 });
    expect(layoutOf({ shares: [3, 1] }, panes("a", "b")).shares).toEqual([0.75, 0.25]);
  });
});

describe("a divider", () => {
  test("gives one side what it takes from the other, and leaves each its least", () => {
    expect(widened([0.5, 0.3, 0.2], 0, 0.1, 0.1)).toEqual(
      [0.6, 0.2, 0.2].map((s) => expect.closeTo(s)),
    );
    expect(widened([0.5, 0.5], 0, 0.9, 0.2)).toEqual([0.8, 0.2].map((s) => expect.closeTo(s)));
    expect(widened([0.1, 0.1, 0.8], 0, -1, 0.2)).toEqual(
      [0.1, 0.1, 0.8].map((s) => expect.closeTo(s)),
    );
  });
});

describe("a pane", () => {
  const columns = [["a", "b"], ["c"]];
  test("moves by one place", () => {
    expect(moved(columns, "b", "up")).toEqual([["b", "a"], ["c"]]);
    expect(moved(columns, "a", "up")).toEqual(columns);
    expect(moved(columns, "b", "right")).toEqual([["a"], ["c", "b"]]);
    expect(moved(columns, "c", "left")).toEqual([["c", "a", "b"]]);
  });

  test("makes a column of its own beyond the last", () => {
    expect(moved(columns, "a", "left")).toEqual([["a"], ["b"], ["c"]]);
    expect(moved(columns, "c", "right")).toEqual(columns);
  });

  test("is put before another", () => {
    expect(placed(columns, "c", "b")).toEqual([["a", "c", "b"]]);
    expect(placed(columns, "a", "a")).toEqual(columns);
  });

  test("is collapsed and opened", () => {
    expect(toggled([], "a")).toEqual(["a"]);
    expect(toggled(["a", "b"], "a")).toEqual(["b"]);
  });
});
