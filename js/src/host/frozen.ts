// A saved page as a host: everything is in the page, nothing can be computed.
import { merge, NOTHING } from "../state/selection";
import { createStore } from "../state/store";
import { decodeResult } from "../wire/decode";
import type { ErrorInfo, FieldSpec, Header, JobStatus, Selection } from "../wire/types";
import { type Host, type HostState, NeedsKernel } from "./contract";

/** One widget in the page's JSON. */
export interface FrozenWidget {
  widget: string;
  fields: FieldSpec[];
  values: Record<string, unknown>;
  status: JobStatus;
  error: ErrorInfo | null;
  prompt: string | null;
  selection: Partial<Selection>;
  view: Record<string, unknown>;
  marks: Record<string, unknown>;
  /** Null if it was saved before it had a result. Buffers are base64. */
  payload: { header: Header; buffers: string[] } | null;
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function frozenHost(saved: FrozenWidget): Host {
  const { payload, ...rest } = saved;
  const result = payload?.header
    ? decodeResult({ header: payload.header, buffers: payload.buffers.map(bytesOf) })
    : null;
  const store = createStore<HostState>({
    ...rest,
    kernel: "none",
    asks: [],
    result,
    resultId: 1,
    selection: merge(NOTHING, saved.selection),
  });
  const patch = (change: Partial<HostState>): void => store.set(merge(store.get(), change));
  const refuse = (): never => {
    throw new NeedsKernel();
  };
  return {
    live: false,
    get state() {
      return store.get();
    },
    subscribe: store.subscribe,
    setSelection: (change) => patch({ selection: merge(store.get().selection, change) }),
    setMark: (name, value) => patch({ marks: merge(store.get().marks, { [name]: value }) }),
    setView: (change) => patch({ view: merge(store.get().view, change) }),
    ask: () => Promise.reject(new NeedsKernel()),
    setPrompt: refuse,
    setField: refuse,
    cancel: refuse,
    rerun: refuse,
  };
}
