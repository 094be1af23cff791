// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Answer } from "../../src/host/contract";
import { NOTHING } from "../../src/state/selection";
import type { ViewProps } from "../../src/views/contract";
import { HeatmapView } from "../../src/views/heatmap";
import type { Grid, Selection } from "../../src/wire/types";
import { attributionGrid, headGrid, lensGrid } from "./grids";

const nothing: Selection = NOTHING;

const answers: Record<string, Answer> = {
  cell: {
    value: { tokens: [{ token_id: 3, text: " John", probability: 0.61, logit: 11.25 }] },
    arrays: [],
  },
  track: {
    value: { token_id: 3, text: " John", rows: ["L0", "L1", "L2"], positions: [4] },
    arrays: [
      { dtype: "float32", shape: [3, 1], data: Float32Array.of(0.1, 0.2, 0.9) },
      { dtype: "float32", shape: [3, 1], data: Float32Array.of(40, 7, 0) },
    ],
  },
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
  ask = vi.fn<ViewProps["ask"]>(async (what) => answers[what] ?? { value: null, arrays: [] });
});
afterEach(() => {
  render(null, root);
  root.remove();
});

/** Shows the view as a shell would: what it sets comes back with the next render. */
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
const button = (text: string): HTMLElement => {
  const found = [...root.querySelectorAll("button")].find((b) => b.textContent === text);
  if (!found) throw new Error(`no button ${text}`);
  return found;
};
const press = (key: string): Promise<void> =>
  act(async () => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
    find(".hs-heatmap-scroller").dispatchEvent(event);
  });
const click = (element: HTMLElement): Promise<void> => act(async () => element.click());

