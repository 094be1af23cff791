// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { afterEach, expect, test, vi } from "vitest";
import { svgOf } from "../../src/figure";
import { PLAIN } from "../../src/figure/svg";
import { toCsv } from "../../src/figure/table";
import type { FrozenWidget } from "../../src/host/frozen";
import { FakeModel } from "../host/fake-model";
import { golden } from "../wire/golden";
import { type Opened, open, press } from "./open";

const done = { job: 1, state: "done", fraction: 1, eta_s: null, message: "", paused: null };

let page: Opened | undefined;
afterEach(() => page?.close());

async function show(kind: "grid" | "patterns", traits: Record<string, unknown>): Promise<Opened> {
  page = await open(new FakeModel({ _result: golden(kind), _status: done, ...traits }));
  await act(() => page?.button("Export ▾").click());
  return page;
}

const item = ({ all }: Opened, name: string): HTMLElement => {
  const found = all("[role=menuitem]").find(({ textContent }) => textContent?.startsWith(name));
  if (!found) throw new Error(`There is no ${name}.`);
  return found;
};

/** What is downloaded when `name` is chosen. */
async function saved(from: Opened, name: string): Promise<string> {
  const files: Blob[] = [];
  vi.spyOn(URL, "createObjectURL").mockImplementation((file) => {
    files.push(file as Blob);
    return "blob:file";
  });
  await act(() => item(from, name).click());
  await act(() => vi.waitFor(() => expect(files).toHaveLength(1)));
  return (files[0] as Blob).text();
}

test.each([
  ["grid", { view: { heatmap_measure: "effect" }, selection: {} }],
  ["patterns", { view: { attention_weighting: "value" }, selection: { layer: 1, head: 0 } }],
] as const)("the page saves the %s that Python draws", async (kind, shown) => {
  const from = await show(kind, shown);
  const frozen = { marks: {}, ...shown, payload: golden(kind) } as unknown as FrozenWidget;
  const python = svgOf(frozen, PLAIN);
  expect(python).toContain("<metadata>{&quot;headscope&quot;");
  expect(await saved(from, "SVG")).toBe(python);
});

test("numbers are saved with the columns of a data frame", async () => {
  const from = await show("patterns", {});
  const [head, first] = (await saved(from, "CSV")).split("\r\n");
  expect(head).toBe("layer,head,dest,src,dest_token,src_token,attention");
  expect(first?.split(",").slice(2, 4)).toEqual(["0", "0"]);
});

test("a cell is one cell, and no formula", () => {
  const text = toCsv([
    ["a,b", '"', "=1+1", "\n"],
    [1.5, Number.NaN, -2, true],
  ]);
  expect(text).toBe(`"a,b","""",'=1+1,⏎\r\n1.5,,-2,true\r\n`);
});

test("keys go round the menu and back to its button", async () => {
  const from = await show("grid", {});
  const focus = (): string | undefined => from.root.activeElement?.textContent ?? undefined;
  expect(focus()).toBe("SVG");
  for (const [key, reaches] of [
    ["ArrowUp", "Copy as code"],
    ["ArrowDown", "SVG"],
    ["End", "Copy as code"],
    ["Home", "SVG"],
  ] as const) {
    await press(from.root.activeElement as Element, key);
    expect(focus()).toBe(reaches);
  }
  await press(from.root.activeElement as Element, "Escape");
  expect(from.all("[role=menu]")).toHaveLength(0);
  expect(focus()).toContain("Export");
});
