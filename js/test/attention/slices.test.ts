import { describe, expect, it, vi } from "vitest";
import type { Answer } from "../../src/host/contract";
import { type Ask, ByteCache, type SliceRequest, Slices } from "../../src/views/attention/slices";
import { random } from "./patterns";

const request = (key: string, length = 4): SliceRequest => ({
  key,
  what: "head",
  params: { key },
  length,
});
const answer = (length = 4): Answer => ({
  value: null,
  arrays: [{ dtype: "float16", shape: [length], data: new Float32Array(length) }],
});

/** Answers when told to. */
function slowKernel() {
  const open = new Map<
    string,
    { resolve(a: Answer): void; reject(e: Error): void; signal?: AbortSignal }
  >();
  const ask = vi.fn<Ask>(
    (_what, params, signal) =>
      new Promise((resolve, reject) => {
        open.set(String(params.key), { resolve, reject, ...(signal && { signal }) });
      }),
  );
  return { open, ask };
}
const settle = () => new Promise((done) => setTimeout(done));

describe("ByteCache", () => {
  it("never exceeds its bound and drops the least recently used first", () => {
    const next = random(9);
    const cache = new ByteCache(1000);
    for (let step = 0; step < 2000; step++) {
      const key = `k${Math.floor(next() * 30)}`;
      if (next() < 0.5) {
        cache.set(key, new Float32Array(Math.floor(next() * 80)));
        expect(cache.bytes).toBeLessThanOrEqual(1000);
        expect(cache.bytes).toBeGreaterThanOrEqual(0);
      } else cache.get(key);
    }
    const fresh = new ByteCache(48);
    for (const key of ["a", "b", "c"]) fresh.set(key, new Float32Array(4));
    fresh.get("a");
    fresh.set("d", new Float32Array(4));
    expect(["a", "b", "c", "d"].filter((key) => fresh.get(key))).toEqual(["a", "c", "d"]);
  });

  it("does not keep what alone is over the bound", () => {
    const cache = new ByteCache(8);
    cache.set("small", new Float32Array(2));
    cache.set("large", new Float32Array(3));
    expect(cache.get("large")).toBeUndefined();
    expect(cache.get("small")).toBeDefined();
  });
});

describe("Slices", () => {
  it("asks once, and not again for what it keeps", async () => {
    const { open, ask } = slowKernel();
    const changed = vi.fn();
    const slices = new Slices(changed);
    slices.want([request("a")], ask);
    slices.want([request("a"), request("b")], ask);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(slices.read("a").state).toBe("loading");
    open.get("a")?.resolve(answer());
    await settle();
    expect(slices.read("a").state).toBe("ready");
    expect(changed).toHaveBeenCalledTimes(1);
    slices.want([], ask);
    slices.want([request("a")], ask);
    expect(slices.read("a").state).toBe("ready");
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("cancels what is no longer wanted, and never shows its late answer", async () => {
    const { open, ask } = slowKernel();
    const changed = vi.fn();
    const slices = new Slices(changed);
    slices.want([request("a")], ask);
    slices.want([request("b")], ask);
    expect(open.get("a")?.signal?.aborted).toBe(true);
    expect(open.get("b")?.signal?.aborted).toBe(false);
    open.get("a")?.resolve(answer());
    await settle();
    expect(changed).not.toHaveBeenCalled();
    expect(slices.bytes).toBe(0);
  });

  it("says what failed and asks again only when told to", async () => {
    const { open, ask } = slowKernel();
    const slices = new Slices(() => {});
    slices.want([request("a")], ask);
    open.get("a")?.reject(new Error("RuntimeError: no."));
    await settle();
    expect(slices.read("a")).toEqual({ state: "failed", message: "RuntimeError: no." });
    slices.want([request("a")], ask);
    expect(ask).toHaveBeenCalledTimes(1);
    slices.retry("a");
    slices.want([request("a")], ask);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it("refuses an answer of the wrong size", async () => {
    const { open, ask } = slowKernel();
    const slices = new Slices(() => {});
    slices.want([request("a", 9)], ask);
    open.get("a")?.resolve(answer(4));
    await settle();
    expect(slices.read("a").state).toBe("failed");
  });
});
