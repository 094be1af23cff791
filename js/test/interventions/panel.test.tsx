// @vitest-environment happy-dom
// The panel in a page: what it shows of the list, and what it sends.
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Interventions } from "../../src/interventions/panel";
import { useHost } from "../../src/shell/hooks";
import type { InterventionData } from "../../src/wire/types";
import { type Played, played } from "./host";

const zero = (component: string): InterventionData => ({
  kind: "zero",
  on: true,
  component,
  positions: null,
});
const scale: InterventionData = {
  kind: "scale",
  on: true,
  component: "L2H1",
  factor: 0.5,
  positions: null,
};
const THREE = [zero("L0H0"), scale, zero("MLP1")];

let root: HTMLDivElement;
let host: Played;

beforeEach(() => {
  vi.useFakeTimers();
  root = document.createElement("div");
  document.body.append(root);
});
afterEach(() => {
  render(null, root);
  root.remove();
  vi.useRealTimers();
});

function Page() {
  return <Interventions host={host} state={useHost(host)} />;
}

async function open(items: InterventionData[] = THREE, live = true): Promise<void> {
  host = played(items, live);
  await act(() => render(<Page />, root));
}

const words = (): (string | null)[] =>
  [...root.querySelectorAll(".hs-iv-words")].map((row) => row.textContent);
const find = <E extends HTMLElement>(selector: string): E => {
  const found = root.querySelector<E>(selector);
  if (!found) throw new Error(`There is no ${selector}.`);
  return found;
};
const button = (label: string): HTMLButtonElement => {
  const found = [...root.querySelectorAll("button")].find(
    (one) => one.getAttribute("aria-label") === label || one.textContent === label,
  );
  if (!found) throw new Error(`There is no button ${label}.`);
  return found;
};
const click = (label: string) =>
  act(() => {
    button(label).focus();
    button(label).click();
  });
const finish = () => act(() => host.finish());
const drag = (value: number, type: "input" | "change" = "input") =>
  act(() => {
    const slider = find<HTMLInputElement>("input[type=range]");
    slider.value = String(value);
    slider.dispatchEvent(new Event(type, { bubbles: true }));
  });
const press = (key: string, init: KeyboardEventInit = {}) =>
  act(() => {
    find(".hs-iv").dispatchEvent(
      new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init }),
    );
  });

it("says what there is, in order, and switches one off", async () => {
  await open();
  expect(words()).toEqual(["L0H0 := 0", "L2H1 × 0.5", "MLP1 := 0"]);
  await act(() => find<HTMLInputElement>("[data-row='1'] input[type=checkbox]").click());
  expect(host.sent).toEqual([[THREE[0], { ...scale, on: false }, THREE[2]]]);
  expect(find("[data-row='1']").className).toContain("hs-iv-off");
});

it("moves one and keeps the focus on the button that moves it", async () => {
  await open();
  await click("Move down: L0H0 := 0");
  expect(words()).toEqual(["L2H1 × 0.5", "L0H0 := 0", "MLP1 := 0"]);
  expect(document.activeElement?.getAttribute("aria-label")).toBe("Move down: L0H0 := 0");
  await click("Move down: L0H0 := 0");
  await click("Move down: L0H0 := 0");
  expect(words().at(-1)).toBe("L0H0 := 0");
  expect(button("Move down: L0H0 := 0").getAttribute("aria-disabled")).toBe("true");
  expect(find("[role=status]").textContent).toBe("L0H0 := 0, now number 3 of 3");
});

it("moves one that is dragged onto another", async () => {
  await open();
  const event = (type: string): Event => new Event(type, { bubbles: true, cancelable: true });
  await act(() => {
    find("[data-row='0'] .hs-iv-grip").dispatchEvent(event("dragstart"));
  });
  await act(() => {
    find("[data-row='2']").dispatchEvent(event("dragover"));
  });
  expect(find("[data-row='2']").className).toContain("hs-iv-target");
  await act(() => {
    find("[data-row='2']").dispatchEvent(event("drop"));
  });
  expect(words()).toEqual(["L2H1 × 0.5", "MLP1 := 0", "L0H0 := 0"]);
});

it("removes one, and the focus goes to the next", async () => {
  await open();
  await click("Remove: MLP1 := 0");
  expect(words()).toEqual(["L0H0 := 0", "L2H1 × 0.5"]);
  expect(document.activeElement?.getAttribute("aria-label")).toBe("Remove: L2H1 × 0.5");
  await click("Clear all");
  expect(words()).toEqual([]);
  expect(document.activeElement).toBe(find(".hs-iv"));
});

it("while one move of a slider is computed only the newest waits", async () => {
  await open();
  for (const factor of [0.6, 0.7, 0.8, 0.9]) await drag(factor);
  expect(words()[1]).toBe("L2H1 × 0.9");
  const factors = () => host.sent.map((list) => (list[1] as typeof scale).factor);
  expect(factors()).toEqual([0.6]);
  await finish();
  expect(factors()).toEqual([0.6, 0.9]);
  await drag(1);
  await drag(1, "change");
  await finish();
  await finish();
  expect(factors()).toEqual([0.6, 0.9, 1]);
  expect(host.state.interventions?.[1]).toMatchObject({ factor: 1 });
});

