// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { CircuitGraph, FaithfulnessPoint } from "../../src/wire/types";
import { goldenGraph, smallCircuit } from "./graphs";
import {
  asked,
  buttons,
  click,
  close,
  find,
  input,
  open,
  page,
  settled,
  show,
  walkTo,
} from "./page";

beforeEach(open);
afterEach(() => {
  vi.useRealTimers();
  close();
});

const answers = (byName: Record<string, unknown>): void => {
  page.ask.mockImplementation(async (what) => ({ value: byName[what], arrays: [] }));
};
const pass = (ms: number): Promise<void> =>
  act(() => {
    vi.advanceTimersByTime(ms);
  });
const OUTCOME: FaithfulnessPoint = {
  requested: 2,
  kept: 2,
  metric: 1.5,
  faithfulness: 0.875,
  by: "rule",
  completeness: 0.25,
};

it("runs the circuit once the slider rests, and says meanwhile that its words are old", async () => {
  vi.useFakeTimers();
  answers({ circuit: OUTCOME });
  const rest = async (): Promise<void> => {
    await pass(250);
    await settled();
  };
  await show(smallCircuit(), { asks: ["circuit"] });
  expect(find(".hs-graph-faithful").textContent).toContain("…");
  await rest();
  expect(find(".hs-graph-faithful").textContent).toContain("0.875 2 edges asked for, 2 kept");
  expect(find(".hs-graph-faithful").textContent).toContain("completeness 0.25");
  const slider = find<HTMLInputElement>(".hs-graph-slider");
  await input(slider, "0");
  await pass(1000);
  expect(find(".hs-graph-stale").textContent).toContain("0.875");
  await input(slider, "0", "change");
  await pass(100);
  await input(slider, "0.2", "change");
  await rest();
  expect(asked("circuit")).toEqual([{ threshold: {} }, { threshold: { edges: 1 } }]);
});

/** A circuit of the best edge, with what was run of it. */
function measured(): CircuitGraph {
  const circuit = smallCircuit();
  const [score] = circuit.measures;
  if (!score) throw new Error("There is no score.");
  const loss = { dtype: "float32" as const, shape: [2], data: Float32Array.of(0.5, Number.NaN) };
  return {
    ...circuit,
    pruning: { ...circuit.pruning, rule: "top_n", value: 3 },
    measures: [score, { ...score, name: "loss", values: loss }],
    faithfulness: [
      { ...OUTCOME, requested: 1, kept: 0, faithfulness: 0, by: "magnitude", completeness: null },
      { ...OUTCOME, requested: 1, kept: 1, faithfulness: 0.5, by: "score" },
      { ...OUTCOME, requested: 3 },
    ],
    scores: [
      { label: "CPR", value: 0.75 },
      { label: "CMD", value: 0.125 },
    ],
  };
}

it("shows without a kernel what was measured of the result, and what was not", async () => {
  await show(measured(), { live: false });
  const faithful = find(".hs-graph-faithful");
  expect(faithful.textContent).toBe(
    "Faithfulness0.875 3 edges asked for, 2 kept; completeness 0.25",
  );
  expect(find(".hs-graph-value").textContent).toBe("best 3");
  const curve = find("[aria-label='Faithfulness curve']");
  expect(curve.textContent).toContain("CPR 0.75CMD 0.125");
  expect(curve.querySelector("[aria-label*='1 edges: 0; 3 edges: 0.875']")).not.toBeNull();
  expect(find(".hs-graph-scroll tbody").textContent).toBe("embedL2H5 (q)0.5");
  expect(page.root.textContent).toContain("of another circuit, of 1 edges");
  await act(() => find(".hs-graph-scroll tbody button").click());
  expect(find(".hs-graph-detail strong").textContent).toBe("embed");
  const slider = find<HTMLInputElement>(".hs-graph-slider");
  await input(slider, "0");
  expect(faithful.textContent).toContain("0 1 edges asked for, 0 kept");
  await input(slider, "1");
  expect(faithful.textContent).toBe("Faithfulness– not run at this size");
});

it("asks nothing that the result says, and for what it does not say yet", async () => {
  vi.useFakeTimers();
  answers({ circuit: OUTCOME });
  const asks = ["circuit", "curve", "minimality"];
  await show(measured(), { asks });
  await pass(300);
  await settled();
  expect(asked("circuit")).toEqual([]);
  expect(find(".hs-graph-faithful").textContent).toContain("0.875 3 edges asked for");
  await show({ ...measured(), scores: [], faithfulness: [] }, { asks });
  await click("CPR and CMD");
  await click("Minimality");
  expect(asked("curve")).toEqual([{}]);
  expect(asked("minimality")).toEqual([{ threshold: {} }]);
});

it("takes, renames and leaves suggested groups; a node is in one at most", async () => {
  page.marks.groups = [{ label: "mine", nodes: ["embed", "L2H5"] }];
  answers({
    suggest: {
      groups: [
        { label: "L2H5", nodes: ["L2H5", "logits"] },
        { label: "others", nodes: ["embed", "logits"] },
      ],
    },
  });
  await show(smallCircuit(), { asks: ["suggest"] });
  await click("Suggest groups");
  const label = find<HTMLInputElement>("input[aria-label='Label of the suggested group']");
  await input(label, "mine");
  expect(buttons("Accept mine")[0]?.disabled).toBe(true);
  await input(label, "<i>late</i>");
  await click("Accept <i>late</i>");
  expect(page.marks.groups).toEqual([
    { label: "mine", nodes: ["embed"] },
    { label: "<i>late</i>", nodes: ["L2H5", "logits"] },
  ]);
  await click("Reject others");
  expect(page.root.querySelector(".hs-graph-suggested, i")).toBeNull();
  expect(page.marks.groups).toHaveLength(2);
});

