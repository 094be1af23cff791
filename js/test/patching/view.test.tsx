// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { NOTHING } from "../../src/state/selection";
import type { ViewProps } from "../../src/views/contract";
import { HeatmapView } from "../../src/views/heatmap";
import type { Grid, NdArray, Selection } from "../../src/wire/types";
import { axis, patchGrid } from "../heatmap/grids";

const nothing: Selection = NOTHING;

const values: Record<string, unknown> = {
  cell: {
    label: "resid_pre L0, token 3",
    metric: { clean: 5, corrupted: -1, patched: 0.5 },
    effect: { exact: 0.25, estimate: 0.5 },
    interval: { exact: null, estimate: null },
    distributions: {
      tokens: [
        { token_id: 7, text: " <b>", clean: 0.75, corrupted: 0.125, patched: 0.25 },
        { token_id: 8, text: "\n", clean: 0.25, corrupted: 0.5, patched: 0.5 },
        { token_id: 9, text: " rare", clean: 1e-5, corrupted: 2e-4, patched: 1e-9 },
      ],
    },
  },
  joint: { joint: 0.375, sum: 0.5, single: [0.25, 0.25], metric: 1.25 },
};

let root: HTMLElement;
let options: Record<string, unknown>;
let selection: Selection;
let said: string[];
let ask: ReturnType<typeof vi.fn<ViewProps["ask"]>>;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  options = {};
  selection = nothing;
  said = [];
  ask = vi.fn<ViewProps["ask"]>(async (what) => ({ value: values[what] ?? {}, arrays: [] }));
});
afterEach(() => {
  render(null, root);
  root.remove();
});

async function show(grid: Grid, more: Partial<ViewProps<Grid>> = {}): Promise<void> {
  const draw = (): void => {
    render(
      <HeatmapView
        result={grid}
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
        ask={(what, params, signal) => ask(what, params, signal)}
        live={true}
        theme="light"
        width={800}
        marks={{}}
        setMark={() => {}}
        asks={[]}
        announce={(text) => said.push(text)}
        {...more}
      />,
      root,
    );
  };
  await act(async () => draw());
  await act(async () => {}); // an answer, or a refusal, has arrived
}

const find = <E extends HTMLElement = HTMLElement>(selector: string): E => {
  const element = root.querySelector<E>(selector);
  if (!element) throw new Error(`no ${selector}`);
  return element;
};
const button = (name: string): HTMLButtonElement => {
  const found = [...root.querySelectorAll("button")].find(
    (b) => b.textContent === name || b.getAttribute("aria-label") === name,
  );
  if (!found) throw new Error(`no button ${name}`);
  return found;
};
/** What it brings about, an answer of the kernel included. */
async function doing(action: () => void): Promise<void> {
  await act(async () => action());
  await act(async () => {});
}
const click = (element: HTMLElement): Promise<void> => doing(() => element.click());
const press = (element: HTMLElement, key: string, shiftKey = false): Promise<void> =>
  doing(() => {
    element.dispatchEvent(
      new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }),
    );
  });
const map = (): HTMLElement => find(".hs-heatmap-scroller");
const asked = (what: string): unknown[] =>
  ask.mock.calls.filter(([name]) => name === what).map(([, params]) => params);
const token = (index: number): HTMLElement => find(`[data-token="${index}"]`);