describe("HeatmapView", () => {
  it("moves by keys, says where it is, pins and unpins", async () => {
    await show(lensGrid(3));
    await press("ArrowDown");
    await press("End");
    const cell = find("[role=gridcell]");
    expect(cell.textContent).toBe(
      "L1 resid_post, position 7, token “日本”, Probability 0.625, top token “When”",
    );
    expect(find("[role=grid]").getAttribute("aria-activedescendant")).toBe(cell.id);
    expect(cell.getAttribute("aria-selected")).toBe("false");
    await press("Enter");
    expect(said.at(-1)).toBe(`Pinned: ${cell.textContent}`);
    expect(cell.getAttribute("aria-selected")).toBe("true");
    expect(selection).toEqual({ ...nothing, layer: 1, token: 7 });
    expect(options).toMatchObject({ heatmap_cell: [1, 7] });
    await press("Escape");
    expect(selection).toEqual(nothing);
    expect(options).toMatchObject({ heatmap_cell: null });
  });

  it("leaves keys that are not its own alone", async () => {
    await show(lensGrid(3));
    const event = new KeyboardEvent("keydown", { key: "a", bubbles: true, cancelable: true });
    find(".hs-heatmap-scroller").dispatchEvent(event);
    expect(event.defaultPrevented).toBe(false);
  });

  it("asks once for the pinned cell, and shows the answer", async () => {
    selection = { ...nothing, layer: 1, token: 4 };
    await show(lensGrid(3));
    expect(ask.mock.calls.map(([what, params]) => [what, params])).toEqual([
      ["cell", { row: 1, position: 4, k: 20 }],
    ]);
    expect(find(".hs-top").textContent).toContain("·John0.61logit 11.25");
  });

  it("tracks a token of the list, and keeps the answer for a saved page", async () => {
    selection = { ...nothing, layer: 1, token: 4 };
    await show(lensGrid(3));
    await click(find(".hs-token-button"));
    expect(ask.mock.calls.at(-1)?.slice(0, 2)).toEqual(["track", { token: 3, positions: [4] }]);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(options.heatmap_tracked).toMatchObject({
      text: " John",
      positions: [4],
      probability: [[expect.closeTo(0.1), expect.closeTo(0.2), expect.closeTo(0.9)]],
      rank: [[40, 7, 0]],
    });
    await show(lensGrid(3), { live: false });
    expect(ask).toHaveBeenCalledTimes(2);
    expect(find(".hs-charts canvas").getAttribute("aria-label")).toContain(
      "Probability of “ John” over 3 read-outs. position 4: from 0.100 to 0.900",
    );
  });

  it("without a kernel shows the shipped tokens and says what needs one", async () => {
    selection = { ...nothing, layer: 1, token: 4 };
    await show(lensGrid(3), { live: false });
    expect(ask).not.toHaveBeenCalled();
    expect(root.querySelectorAll(".hs-top li")).toHaveLength(2);
    expect(find<HTMLInputElement>(".hs-track-form input").disabled).toBe(true);
    expect(find(".hs-track-form input").getAttribute("placeholder")).toBe("needs a live kernel");
  });

  it("shows the kernel's word when a token cannot be tracked", async () => {
    selection = { ...nothing, layer: 1, token: 4 };
    ask.mockImplementation(async (what) => {
      if (what === "track") throw new Error("“a b” is 2 tokens.");
      return answers.cell ?? { value: null, arrays: [] };
    });
    options = { heatmap_track: { token: "a b", positions: [] } };
    await show(lensGrid(3));
    expect(find("[role=alert]").textContent).toBe("“a b” is 2 tokens.");
  });

  it("shows the kernel's word when a cell's tokens cannot be had, beside those that were shipped", async () => {
    selection = { ...nothing, layer: 1, token: 4 };
    ask.mockRejectedValueOnce(new Error("CUDA out of memory."));
    await show(lensGrid(3));
    expect(find("[role=alert]").textContent).toBe("CUDA out of memory.");
    expect(root.querySelectorAll(".hs-top li")).toHaveLength(2);
    selection = { ...nothing, layer: 2, token: 4 };
    await show(lensGrid(3));
    expect(root.querySelector("[role=alert]")).toBeNull();
    expect(find(".hs-top").textContent).toContain("logit 11.25");
  });

  it("shows no track of another prompt with the same text", async () => {
    selection = { ...nothing, layer: 1, token: 4 };
    await show(lensGrid(3));
    await click(find(".hs-token-button"));
    expect(root.querySelector(".hs-charts canvas")).not.toBeNull();
    const grid = lensGrid(3);
    const [prompt] = grid.provenance.prompts;
    if (!prompt) throw new Error("no prompt");
    const prompts = [{ ...prompt, token_ids: prompt.token_ids.map((id) => id + 100) }];
    await show({ ...grid, provenance: { ...grid.provenance, prompts } }, { live: false });
    expect(root.querySelector(".hs-charts canvas")).toBeNull();
  });

  it("offers the measures, the leading axes and a table, all as options", async () => {
    await show(headGrid(3, 4));
    expect(find<HTMLSelectElement>("select").options).toHaveLength(2);
    await act(async () => {
      find<HTMLSelectElement>("select").selectedIndex = 1;
      find("select").dispatchEvent(new Event("change", { bubbles: true }));
    });
    expect(options).toEqual({ heatmap_chosen: [1] });
    await click(button("Table"));
    expect(find("tbody tr:last-child td:last-child").textContent).toBe("123");
    expect(root.querySelector("canvas.hs-canvas")).not.toBeNull();
  });

  it("cuts a long table and says so", async () => {
    options = { heatmap_table: true };
    const tokens = Array.from({ length: 900 }, () => " a");
    await show(lensGrid(5, tokens));
    expect(root.querySelectorAll("td")).toHaveLength(1800);
    expect(root.textContent).toContain("The first 2 of 5 rows and 900 of 900 columns");
  });

  it("says what the terms sum to, and lists those of a pinned column", async () => {
    selection = { ...nothing, layer: 0, token: 3 };
    await show(attributionGrid());
    expect(find(".hs-identity summary").textContent).toContain(
      "The terms sum to logit within 3e−6, checked at 3 positions.",
    );
    expect(find(".hs-panel .hs-total").textContent).toBe("Sum0.000");
    expect(root.textContent).toContain("Positive raises the answer.");
    expect(root.textContent).toContain("not applicable");
  });
});
