// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { smallCircuit } from "./graphs";
import { asked, buttons, click, close, find, input, open, page, settled, show } from "./page";

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
const OUTCOME = { requested: 2, kept: 2, metric: 1.5, faithfulness: 0.875, completeness: 0.25 };

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

it("draws the curve, states its areas, and lists what each edge is worth", async () => {
  const point = { metric: 1, requested: 1, kept: 1 };
  answers({
    curve: {
      points: [
        { ...point, fraction: 0.01, faithfulness: 0 },
        { ...point, fraction: 1, faithfulness: 1 },
      ],
      cpr: 0.75,
      cmd: 0.125,
    },
    minimality: { edges: [{ source: "embed", target: "L2H5", input: "q", loss: 0.5 }] },
  });
  await show(smallCircuit(), { asks: ["curve", "minimality"] });
  await click("Curve");
  expect(page.root.textContent).toContain("CPR 0.75, CMD 0.125");
  await click("Minimality");
  expect(asked("minimality")).toEqual([{ threshold: {} }]);
  expect(find(".hs-graph-scroll tbody").textContent).toBe("embedL2H5 (q)0.5");
  await act(() => find(".hs-graph-scroll tbody button").click());
  expect(find(".hs-graph-detail strong").textContent).toBe("embed");
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

it("says in a line why there is no answer, and asks again when it is told to", async () => {
  page.ask.mockRejectedValueOnce(new Error("The model has changed."));
  await show(smallCircuit(), { asks: ["curve"] });
  await click("Curve");
  expect(find("[role=alert]").textContent).toBe("The model has changed.");
  answers({ curve: { points: [], cpr: 1, cmd: 0 } });
  await click("Curve");
  expect(page.root.querySelector("[role=alert]")).toBeNull();
});

it("shows what needs a kernel without one, shut", async () => {
  await show(smallCircuit(), { asks: [] });
  for (const name of ["Curve", "Minimality", "Suggest groups"]) {
    expect([buttons(name)[0]?.disabled, buttons(name)[0]?.title]).toEqual([
      true,
      "Needs a live kernel",
    ]);
  }
});