describe("the pinned cell", () => {
  beforeEach(() => {
    selection = { ...nothing, layer: 0, token: 3 };
  });

  it("shows the three runs side by side, and effect and estimate", async () => {
    await show(patchGrid());
    expect(asked("cell")).toEqual([{ index: [0, 3] }]);
    const rows = [...root.querySelectorAll(".hs-runs tr")].map((row) =>
      [...row.children].map((cell) => cell.textContent),
    );
    expect(rows).toEqual([
      ["", "clean", "corrupted", "patched"],
      ["logit_diff", "5", "−1", "0.5"],
      ["·<b>", "0.750", "0.125", "0.250"],
      ["⏎", "0.250", "0.500", "0.500"],
    ]);
    expect(root.querySelector("b")).toBeNull();
    expect(find(".hs-runs p").textContent).toBe("Effect: exact 0.25, estimate 0.5");
  });

  it("is not asked for again by a partial result of the same map", async () => {
    await show(patchGrid());
    await show(patchGrid(), { resultId: 2 });
    expect(asked("cell")).toHaveLength(1);
    const other = patchGrid();
    other.provenance.parameters.metric = "prob";
    await show(other, { resultId: 3 });
    expect(asked("cell")).toHaveLength(2);
  });

  it("is asked for again once a newer job has its first result, and a refusal is gone", async () => {
    ask.mockRejectedValueOnce(new Error("The weights have changed."));
    await show(patchGrid());
    expect(find("[role=alert]").textContent).toBe("The weights have changed.");
    await show(patchGrid(), { job: 2 }); // begun, nothing to show yet
    expect(asked("cell")).toHaveLength(1);
    for (const resultId of [2, 3]) await show(patchGrid(), { job: 2, resultId });
    expect(asked("cell")).toHaveLength(2);
    expect(root.querySelector("[role=alert]")).toBeNull();
  });

  it("becomes an intervention, and a refusal is said", async () => {
    await show(patchGrid());
    await click(button("Patch here"));
    expect(asked("pin")).toEqual([{ indices: [[0, 3]] }]);
    ask.mockRejectedValueOnce(new Error("Open one pair first."));
    await click(button("Patch here"));
    expect(find("[role=alert]").textContent).toBe("Open one pair first.");
    await show(patchGrid(), { job: 2 });
    expect(root.querySelector("[role=alert]")).toBeNull();
  });

  it("shows what was shipped where there is no kernel, and says what is missing", async () => {
    await show(patchGrid(), { live: false });
    expect(ask).not.toHaveBeenCalled();
    expect(find(".hs-runs tbody").textContent).toBe("logit_diff5−11.5");
    expect(find(".hs-runs p").textContent).toBe("Effect: exact 0.25, estimate 0.5");
    expect(find(".hs-runs").textContent).toContain("distributions need a live kernel");
    expect(button("Patch here").disabled).toBe(true);
  });

  it("of an ablation has no other run", async () => {
    await show({ ...patchGrid(), baselines: [{ label: "clean", value: 5 }] }, { live: false });
    expect(find(".hs-runs thead").textContent).toBe("cleanpatched");
  });

  it("that is not applicable is not asked for", async () => {
    selection = { ...nothing, layer: 0, token: 4 };
    await show(patchGrid());
    expect(asked("cell")).toEqual([]);
    expect(find(".hs-runs").textContent).toContain("cannot be patched");
  });

  it("of a set shows its means, and opens a pair for distributions", async () => {
    const grid = patchGrid();
    const twice = (array: NdArray): NdArray => ({
      ...array,
      data: Float32Array.of(...array.data, ...array.data),
    });
    const set: Grid = {
      ...grid,
      axes: [axis("pair", ["mean", "1: a"]), ...grid.axes],
      measures: grid.measures.map((one) => ({ ...one, values: twice(one.values) })),
      states: null,
      alignment: null,
    };
    options = { heatmap_chosen: [1] };
    await show(set);
    expect(asked("cell")).toEqual([{ index: [1, 0, 3] }]);
    expect(find(".hs-runs").textContent).toContain("pair 1: a");
    expect(find(".hs-runs").textContent).not.toContain("interval");
    const shown = values.cell as Record<string, unknown>;
    values.cell = {
      ...shown,
      interval: { exact: [0.125, 0.375], estimate: [0.25, 0.75] },
      distributions: { tokens: [] },
    };
    options = {};
    await show(set);
    values.cell = shown;
    expect(asked("cell").at(-1)).toEqual({ index: [0, 0, 3] });
    const { textContent } = find(".hs-runs");
    expect(textContent).toContain("exact 0.25 (95 % interval 0.125 to 0.375)");
    expect(textContent).toContain("estimate 0.5 (95 % interval 0.25 to 0.75)");
    expect(textContent).toContain("mean logit_diff5−10.5");
    expect(textContent).not.toContain("Patch here");
    await act(() => button("Open pair 1").click());
    expect(options.heatmap_chosen).toEqual([1]);
  });
});

