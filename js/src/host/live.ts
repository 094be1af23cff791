// A live kernel as a host. Every view of a widget has its own host over the same model: the model's
// traits are the shared state, and asks are told apart by ids that are unique across views and
// across browsers on the same kernel, since a reply reaches them all.
import type { AnyModel } from "@anywidget/types";
import { merge, NOTHING } from "../state/selection";
import { createStore } from "../state/store";
import { type Bytes, decodeArrays, decodeResult } from "../wire/decode";
import type {
  ErrorInfo,
  JobStatus,
  KernelMessage,
  PageMessage,
  Result,
  Selection,
  WidgetState,
} from "../wire/types";
import type { Answer, Host, HostState } from "./contract";

export type WidgetModel = AnyModel<WidgetState & Record<string, unknown>>;

/** The kernel's own one-line answer to an ask that failed. */
export class KernelError extends Error {
  override name = "KernelError";
  readonly info: ErrorInfo;
  constructor(info: ErrorInfo) {
    super(info.message);
    this.info = info;
  }
}

interface Decoded {
  result: Result | null;
  resultId: number;
  error: ErrorInfo | null;
}

/** By the trait's value, which all views of a model share: each result is decoded once. */
const decoded = new WeakMap<object, Decoded>();
let results = 0;

function decodeOnce(payload: Record<string, unknown>): Decoded {
  const known = decoded.get(payload);
  if (known) return known;
  let fresh: Decoded;
  try {
    const empty = Object.keys(payload).length === 0;
    fresh = { result: empty ? null : decodeResult(payload), resultId: ++results, error: null };
  } catch (broken) {
    const message = broken instanceof Error ? broken.message : String(broken);
    fresh = { result: null, resultId: ++results, error: { kind: "WireError", message, hint: "" } };
  }
  decoded.set(payload, fresh);
  return fresh;
}

interface Pending {
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

const abortError = (): DOMException => new DOMException("No longer wanted.", "AbortError");

const runs = (...statuses: JobStatus[]): boolean => statuses.every((s) => s.state === "running");

const TRAITS = ["_result", "_status", "_error", "prompt", "selection", "view"] as const;

export interface LiveHost extends Host {
  /** Stops listening, cancels what is still being asked. */
  dispose(): void;
}

export function liveHost(model: WidgetModel): LiveHost {
  const store = createStore(read());
  const pending = new Map<number, Pending>();
  let nextId = Math.floor(Math.random() * 2 ** 40) * 2 ** 12;
  let watched: string[] = [];
  let saving = false;
  let disposed = false;

  function read(previous?: HostState): HostState {
    const { result, resultId, error } = decodeOnce(model.get("_result"));
    const fields = model.get("_fields");
    const trait = model.get("_status");
    const seen = previous?.status;
    // While a job runs, its progress messages are ahead of the trait.
    const ahead = seen && (seen.job > trait.job || (seen.job === trait.job && runs(seen, trait)));
    return {
      widget: model.get("_widget"),
      fields,
      values: Object.fromEntries(fields.map(({ name }) => [name, model.get(name)])),
      // What could not be decoded must not take the last good picture away.
      result: error ? (previous?.result ?? null) : result,
      resultId: error ? (previous?.resultId ?? resultId) : resultId,
      status: ahead ? seen : trait,
      error: error ?? model.get("_error"),
      prompt: model.get("prompt"),
      selection: merge(NOTHING, model.get("selection")),
      view: model.get("view"),
    };
  }

  function refresh(): void {
    if (
      watched.join() !==
      store
        .get()
        .fields.map((field) => field.name)
        .join()
    )
      watchFields();
    store.set(read(store.get()));
  }

  function fieldsChanged(): void {
    watchFields();
    refresh();
  }

  function watchFields(): void {
    for (const name of watched) model.off(`change:${name}`, refresh);
    watched = model.get("_fields").map((field) => field.name);
    for (const name of watched) model.on(`change:${name}`, refresh);
  }

  function send(message: PageMessage): void {
    model.send(message);
  }

  /** One save for all that changes in one turn of the event loop. */
  function write(name: string, value: unknown): void {
    if (Object.is(model.get(name), value)) return;
    model.set(name, value);
    refresh();
    if (saving) return;
    saving = true;
    queueMicrotask(() => {
      saving = false;
      if (!disposed) model.save_changes();
    });
  }

  function receive(message: KernelMessage, buffers: Bytes[]): void {
    if (message.type === "progress") {
      const { status } = store.get();
      // Late progress of a job that has ended, or of an older one, says nothing any more.
      const current = status.job === message.status.job && status.state === "running";
      if (current || message.status.job > status.job) {
        store.set({ ...store.get(), status: message.status });
      }
      requestAnimationFrame(() => {
        if (!disposed) send({ type: "ack_progress" });
      });
      return;
    }
    if (message.type !== "reply") return;
    const waiting = pending.get(message.id);
    if (!waiting) return;
    pending.delete(message.id);
    if (message.error) {
      waiting.reject(new KernelError(message.error));
      return;
    }
    try {
      waiting.resolve({ value: message.value, arrays: decodeArrays(message.arrays, buffers) });
    } catch (broken) {
      waiting.reject(broken);
    }
  }

  for (const name of TRAITS) model.on(`change:${name}`, refresh);
  model.on("change:_fields", fieldsChanged);
  model.on("msg:custom", receive);
  watchFields();

  return {
    live: true,
    get state() {
      return store.get();
    },
    subscribe: store.subscribe,
    setPrompt: (text) => write("prompt", text),
    setField: write,
    setSelection: (patch: Partial<Selection>) =>
      write("selection", merge(model.get("selection"), patch)),
    setView: (patch) => write("view", merge(model.get("view"), patch)),
    cancel: () => send({ type: "cancel_job" }),
    rerun: () => send({ type: "run_job" }),

    ask(what, params, signal) {
      return new Promise((resolve, reject) => {
        if (disposed || signal?.aborted) {
          reject(abortError());
          return;
        }
        const id = nextId++;
        const abort = (): void => {
          if (!pending.delete(id)) return;
          send({ type: "cancel_ask", id });
          reject(abortError());
        };
        const settle = (): void => signal?.removeEventListener("abort", abort);
        pending.set(id, {
          resolve(answer) {
            settle();
            resolve(answer);
          },
          reject(reason) {
            settle();
            reject(reason);
          },
        });
        signal?.addEventListener("abort", abort);
        send({ type: "ask", id, what, params });
      });
    },

    dispose() {
      if (disposed) return;
      if (saving) model.save_changes();
      disposed = true;
      for (const name of [...TRAITS, ...watched]) model.off(`change:${name}`, refresh);
      model.off("change:_fields", fieldsChanged);
      model.off("msg:custom", receive);
      for (const [id, waiting] of pending) {
        send({ type: "cancel_ask", id });
        waiting.reject(abortError());
      }
      pending.clear();
    },
  };
}
