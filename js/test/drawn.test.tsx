// @vitest-environment happy-dom
// Grids that are drawn as curves and as texts.
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { curvesFigure } from "../src/figure/curves";
import { textsFigure } from "../src/figure/texts";
import { merge, NOTHING } from "../src/state/selection";
import type { ViewProps } from "../src/views/contract";
import { CurvesView } from "../src/views/curves";
import { chartsOf } from "../src/views/curves/charts";
import { extentOf } from "../src/views/curves/stretches";
import { HeatmapView } from "../src/views/heatmap";
import { viewOf } from "../src/views/index";
import { viewName } from "../src/views/name";
import { TextsView } from "../src/views/texts";
import { partingOf, prose, runsOf } from "../src/views/texts/runs";
import type { Grid, Measure, NdArray, Selection } from "../src/wire/types";
import { axis, lensGrid } from "./heatmap/grids";

const floats = (shape: number[], data: number[]): NdArray => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(data),
});

const measure = (name: string, unit: string, shape: number[], data: number[]): Measure => ({
  name,
  title: `Title of ${name}`,
  unit,
  definition: `What ${name} is.`,
  values: floats(shape, data),
  scale: { kind: "sequential", low: 0, high: Math.max(1, ...data), reverse: false, log: false },
});

/** Mean, low and high over three layers. */
const curves = (): Grid => ({
  ...lensGrid(1),
  title: "Curves",
  axes: [
    axis("statistic", ["mean", "low", "high"]),
    axis("layer", ["L0", "L1", "L2"], { selects: "layer" }),
  ],
  measures: [
    measure("near", "share", [3, 3], [0.5, 0.4, 0.1, 0.4, 0.3, 0, 0.6, 0.5, 0.2]),
    measure("kl", "nats", [3, 3], [4, 2, 0, 3, 1, 0, 5, 3, 0]),
    measure("entropy", "nats", [3, 3], [1, 2, 3, Number.NaN, 2, 3, Number.NaN, 2, 3]),
  ],
  top: null,
  states: null,
  drawn: "curves",
  stretches: [
    { label: "First", rule: "Where it is high.", first: 0, last: 1 },
    { label: "Last", rule: "Where it is low.", first: null, last: null },
  ],
});

const HOSTILE = "<img src=x onerror=alert(1)>";

/** Two runs of three steps; they part at the second, and the second run ends after it. */
const texts = (): Grid => ({
  ...lensGrid(1),
  title: "Texts",
  axes: [axis("run", ["plain", "with"]), axis("step", ["1", "2", "3"])],
  measures: [
    measure("probability", "probability", [2, 3], [0.9, 0.5, 0.1, 0.9, 0.2, Number.NaN]),
    measure("other", "probability", [2, 3], [0.8, 0.1, 0.3, 0.7, 0.6, Number.NaN]),
  ],
  top: {
    ids: { dtype: "int32", shape: [2, 3, 1], data: Int32Array.of(5, 6, 7, 5, 8, -1) },
    values: floats([2, 3, 1], [0.9, 0.5, 0.1, 0.9, 0.2, Number.NaN]),
    texts: { "5": " a", "6": "\n", "7": HOSTILE, "8": " b", "-1": "" },
  },
  states: { dtype: "uint8", shape: [2, 3], data: Uint8Array.of(3, 3, 3, 3, 3, 0) },
  drawn: "texts",
  stretches: [],
});

let root: HTMLElement;
let selection: Selection;
let options: Record<string, unknown>;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  selection = NOTHING;
  options = {};
});
afterEach(() => {
  render(null, root);
  root.remove();
});

async function show(
  grid: Grid,
  View: (props: ViewProps<Grid>) => preact.JSX.Element,
): Promise<void> {
  const draw = (): void =>
    render(
      <View
        result={grid}
        resultId={1}
        job={1}
        selection={selection}
        select={(patch) => {
          selection = merge(selection, patch);
          draw();
        }}
        options={options}
        setOption={(name, value) => {
          options = { ...options, [name]: value };
          draw();
        }}
        marks={{}}
        setMark={() => {}}
        asks={[]}
        ask={() => Promise.reject(new Error("nobody"))}
        live={false}
        theme="light"
        width={800}
        announce={() => {}}
      />,
      root,
    );
  await act(draw);
}