describe("cells taken together", () => {
  it("by Shift+Enter: their joint effect against the sum of single ones", async () => {
    await show(patchGrid());
    for (const key of ["ArrowRight", "ArrowRight"]) await press(map(), key);
    await press(map(), "Enter", true);
    expect(find(".hs-panel").textContent).toContain("adds more cells");
    await press(map(), "ArrowDown");
    await press(map(), "Enter", true);
    expect(options.heatmap_group).toEqual([
      [0, 2],
      [1, 2],
    ]);
    expect(asked("joint")).toEqual([
      {
        indices: [
          [0, 2],
          [1, 2],
        ],
      },
    ]);
    expect(selection).toEqual(nothing);
    const totals = [...root.querySelectorAll(".hs-total")].map((line) => line.textContent);
    expect(totals).toEqual(["Sum of single effects0.5000", "Patched together0.3750"]);
    await click(button("Patch these"));
    expect(asked("pin")).toEqual(asked("joint"));
    await press(map(), "Enter", true); // once more takes it out again
    expect(options.heatmap_group).toEqual([[0, 2]]);
    await click(button("Clear"));
    expect(root.querySelector(".hs-panel")).toBeNull();
  });

  it("begin with the pinned cell", async () => {
    selection = { ...nothing, layer: 1, token: 1 };
    await show(patchGrid());
    await press(map(), "Enter", true);
    expect(options.heatmap_group).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });

  it("are let go when the map is of another site or prompt, and kept for another metric", async () => {
    const heatmap_group = [
      [0, 2],
      [1, 2],
    ];
    options = { heatmap_group };
    await show(patchGrid());
    const metric = patchGrid();
    metric.provenance.parameters.metric = "prob";
    await show(metric, { resultId: 2 });
    expect(asked("joint")).toHaveLength(2);
    expect(options).toEqual({ heatmap_group });
    const site = patchGrid();
    site.provenance.parameters.site = "z";
    await show(site, { resultId: 3 });
    expect(asked("joint")).toHaveLength(2);
    expect(options).toEqual({ heatmap_group: [] });
    options = { heatmap_group };
    await show(site, { resultId: 3 });
    const prompt = patchGrid();
    prompt.provenance.prompts[0]?.token_ids.reverse();
    prompt.provenance.parameters.site = "z";
    await show(prompt, { resultId: 4 });
    expect(options).toEqual({ heatmap_group: [] });
  });

  it("without a kernel have the sum of what is known", async () => {
    options = {
      heatmap_group: [
        [0, 2],
        [1, 2],
      ],
    };
    await show(patchGrid(), { live: false });
    expect(find(".hs-total").textContent).toBe("Sum of single effects0.5000");
    expect(find(".hs-panel").textContent).toContain("joint effect needs a live kernel");
    expect(button("Patch these").disabled).toBe(true);
  });
});

describe("what the map is computed on top of", () => {
  const pinned = (): Grid => {
    const grid = patchGrid();
    grid.provenance.parameters.pinned = JSON.stringify([{ label: "z L2H1" }, { label: "<i>" }]);
    return grid;
  };

  it("is listed as text, and taken back one by one or all at once", async () => {
    await show(pinned());
    expect(find(".hs-pinned").textContent).toContain("z L2H1");
    expect(root.querySelector(".hs-pinned i")).toBeNull();
    await click(button("Remove <i>"));
    await click(button("Remove all"));
    expect(asked("unpin")).toEqual([{ index: 1 }, {}]);
  });

  it("stays in sight without a kernel", async () => {
    await show(pinned(), { live: false });
    expect(button("Remove z L2H1").disabled).toBe(true);
    expect(button("Remove z L2H1").title).toBe("Needs a live kernel");
  });
});

