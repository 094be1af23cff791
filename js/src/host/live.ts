// A live kernel as a host. Every view of a widget has its own host over the same model, whose traits
// are the shared state.
import type { AnyModel } from "@anywidget/types";
import { merge, NOTHING, selected } from "../state/selection";
import { createStore } from "../state/store";
import { type Bytes, decodeResult } from "../wire/decode";
import type {
  Common,
  ErrorInfo,
  InterventionData,
  JobStatus,
  KernelMessage,
  PageMessage,
  PaneSpec,
  Result,
  Selection,
  WidgetState,
} from "../wire/types";
import { type Host, type HostState, present, type Ran } from "./contract";
import { openLine } from "./line";

export type WidgetModel = AnyModel<WidgetState & Record<string, unknown>>;

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

const runs = (...statuses: JobStatus[]): boolean => statuses.every((s) => s.state === "running");

/** A computation that is over by then is not announced: the page would be drawn twice. */
const ANNOUNCE_MS = 100;
const ANSWERS = ["_result", "_shifts", "_status", "_error"] as const;
const RESULT = ["_result", "_status"] as const;
const NO_PANES: PaneSpec[] = [];

export interface LiveHost extends Host {
  /** Stops listening, cancels what is still being asked. */
  dispose(): void;
}

export function liveHost(model: WidgetModel): LiveHost {
  let lastTrait: JobStatus | undefined;
  const store = createStore(read());
  const line = openLine(model, (kernel) => store.set({ ...store.get(), kernel }));
  const shared = [
    ...["prompt", "interventions", "effect", "selection", "view", "_panes", "_workspace"],
    ...model.get("_marks"),
  ];
  let watched: string[] = [];
  let announcing: ReturnType<typeof setTimeout> | undefined;
  let saving = false;
  let disposed = false;

  function read(previous?: HostState): HostState {
    const { result, resultId, error } = decodeOnce(model.get("_result"));
    // What could not be decoded must not take the last good picture away, nor what was put down by a
    // kernel that takes this view for gone.
    const kept = error || !result;
    const fields = model.get("_fields");
    const trait = model.get("_status");
    const seen = previous?.status;
    // While a job runs, its progress messages are ahead of the trait, unless that has just changed:
    // the job was paused.
    const old = trait === lastTrait;
    lastTrait = trait;
    const ahead =
      seen && (seen.job > trait.job || (old && seen.job === trait.job && runs(seen, trait)));
    const shown = kept ? (previous?.result ?? null) : result;
    const common = model.get("_workspace") as Common | undefined;
    return {
      widget: model.get("_widget"),
      kernel: previous?.kernel ?? "ready",
      fields,
      values: named(fields.map(({ name }) => name)),
      result: shown,
      resultId: kept ? (previous?.resultId ?? resultId) : resultId,
      status: ahead ? seen : trait,
      error: error ?? model.get("_error"),
      prompt: model.get("prompt"),
      interventions: model.get("interventions") as InterventionData[] | null,
      effect: model.get("effect"),
      effects: [],
      shifts: model.get("_shifts"),
      selection: merge(NOTHING, model.get("selection")),
      view: model.get("view"),
      marks: named(model.get("_marks")),
      asks: model.get("_asks"),
      arguments: model.get("_arguments"),
      ran: common ? (common.ran as Ran | null) : shown,
      steps: common ?? null,
      panes: (model.get("_panes") as PaneSpec[] | undefined) ?? NO_PANES,
      notes: [],
      missing: [],
    };
  }

  function named(names: string[]): Record<string, unknown> {
    return Object.fromEntries(names.map((name) => [name, model.get(name)]));
  }

  function refresh(): void {
    clearTimeout(announcing);
    announcing = undefined;
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

  /** Only the kernel changes these. */
  function answered(): void {
    line.heard();
    const begins = runs(model.get("_status")) && !runs(store.get().status);
    if (begins) announcing ??= setTimeout(refresh, ANNOUNCE_MS);
    else refresh();
  }

  function write(name: string, value: unknown): void {
    if (Object.is(model.get(name), value)) return;
    saveSoon(); // before the page is drawn with it, which begins in the same way
    model.set(name, value);
    refresh();
  }

  /** One save for all that changes in one turn of the event loop. */
  function saveSoon(): void {
    if (saving) return;
    saving = true;
    queueMicrotask(() => {
      saving = false;
      if (!disposed) model.save_changes();
    });
  }

  /** A change that the kernel answers with a new result. */
  function request(name: string, value: unknown): void {
    if (!present(line.kernel)) return;
    write(name, value);
    line.expect();
  }

  /** What is shown here was put down, since nothing seemed to show it. */
  function need(): void {
    const empty = Object.keys(model.get("_result")).length === 0;
    if (empty && model.get("_status").state === "done") line.send({ type: "need_result" });
  }

  function order(message: PageMessage): void {
    line.send(message);
    line.expect();
  }

  function receive(message: KernelMessage, buffers: Bytes[]): void {
    if (message.type === "progress") {
      line.heard();
      const { status } = store.get();
      // Late progress of a job that has ended, or of an older one, says nothing any more.
      const current = status.job === message.status.job && status.state === "running";
      if (current || message.status.job > status.job) {
        store.set({ ...store.get(), status: message.status });
      }
      requestAnimationFrame(() => {
        if (!disposed) line.send({ type: "ack_progress" });
      });
      return;
    }
    if (message.type === "reply") line.receive(message, buffers);
  }

  for (const name of ANSWERS) model.on(`change:${name}`, answered);
  for (const name of shared) model.on(`change:${name}`, refresh);
  model.on("change:_fields", fieldsChanged);
  model.on("msg:custom", receive);
  watchFields();
  for (const name of RESULT) model.on(`change:${name}`, need);
  need();

  return {
    get live() {
      return present(line.kernel);
    },
    get state() {
      return store.get();
    },
    subscribe: store.subscribe,
    setPrompt: (text) => request("prompt", text),
    setField: request,
    setInterventions: (list) => request("interventions", list),
    setEffect: (effect) => request("effect", effect),
    setSelection(patch: Partial<Selection>) {
      const { selection } = store.get();
      const next = selected(selection, patch);
      if (next !== selection) write("selection", next);
    },
    setMark: write,
    setView: (patch) => write("view", merge(model.get("view"), patch)),
    step: (name) => void line.ask(name, {}).catch(() => {}),
    ask: line.ask,
    cancel: () => order({ type: "cancel_job" }),
    rerun: () => order({ type: "run_job" }),

    dispose() {
      if (disposed) return;
      if (saving) model.save_changes();
      disposed = true;
      clearTimeout(announcing);
      for (const name of ANSWERS) model.off(`change:${name}`, answered);
      for (const name of RESULT) model.off(`change:${name}`, need);
      for (const name of [...shared, ...watched]) model.off(`change:${name}`, refresh);
      model.off("change:_fields", fieldsChanged);
      model.off("msg:custom", receive);
      line.close();
    },
  };
}
