import { expect, test } from "vitest";
import { toSvg } from "../../src/draw/svg";
import { barsFigure } from "../../src/figure/bars";
import { NOTHING } from "../../src/state/selection";
import { amount, changeAmount, moreTelling, rowsOf } from "../../src/views/bars/rows";
import { barsScene } from "../../src/views/bars/scene";
import type { Grid, Measure, Scale } from "../../src/wire/types";
import { axis, lensGrid } from "../heatmap/grids";

const scale: Scale = { kind: "diverging", low: -1, high: 1, reverse: false, log: false };
const measure = (name: string, unit: string, data: number[]): Measure => ({
  name,
  title: name,
  unit,
  definition: `The ${name}.`,
  values: { dtype: "float32", shape: [data.length / 3, 3], data: Float32Array.from(data) },
  scale,
});
const chances = [0.75, 0.25, -0.5, 0.1, 0.1, 0, 0.0001, 0.6, 0.5999];
const logits = [4, 2, -2, -3, -3, 0, -8, 3, 11];
const grid: Grid = {
  ...lensGrid(1, ["a"]),
  title: "Prediction before and after interventions",
  axes: [
    axis("token", [" Mary", "<b>\n", "a token that is longer than any label has room for"], {
      tokens: true,
    }),
    axis("run", ["before", "after", "change"]),
  ],
  measures: [measure("probability", "probability", chances), measure("logit", "logits", logits)],
  baselines: [{ label: "KL divergence", value: 0.25 }],
  top: null,
  drawn: "bars",
};
const [first, second] = grid.measures as [Measure, Measure];

test("rows are the tokens, by size or by change", () => {
  expect(rowsOf(grid, first, "size").map(({ label }) => label.slice(0, 8))).toEqual([
    "·Mary",
    "<b>⏎",
    "a token ",
  ]);
  expect(rowsOf(grid, first, "change").map(({ change }) => Math.fround(change))).toEqual(
    [0.5999, -0.5, 0].map(Math.fround),
  );
});

test("amounts have their unit, changes their sign", () => {
  expect(["0.75", "0.0001", "0"].map((text) => amount(Number(text), "probability"))).toEqual([
    "75.0%",
    "< 0.1%",
    "0%",
  ]);
  expect(changeAmount(-0.5, "probability")).toBe("−50.0%");
  expect(changeAmount(0.125, "probability")).toBe("+12.5%");
  expect(changeAmount(-1e-7, "probability")).toBe("≈ 0");
  expect(changeAmount(0, "logits")).toBe("0");
  expect(changeAmount(2.5, "logits")).toBe("+2.5");
});

test("where no change is drawn, the measure that shows some is named", () => {
  const chances = measure(
    "probability",
    "probability",
    [0.997, 0.995, -0.002, 0.003, 0.005, 0.002],
  );
  const of = (second: Measure): Grid => ({ ...grid, measures: [chances, second] });
  const moved = measure("logit", "logits", [9, 8, -1, 3, 3, 0]);
  const still = measure("logit", "logits", [9, 9, 0.001, 3, 3, 0]);
  expect(moreTelling(of(moved), chances)).toBe(moved);
  expect(moreTelling(of(still), chances)).toBeNull();
  expect(moreTelling(of(moved), moved)).toBeNull();
  expect(moreTelling(grid, first)).toBeNull();
});

test.each(["light", "dark"] as const)("the picture, %s", async (theme) => {
  const rows = rowsOf(grid, first, "size");
  await expect(toSvg(barsScene(rows, "probability", theme, 640))).toMatchFileSnapshot(
    `gallery/probability-${theme}.svg`,
  );
});

test("logits start at 0, to both sides, and nothing leaves a narrow drawing", async () => {
  const scene = barsScene(rowsOf(grid, second, "change"), "logits", "light", 320);
  for (const mark of scene.marks) {
    if (mark.kind !== "rect") continue;
    expect(mark.x).toBeGreaterThanOrEqual(0);
    expect(mark.x + mark.width).toBeLessThanOrEqual(320);
  }
  await expect(toSvg(scene)).toMatchFileSnapshot("gallery/logits-narrow.svg");
  const tight = barsScene(rowsOf(grid, second, "change"), "logits", "light", 200);
  const texts = tight.marks.filter((mark) => mark.kind === "text");
  const last = texts.filter(({ anchor, x }) => anchor === "end" && x === 200);
  expect(last.map(({ text }) => text)).toEqual(["change", "+11", "−2", "0"]);
});

test("a figure says what it shows", () => {
  const { caption, drawings } = barsFigure(
    grid,
    { view: {}, marks: {}, selection: NOTHING },
    "light",
    600,
  );
  expect(caption).toBe("The probability. In nats: KL divergence 0.25.");
  expect(drawings).toHaveLength(2);
});