describe("the other prompt's tokens", () => {
  it("stand over the tokens that they meet; those that differ are marked", async () => {
    await show(patchGrid());
    const chips = [...root.querySelectorAll(".hs-strip .hs-meet")];
    expect(chips.map((chip) => chip.textContent)).toEqual(["When", "·Tom", "·and", "·John", "–"]);
    expect([...root.querySelectorAll(".hs-differs")].map((c) => c.textContent)).toEqual(["·Tom"]);
    expect(token(1).getAttribute("aria-label")).toBe("clean 1 ·Tom meets corrupted 1 ·Mary");
  });

  it("move by arrow keys, keep the focus, and go away by Delete", async () => {
    await show(patchGrid());
    token(3).focus();
    await press(token(3), "ArrowRight");
    expect(asked("align")).toEqual([{ source: [0, 1, 2, -1, 3] }]);
    expect(token(3).getAttribute("aria-label")).toContain("meets corrupted 4");
    expect(document.activeElement).toBe(token(3));
    await press(token(3), "ArrowLeft");
    await press(token(3), "ArrowLeft");
    expect(asked("align").at(-1)).toEqual({ source: [0, 1, 3, -1, -1] });
    expect(find(".hs-strip-note .hs-meet").textContent).toBe("·and");
    await press(token(1), "Delete");
    expect(asked("align").at(-1)).toEqual({ source: [0, -1, 3, -1, -1] });
  });

  it("cannot leave the prompt", async () => {
    await show(patchGrid());
    await press(token(0), "ArrowLeft");
    expect(asked("align")).toEqual([]);
    expect(said.at(-1)).toContain("keep their order");
  });

  it("go back when the kernel refuses", async () => {
    await show(patchGrid());
    ask.mockRejectedValueOnce(new Error("The alignment crosses itself."));
    await press(token(3), "ArrowRight");
    expect(token(3).getAttribute("aria-label")).toContain("meets corrupted 3");
    expect(find("[role=alert]").textContent).toBe("The alignment crosses itself.");
  });

  it("can be aligned automatically again", async () => {
    const grid = patchGrid();
    if (grid.alignment) grid.alignment.given = true;
    await show(grid);
    await click(button("Align automatically"));
    expect(asked("align")).toEqual([{ source: null }]);
  });

  it("cannot be moved without a kernel", async () => {
    await show(patchGrid(), { live: false });
    expect((token(1) as HTMLButtonElement).disabled).toBe(true);
    expect(find(".hs-strip-note").textContent).toContain("Moving them needs a live kernel.");
  });

  it("are drawn where they are in sight", async () => {
    const grid = patchGrid();
    const tokens = Array.from({ length: 1000 }, (_, i) => ` t${i}`);
    const values = { dtype: "float32" as const, shape: [3, 1000], data: new Float32Array(3000) };
    const [rows, columns] = grid.axes;
    if (!rows || !columns || !grid.alignment) throw new Error("no axes");
    await show({
      ...grid,
      axes: [rows, { ...columns, labels: tokens }],
      measures: grid.measures.map((one) => ({ ...one, values })),
      states: null,
      alignment: {
        ...grid.alignment,
        source: { dtype: "int32", shape: [1000], data: Int32Array.from(tokens.keys()) },
      },
      provenance: {
        ...grid.provenance,
        prompts: [tokens, tokens].map((of) => ({ text: "", tokens: of, token_ids: [] })),
      },
    });
    expect(root.querySelectorAll(".hs-meet").length).toBeLessThan(40);
  });
});

describe("estimates against exact values", () => {
  it("are counted, and open to the worst disagreements, which select their cell", async () => {
    await show(patchGrid());
    expect(find(".hs-agreement summary").textContent).toContain("r = 1 over 4 cells");
    expect(root.querySelector(".hs-agreement canvas")).toBeNull();
    await act(async () => {
      const details = find<HTMLDetailsElement>(".hs-agreement");
      details.open = true;
      details.dispatchEvent(new Event("toggle"));
    });
    expect(find(".hs-agreement canvas").getAttribute("aria-label")).toContain("Scatter of 4 cells");
    expect(find(".hs-worst li").textContent).toContain("estimate 0.5, exact 0.25");
    await click(find(".hs-worst button"));
    expect(selection).toEqual({ ...nothing, layer: 0, token: 3 });
  });
});