const press = (target: Element | null, key: string): Promise<void> =>
  act(() => {
    target?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  });

describe("which view", () => {
  it("is that of the way in which a grid is drawn, or else the heatmap", () => {
    expect([lensGrid(2), curves(), texts()].map(viewName)).toEqual(["grid", "curves", "texts"]);
    expect(viewOf(curves(), [])).toBe(HeatmapView);
  });
});

describe("curves", () => {
  it("share a chart where they share a unit, and have bands where there are edges", () => {
    const charts = chartsOf(curves(), "light", 1);
    expect(charts.map(({ title }) => title)).toEqual(["Title of near", "Nats"]);
    expect(charts[1]?.series.map(({ label }) => label)).toEqual([
      "Title of kl",
      "Title of entropy",
    ]);
    expect(Array.from(charts[0]?.bands?.[0]?.high ?? [])).toEqual(
      Array.from(Float32Array.of(0.6, 0.5, 0.2)),
    );
    expect(charts[0]?.shades).toMatchObject([{ first: 0, last: 1 }]);
  });

  it("pin a layer by key and say where each stretch is", async () => {
    await show(curves(), CurvesView);
    await press(root.querySelector("[role=application]"), "ArrowRight");
    await press(root.querySelector("[role=application]"), "ArrowRight");
    expect(selection.layer).toBe(1);
    expect(root.querySelector(".hs-curve-guide")?.textContent).toContain("L0 to L1");
    expect(extentOf(curves(), 1)).toBe("not found");
    await press(root.querySelector("[role=application]"), "Escape");
    expect(selection.layer).toBeNull();
  });

  it("are a figure with the rules in its caption", () => {
    const shown = { view: {}, marks: {}, selection: NOTHING };
    const { drawings, caption } = curvesFigure(curves(), shown, "light", 640);
    expect(drawings).toHaveLength(2);
    expect(caption).toContain("First (L0 to L1): Where it is high.");
    expect(caption).toContain("95 % intervals");
  });
});

describe("texts", () => {
  it("end where nothing was said, and part where tokens differ", () => {
    const runs = runsOf(texts());
    expect(runs.map(({ state, pieces }) => [state, pieces.length])).toEqual([
      ["whole", 3],
      ["ended", 2],
    ]);
    expect(partingOf(runs)).toBe(1);
    expect(partingOf(runs.slice(0, 1))).toBeNull();
    const growing = texts();
    if (growing.states) growing.states.data[1] = 1;
    expect(runsOf(growing)[0]?.state).toBe("growing");
    expect(partingOf(runsOf(growing))).toBeNull();
  });

  it("keep a space in front and show what is invisible", () => {
    expect(["the", " the", " ", "\n"].map(prose)).toEqual(["the", " the", "·", "⏎"]);
  });

  it("are text whatever they say, with the first different token marked", async () => {
    await show(texts(), TextsView);
    expect(root.querySelector("img")).toBeNull();
    expect(root.textContent).toContain(HOSTILE);
    expect(root.querySelectorAll(".hs-texts-parting")).toHaveLength(2);
    expect(root.textContent).toContain("The texts part at token 2");
    expect(root.textContent).toContain("end of text");
  });

  it("pin a token by key, with its numbers", async () => {
    await show(texts(), TextsView);
    await press(root.querySelectorAll("[role=application]")[1] ?? null, "ArrowRight");
    expect(options.heatmap_cell).toEqual([1, 0]);
    expect(root.querySelector("[aria-label='Pinned token']")?.textContent).toContain(
      "Title of other",
    );
  });

  it("are a figure that cuts no token off", () => {
    const shown = { view: {}, marks: {}, selection: NOTHING };
    const { drawings } = textsFigure(texts(), shown, "light", 240);
    const said = JSON.stringify(drawings);
    expect(drawings).toHaveLength(3);
    for (const { width } of drawings) expect(width).toBeLessThanOrEqual(240);
    expect(said).toContain("onerror");
  });
});
