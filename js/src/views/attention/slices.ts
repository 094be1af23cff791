// Arrays asked for on demand: asked once, cancelled when no longer wanted, kept within a bound.
import type { Answer } from "../../host/contract";
import type { NdArray } from "../../wire/types";

/** 64 MB hold sixteen heads at 1,024 tokens. */
export const SLICE_BYTES = 64 * 2 ** 20;

export interface SliceRequest {
  /** Names the array for good: it holds the result's id. */
  key: string;
  what: "head" | "row" | "mix";
  params: Record<string, unknown>;
  /** Number of values that the answer must have. */
  length: number;
}

export type Slice =
  | { state: "ready"; values: Float32Array }
  | { state: "loading" }
  | { state: "failed"; message: string }
  /** No kernel to ask, here or any more. */
  | { state: "frozen" };

export type Ask = (
  what: string,
  params: Record<string, unknown>,
  signal?: AbortSignal,
) => Promise<Answer>;

/** Least recently used arrays go first once `limit` bytes are exceeded. */
export class ByteCache {
  #entries = new Map<string, Float32Array>();
  #bytes = 0;

  constructor(readonly limit: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Float32Array | undefined {
    const found = this.#entries.get(key);
    if (found) {
      this.#entries.delete(key);
      this.#entries.set(key, found);
    }
    return found;
  }

  set(key: string, values: Float32Array): void {
    this.#drop(key);
    if (values.byteLength > this.limit) return;
    this.#entries.set(key, values);
    this.#bytes += values.byteLength;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.limit) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.byteLength ?? 0;
    this.#entries.delete(key);
  }
}

/** The arrays of an answer one after the other; null where one holds no floats. */
function joined(arrays: readonly NdArray[]): Float32Array | null {
  const parts = arrays.map(({ data }) => data);
  const [first] = parts;
  if (parts.length === 1 && first instanceof Float32Array) return first;
  if (!parts.every((part) => part instanceof Float32Array)) return null;
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

interface Wanted {
  slice: Slice;
  abort: AbortController;
}

export class Slices {
  #wanted = new Map<string, Wanted>();
  #cache: ByteCache;

  constructor(
    private readonly changed: () => void,
    limit: number = SLICE_BYTES,
  ) {
    this.#cache = new ByteCache(limit);
  }

  get bytes(): number {
    return this.#cache.bytes;
  }

  /** Exactly these are wanted from now on: missing ones are asked for, others cancelled. */
  want(requests: readonly SliceRequest[], ask: Ask): void {
    const keys = new Set(requests.map(({ key }) => key));
    for (const [key, { slice, abort }] of this.#wanted) {
      if (keys.has(key)) continue;
      this.#wanted.delete(key);
      if (slice.state === "loading") abort.abort();
    }
    for (const request of requests) if (!this.#wanted.has(request.key)) this.#start(request, ask);
  }

  read(key: string): Slice {
    const wanted = this.#wanted.get(key);
    if (wanted) return wanted.slice;
    const values = this.#cache.get(key);
    return values ? { state: "ready", values } : { state: "loading" };
  }

  /** Forgets a failure, so that the next `want` asks again. */
  retry(key: string): void {
    this.#wanted.delete(key);
    this.changed();
  }

  #start(request: SliceRequest, ask: Ask): void {
    const { key, what, params, length } = request;
    const abort = new AbortController();
    const cached = this.#cache.get(key);
    if (cached) {
      this.#wanted.set(key, { slice: { state: "ready", values: cached }, abort });
      return;
    }
    const wanted: Wanted = { slice: { state: "loading" }, abort };
    this.#wanted.set(key, wanted);
    const settle = (slice: Slice): void => {
      if (abort.signal.aborted) return;
      wanted.slice = slice;
      if (slice.state === "ready") this.#cache.set(key, slice.values);
      this.changed();
    };
    ask(what, params, abort.signal).then(
      ({ arrays }) => {
        const values = joined(arrays);
        if (values?.length === length) {
          settle({ state: "ready", values });
        } else {
          settle({ state: "failed", message: "The kernel's answer has the wrong shape." });
        }
      },
      (error: unknown) => {
        settle({
          state: "failed",
          message: error instanceof Error ? error.message : String(error),
        });
      },
    );
  }
}