it("many views hold up no move, and what waits gives way to what comes from elsewhere", async () => {
  await open();
  await act(() => host.set({ steps: { undo: 0, redo: 0 } }));
  const factors = () => host.sent.map((list) => (list[1] as typeof scale).factor);
  await drag(0.6);
  await drag(0.7);
  expect(factors(), "a job is begun with each").toEqual([0.6, 0.7]);
  host.setInterventions = (list) => void host.sent.push(list);
  await drag(0.8);
  await drag(0.9);
  await act(() => host.set({ interventions: [zero("L3H3")] }));
  await act(() => void vi.advanceTimersByTime(1_000));
  expect(factors()).toEqual([0.6, 0.7, 0.8]);
  expect(words()).toEqual(["L3H3 := 0"]);
});

it("takes steps back and does them again, a drag being one of them", async () => {
  await open();
  await drag(0.6);
  await drag(0.7);
  await drag(0.8, "change");
  await finish();
  await click("Remove: MLP1 := 0");
  await press("z", { ctrlKey: true });
  expect(words()).toEqual(["L0H0 := 0", "L2H1 × 0.8", "MLP1 := 0"]);
  await press("z", { ctrlKey: true });
  expect(words()[1]).toBe("L2H1 × 0.5");
  expect(button("Undo").disabled).toBe(true);
  await press("Z", { ctrlKey: true, shiftKey: true });
  expect(words()[1]).toBe("L2H1 × 0.8");
});

it("what Python sets is shown, and is a step like others", async () => {
  await open();
  await act(() => host.set({ interventions: [zero("L3H3")] }));
  expect(words()).toEqual(["L3H3 := 0"]);
  await click("Undo");
  expect(words()).toHaveLength(3);
});

it("a list that the kernel makes no job of holds up nothing", async () => {
  await open();
  host.setInterventions = (list) => void host.sent.push(list);
  await drag(0.6);
  await drag(0.7);
  expect(host.sent).toHaveLength(1);
  await act(() => void vi.advanceTimersByTime(1_000));
  expect(host.sent).toHaveLength(2);
});

it("takes positions as they are typed, and none that are no numbers", async () => {
  await open();
  const box = find<HTMLInputElement>("[data-row='0'] .hs-iv-positions input");
  const type = (text: string) =>
    act(() => {
      box.value = text;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    });
  const enter = () =>
    act(() => {
      box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    });
  await type("2, x");
  expect(box.getAttribute("aria-invalid")).toBe("true");
  await enter();
  expect(host.sent).toEqual([]);
  await type("2, -1");
  await enter();
  expect(words()[0]).toBe("L0H0 := 0 at 2, -1");
});

it("acts on what is selected in any view", async () => {
  await open([]);
  expect(root.textContent).toContain("Select a head");
  await act(() => host.setSelection({ layer: 2, head: 1, dest: 5, src: 3 }));
  await click("zero");
  await click("cut the edge 5 ← 3");
  expect(words()).toEqual(["L2H1 := 0", "L2H1 cut from 5 to 3"]);
  const lacking = button("resample from the other prompt");
  expect([lacking.disabled, lacking.title]).toEqual([
    true,
    "There is no other prompt: this widget has no corrupted one, or it is empty",
  ]);
  await act(() => host.set({ values: { corrupted: "the dog" } }));
  await act(() => find<HTMLInputElement>(".hs-iv-actions > .hs-toggle input").click());
  await click("resample from the other prompt");
  expect(words().at(-1)).toBe("L2H1 := from 'the dog' at 5");
  await act(() => host.setSelection({ feature: "L3F20" }));
  await click("clamp");
  await click("skip MLP");
  expect(words().slice(-2)).toEqual(["L3F20 := 0 at 5", "skip MLP of L3"]);
});

it("names prompts that were given as ids by these", async () => {
  await open([]);
  await act(() =>
    host.set({
      values: { corrupted: "the dog" },
      arguments: { prompt: [0, 7, 8], corrupted: [0, 7, 9] },
    }),
  );
  await act(() => host.setSelection({ layer: 2, head: 1 }));
  for (const offer of [
    "mean over the prompt",
    "resample from the other prompt",
    "freeze pattern",
  ]) {
    await click(offer);
    await finish();
  }
  expect(host.sent.at(-1)).toMatchObject([
    { kind: "mean", prompts: [[0, 7, 8]] },
    { kind: "patch", prompt: [0, 7, 9] },
    { kind: "freeze_pattern", prompt: [0, 7, 8] },
  ]);
});

it("steers by two tokens, or by two lists of prompts", async () => {
  await open([]);
  await act(() => host.setSelection({ layer: 2 }));
  const type = (at: number, text: string) =>
    act(() => {
      const box = root.querySelectorAll<HTMLInputElement>(".hs-iv-texts :is(input, textarea)")[at];
      if (!box) throw new Error("no box");
      box.value = text;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    });
  expect(button("Steer").disabled).toBe(true);
  await type(0, " good");
  await type(1, " <b>bad</b>");
  await click("Steer");
  expect(words()).toEqual(["L2 + 1 × (embedding of ' good' − ' <b>bad</b>')"]);
  expect(root.querySelector("b")).toBeNull();
  await act(() => find<HTMLInputElement>("input[value=means]").click());
  await type(0, "one\n\ntwo\n");
  await type(1, "three");
  await click("Steer");
  expect(words().at(-1)).toBe("L2 + 1 × (mean of 2 − mean of 1)");
});

it("is only read without a kernel", async () => {
  await open(THREE, false);
  expect(words()).toHaveLength(3);
  for (const control of root.querySelectorAll<HTMLInputElement>("input, button")) {
    expect(control.disabled).toBe(true);
  }
  expect(root.querySelector(".hs-iv-actions")).toBeNull();
});
