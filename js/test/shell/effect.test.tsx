// @vitest-environment happy-dom
// What the interventions do: the choice of the view, and the next tokens before and after.
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Host, HostState } from "../../src/host/contract";
import { frozenHost } from "../../src/host/frozen";
import { EffectChoice } from "../../src/shell/effect";
import { mount } from "../../src/shell/mount";
import { decodeResult } from "../../src/wire/decode";
import type { InterventionData, TokenShift } from "../../src/wire/types";
import { FakeModel } from "../host/fake-model";
import { golden } from "../wire/golden";
import { open, opened, press, wait } from "./open";

const ZERO: InterventionData = { kind: "zero", on: true, component: "L2H1", positions: null };
const shifts: TokenShift[] = [
  { token_id: 5, text: " the", before: 0.123, after: 0.456 },
  { token_id: 6, text: "\n", before: 0.5, after: 0.25 },
];

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

function model(traits: Record<string, unknown> = {}): FakeModel {
  const status = { job: 1, state: "done", fraction: 1, eta_s: null, message: "", paused: null };
  return new FakeModel({
    _result: golden("grid"),
    _status: status,
    _shifts: shifts,
    interventions: [ZERO, { ...ZERO, on: false }],
    ...traits,
  });
}

it("offers the three where interventions act, by name and by arrow keys", async () => {
  const fake = model();
  const page = await open(fake);
  const group = page.find('[role="radiogroup"][aria-label="Show"]');
  const radios = [...group.querySelectorAll("input")];
  expect(group.parentElement?.textContent).toContain("1 intervention acts");
  expect(radios.map(({ value, checked }) => [value, checked])).toEqual([
    ["with", true],
    ["without", false],
    ["difference", false],
  ]);
  // The browser moves between radios of one name.
  expect(new Set(radios.map(({ name }) => name)).size).toBe(1);
  radios[2]?.click();
  await wait(0);
  expect(fake.saves.at(-1)).toMatchObject({ effect: "difference" });
});

it("offers no difference of graphs", () => {
  const host = { live: true } as Host;
  const result = decodeResult(golden("circuit_graph"));
  const state = { interventions: [ZERO], shifts, effect: "with", effects: [], result };
  render(<EffectChoice host={host} state={state as unknown as HostState} />, document.body);
  const radios = document.body.querySelectorAll<HTMLInputElement>('[aria-label="Show"] input');
  expect([...radios].map(({ value }) => value)).toEqual(["with", "without"]);
});

it.each([
  ["no intervention", { interventions: [] }],
  ["none that is on", { interventions: [{ ...ZERO, on: false }] }],
  ["a widget that takes none", { interventions: null }],
  ["one that compares by itself, or has not computed yet", { _shifts: [] }],
])("offers nothing for %s", async (_, traits) => {
  const page = await open(model(traits));
  expect(page.all('[aria-label="Show"]')).toHaveLength(0);
});

it("leaves a way back from a difference of nothing", async () => {
  const page = await open(model({ interventions: [], effect: "difference", _shifts: [] }));
  const group = page.find('[role="radiogroup"][aria-label="Show"]');
  expect(group.parentElement?.textContent).toContain("No interventions act");
});

it("shows each next token before and after, and says both", async () => {
  const page = await open(model());
  const [first, second] = page.all(".hs-next-token");
  expect(first?.textContent).toContain("12.3% → , then 45.6% (+33.3)");
  expect(second?.textContent).toContain("(−25.0)");
  expect(first?.title).toContain("12.3% before, 45.6% after the interventions: +33.3 percentage");
  expect(page.find("#hs-next-label").textContent).toContain("before and after");
  const widths = [...(first?.querySelectorAll<HTMLElement>(".hs-next-bar") ?? [])];
  expect(widths.map((bar) => bar.style.width)).toEqual(["12.3%", "45.6%"]);
});

it("shows of a saved page what travels, and says what does not", async () => {
  const el = document.createElement("div");
  document.body.append(el);
  const host = frozenHost({
    widget: "LogitLens",
    fields: [],
    values: {},
    status: { job: 1, state: "done", fraction: 1, eta_s: null, message: "", paused: null },
    error: null,
    prompt: "the",
    interventions: [ZERO],
    effect: "with",
    shifts,
    selection: {},
    view: {},
    marks: {},
    arguments: {},
    notes: [],
    missing: [],
    payload: golden("grid"),
    others: [{ effect: "without", payload: golden("grid") }],
  });
  const page = opened(el, mount(el, host, []));
  const [, without, difference] = page
    .find('[aria-label="Show"]')
    .querySelectorAll<HTMLInputElement>("input");
  expect(difference?.disabled).toBe(true);
  expect(difference?.closest("label")?.title).toBe("Needs a live kernel");
  const { result, resultId } = host.state;
  without?.click();
  await wait(0);
  expect(host.state.effect).toBe("without");
  expect(host.state.result).toEqual(result);
  expect(host.state.resultId).toBe(resultId + 1);
  expect(() => host.setEffect("difference")).toThrow("live kernel");
  await press(page.find("article"), "Escape");
});
