// A saved page as a host: everything is in the page, nothing can be computed.
import { advance, begin, type History, redo, undo } from "../state/history";
import { merge, NOTHING, selected } from "../state/selection";
import { createStore } from "../state/store";
import { type Bytes, decodeResult } from "../wire/decode";
import type {
  Choice,
  Common,
  ErrorInfo,
  FieldSpec,
  Header,
  InterventionData,
  JobStatus,
  PaneSpec,
  Selection,
  TokenShift,
  ViewOptions,
} from "../wire/types";
import { type Effect, type Host, type HostState, NeedsKernel, type Ran } from "./contract";
import { join } from "./linked";

/** One widget of the page. */
export interface FrozenWidget {
  widget: string;
  fields: FieldSpec[];
  values: Record<string, unknown>;
  status: JobStatus;
  error: ErrorInfo | null;
  prompt: string | null;
  interventions: InterventionData[] | null;
  effect: Effect;
  shifts: TokenShift[];
  selection: Partial<Selection>;
  view: ViewOptions;
  marks: Record<string, unknown>;
  arguments: Record<string, unknown>;
  /** Lines on what the page lacks. */
  notes: string[];
  /** What the page lacks and would offer by name. */
  missing: Choice[];
  /** Of a widget that holds others. */
  panes?: PaneSpec[];
  common?: Common;
  /** Null: it has no result of its own. */
  payload: Payload | null;
  /** What `effect` could show instead. */
  others: { effect: Effect; payload: Payload }[];
}

interface Payload {
  header: Header;
  buffers: Bytes[];
}

const differing = (before: Selection, after: Selection): Partial<Selection> =>
  Object.fromEntries(
    Object.entries(after).filter(([name, value]) => value !== before[name as keyof Selection]),
  );

/** `group`: whose widgets share their selection; empty: this one shares it with nobody. */
export function frozenHost(widget: FrozenWidget, group = ""): Host {
  const { payload, others, panes = [], common = null, ...saved } = widget;
  const result = payload && decodeResult(payload);
  let history = begin(selected(NOTHING, saved.selection));
  const steps = () => common && { undo: history.past.length, redo: history.future.length };
  const payloads = new Map(others.map(({ effect, payload }) => [effect, payload]));
  if (payload) payloads.set(saved.effect, payload);
  const store = createStore<HostState>({
    ...saved,
    kernel: "none",
    asks: [],
    effects: [...payloads.keys()],
    panes,
    ran: common ? (common.ran as Ran | null) : result,
    steps: steps(),
    result,
    resultId: 1,
    selection: history.now,
  });
  const patch = (change: Partial<HostState>): void => store.set(merge(store.get(), change));
  const refuse = (): never => {
    throw new NeedsKernel();
  };
  const go = (next: History<Selection>): void => {
    history = next;
    patch({ selection: history.now, steps: steps() });
  };
  const take = (change: Partial<Selection>): void => {
    const next = selected(history.now, change);
    if (next !== history.now) go(advance(history, next));
  };
  const share = join(group, { ran: () => store.get().ran, take });
  /** Does what changes the selection, and tells the others. */
  const sharing = (change: () => void): void => {
    const before = history.now;
    change();
    if (history.now !== before) share(differing(before, history.now));
  };
  return {
    live: false,
    get state() {
      return store.get();
    },
    subscribe: store.subscribe,
    setSelection: (change) => sharing(() => take(change)),
    step: (name) => sharing(() => go((name === "undo" ? undo : redo)(history))),
    setMark: (name, value) => patch({ marks: merge(store.get().marks, { [name]: value }) }),
    setView: (change) => patch({ view: merge(store.get().view, change) }),
    ask: () => Promise.reject(new NeedsKernel()),
    setPrompt: refuse,
    setField: refuse,
    setInterventions: refuse,
    setEffect(effect) {
      const other = payloads.get(effect);
      if (!other) return refuse();
      const { resultId } = store.get();
      patch({ effect, result: decodeResult(other), resultId: resultId + 1 });
    },
    cancel: refuse,
    rerun: refuse,
  };
}
