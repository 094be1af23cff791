import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** Plain JavaScript, which every widget carries as it is. */
const LOADER = new URL("../../../src/headscope/widgets/loader.js", import.meta.url).href;
const bundles = Symbol.for("headscope.bundles");

type Heard = (message: unknown) => void;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  Reflect.deleteProperty(globalThis, bundles);
});

test("a front end that no answer brings is asked for again, ever more seldom, until one does", async () => {
  const sent: unknown[] = [];
  const heard = new Set<Heard>();
  const model = {
    on: (_: string, listener: Heard) => heard.add(listener),
    off: (_: string, listener: Heard) => heard.delete(listener),
    send: (message: unknown) => sent.push(message),
    get: () => null,
  };
  const { default: widget } = await import(LOADER);
  const render = vi.fn();
  const drawn = widget.render({ model, el: null });
  const need = { type: "need_bundle", name: "widget" };
  expect(sent).toEqual([need]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(sent).toEqual([need, need]);
  await vi.advanceTimersByTimeAsync(3_900);
  expect(sent).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(200);
  expect(sent).toHaveLength(3);

  Object.assign(Reflect.get(globalThis, bundles), {
    widget: Promise.resolve({ render }),
  });
  for (const listener of heard) listener({ type: "bundle", name: "another", code: "" });
  expect(heard.size).toBe(1);
  for (const listener of heard) listener({ type: "bundle", name: "widget", code: "" });
  await drawn;
  expect(render).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(3);
  expect(heard.size).toBe(0);
});
