// What a front end needs of whoever holds the data: a live kernel or a frozen page.
import type { ErrorInfo, FieldSpec, JobStatus, NdArray, Result, Selection } from "../wire/types";

/** The answer to a question: JSON plus any arrays. */
export interface Answer {
  value: unknown;
  arrays: NdArray[];
}

/** Rejection of an `ask` on a frozen page; views show the feature disabled instead. */
export class NeedsKernel extends Error {
  constructor() {
    super("This needs a live kernel.");
    this.name = "NeedsKernel";
  }
}

export interface HostState {
  /** Class of the widget, such as `AttentionPatterns`. */
  widget: string;
  fields: FieldSpec[];
  /** Current values of the request fields, by name. */
  values: Record<string, unknown>;
  /** Null before the first result. */
  result: Result | null;
  /** Grows by one with every result: the key for caches of slices. */
  resultId: number;
  status: JobStatus;
  error: ErrorInfo | null;
  prompt: string;
  selection: Selection;
  /** Style options. They never cause a computation. */
  view: Record<string, unknown>;
}

export interface Host {
  readonly live: boolean;
  readonly state: HostState;
  /** Calls `listener` after any change of `state`; returns the unsubscriber. */
  subscribe(listener: () => void): () => void;
  setPrompt(text: string): void;
  setField(name: string, value: unknown): void;
  setSelection(patch: Partial<Selection>): void;
  setView(patch: Record<string, unknown>): void;
  /** One question to the kernel. Rejects with `NeedsKernel` on a frozen page, with the kernel's
   * one-line error, or with an AbortError once `signal` aborts. */
  ask(what: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Answer>;
  cancel(): void;
  rerun(): void;
}
