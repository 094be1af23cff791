// A graph view on a page of its own, for tests.
import { render } from "preact";
import { act } from "preact/test-utils";
import { vi } from "vitest";
import { NOTHING, selected } from "../../src/state/selection";
import type { ViewProps } from "../../src/views/contract";
import { GraphView } from "../../src/views/graph";
import type { CircuitGraph, Selection } from "../../src/wire/types";

export interface Page {
  root: HTMLElement;
  marks: Record<string, unknown>;
  options: Record<string, unknown>;
  selection: Selection;
  said: string[];
  ask: ReturnType<typeof vi.fn<ViewProps["ask"]>>;
}

export const page = {} as Page;

/** A page without anything marked. */
export function open(): void {
  Object.assign(page, {
    root: document.body.appendChild(document.createElement("div")),
    marks: { pinned: [], groups: [], labels: {}, places: [], threshold: {} },
    options: {},
    selection: NOTHING,
    said: [],
    ask: vi.fn<ViewProps["ask"]>(async () => ({ value: { exact: 2.5 }, arrays: [] })),
  });
}

export function close(): void {
  render(null, page.root);
  page.root.remove();
}

export async function show(
  result: CircuitGraph,
  more: Partial<ViewProps<CircuitGraph>> = {},
): Promise<void> {
  const draw = (): void => {
    render(
      <GraphView
        result={result}
        resultId={1}
        job={1}
        selection={page.selection}
        select={(patch) => {
          page.selection = selected(page.selection, patch);
          draw();
        }}
        options={page.options}
        setOption={(name, value) => {
          page.options = { ...page.options, [name]: value };
          draw();
        }}
        marks={page.marks}
        setMark={(name, value) => {
          page.marks = { ...page.marks, [name]: value };
          draw();
        }}
        asks={[]}
        ask={page.ask}
        live={true}
        theme="light"
        width={800}
        announce={(text) => page.said.push(text)}
        {...more}
      />,
      page.root,
    );
  };
  await act(draw);
}

export const find = <E extends HTMLElement = HTMLElement>(selector: string): E => {
  const found = page.root.querySelector<E>(selector);
  if (!found) throw new Error(`There is no ${selector}.`);
  return found;
};
export const buttons = (name: string): HTMLButtonElement[] =>
  [...page.root.querySelectorAll("button")].filter(
    (b) => b.textContent === name || b.getAttribute("aria-label") === name,
  );
/** Until what was asked is answered. */
export const settled = (): Promise<void> => act(async () => {});
export async function click(name: string): Promise<void> {
  await act(() => buttons(name)[0]?.click());
  await settled();
}
export const press = (key: string, init: KeyboardEventInit = {}): Promise<void> =>
  act(() => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
    find(".hs-graph-canvas").dispatchEvent(event);
  });
export const input = (element: HTMLInputElement, value: string, type = "input"): Promise<void> =>
  act(() => {
    element.value = value;
    element.dispatchEvent(new Event(type, { bubbles: true }));
  });
export const counted = (): string => find(".hs-graph-count").textContent ?? "";

/** Presses of an arrow that bring the cursor from the first target to a node. */
export async function walkTo(name: string): Promise<void> {
  await input(find("input[type=search]"), name);
  await act(() => find(".hs-graph-found button").click());
}

/** What was asked under a name. */
export const asked = (what: string): unknown[] =>
  page.ask.mock.calls.filter(([name]) => name === what).map(([, params]) => params);