const FEATURE = {
  node: "L0F12@1",
  activation_density: 0.125,
  histogram: { edges: [0, 1, 2], counts: [3, 1] },
  examples: [{ tokens: [" the", "<b>Dallas</b>"], values: [0, 2], token: 1 }],
  promoted: [{ text: " Texas", value: 1.5 }],
  suppressed: [{ text: " Ohio", value: -0.5 }],
  suggested_label: "Texas",
  definition: "Active: above 0.",
};

it("shows what a feature stands for, once that is wanted, and proposes its label", async () => {
  answers({ feature: FEATURE });
  await show(goldenGraph(), { asks: ["feature"] });
  await walkTo("L0F12@1");
  await settled();
  expect(page.ask).not.toHaveBeenCalled();
  await act(() => find<HTMLInputElement>(".hs-graph-detail [type=checkbox]").click());
  await settled();
  expect(asked("feature")).toEqual([{ node: "L0F12@1" }]);
  const text = find(".hs-graph-feature").textContent;
  for (const words of ["at 13% of tokens", "·Texas+1.5", "·Ohio−0.5", "<b>Dallas</b>"]) {
    expect(text).toContain(words);
  }
  const [off, on] = page.root.querySelectorAll<HTMLElement>(".hs-graph-tinted");
  expect(off?.style.background).toBe("");
  expect(on?.style.background).not.toBe("");
  expect(find<HTMLInputElement>("[placeholder=Texas]").value).toBe("");
  await walkTo("logit10@6");
  await settled();
  expect(asked("feature")).toHaveLength(1);
  expect(page.root.querySelector(".hs-graph-feature")).toBeNull();
});

it("changes what is selected, else what is pinned, else the node, else what is typed", async () => {
  answers({
    intervene: {
      nodes: [{ name: "logit10@6", text: " Austin", before: 2, predicted: 1, after: 0.5 }],
      tokens: [{ text: " Austin", before: 0.75, after: 0.25 }],
      note: "Set to 0.",
    },
  });
  await show(goldenGraph(), { asks: ["intervene"] });
  expect(buttons("Intervene")[0]?.disabled).toBe(true);
  await walkTo("L0F12@1");
  await click("Intervene");
  const row = find(".hs-graph-panel tbody").textContent;
  expect(row).toBe("logit10@6·Austin210.5");
  expect(find(".hs-graph-panel").textContent).toContain("·Austin75%25%");
  page.marks.pinned = ["L1F12@3"];
  await show(goldenGraph(), { asks: ["intervene"] });
  await click("Intervene");
  await input(find(".hs-graph-panel input.hs-input"), "L2F17@5, L0F3@1");
  expect(page.root.querySelector(".hs-graph-panel tbody")).toBeNull();
  await act(() => find<HTMLInputElement>("[type=radio][value=clamp]").click());
  await input(find(".hs-graph-amount"), "-3");
  await click("Intervene");
  const ablate = { how: "ablate", value: 0, frozen: false };
  expect(asked("intervene")).toEqual([
    { nodes: ["L0F12@1"], ...ablate },
    { nodes: ["L1F12@3"], ...ablate },
    { nodes: ["L2F17@5", "L0F3@1"], how: "clamp", value: -3, frozen: false },
  ]);
});

it("splits an edge by heads, and a head's attention by what its query and key read", async () => {
  answers({
    heads: { heads: [{ layer: 1, head: 2, share: 0.8, value: 0.4 }], note: "Edge 0.5." },
    qk: {
      score: 3.5,
      query: [{ name: "token@3", value: 2 }],
      key: [{ name: "L0F12@1", value: 3 }],
      pairs: [{ query: "token@3", key: "L0F12@1", value: 1.25 }],
      note: "",
    },
  });
  await show(goldenGraph(), { asks: ["heads", "qk"] });
  await walkTo("L0F12@1");
  const edge = page.root.querySelector<HTMLElement>("[aria-label*=' L1F12@3']");
  await act(() => edge?.click());
  await settled();
  expect(asked("heads")).toEqual([{ source: "L0F12@1", target: "L1F12@3" }]);
  expect(find("[aria-label='Heads that carry the edge'] tbody").textContent).toContain(
    "L1H2+0.480%",
  );
  await click("QK of L1H2");
  expect(asked("qk")).toEqual([{ layer: 1, head: 2, dest: 3, src: 1 }]);
  expect(find("[aria-label='Attention score']").textContent).toContain("score 3.5");
  expect(find("[aria-label='Attention score']").textContent).toContain("token@3 · L0F12@1+1.25");
});

it("says in a line why there is no answer, and asks again when it is told to", async () => {
  page.ask.mockRejectedValueOnce(new Error("The model has changed."));
  await show(smallCircuit(), { asks: ["curve"] });
  await click("CPR and CMD");
  expect(find("[role=alert]").textContent).toBe("The model has changed.");
  answers({ curve: { points: [], cpr: 1, cmd: 0 } });
  await click("CPR and CMD");
  expect(page.root.querySelector("[role=alert]")).toBeNull();
});

it("shows what needs a kernel without one, shut", async () => {
  await show(smallCircuit(), { asks: [] });
  for (const name of ["CPR and CMD", "Minimality", "Suggest groups"]) {
    expect([buttons(name)[0]?.disabled, buttons(name)[0]?.title]).toEqual([
      true,
      "Needs a live kernel",
    ]);
  }
});
