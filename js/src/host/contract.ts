// What a front end needs of whoever holds the data: a live kernel or a frozen page.
import type {
  Choice,
  Common,
  ErrorInfo,
  FieldSpec,
  InterventionData,
  JobStatus,
  NdArray,
  PaneSpec,
  Result,
  Selection,
  TokenShift,
  ViewOptions,
  WidgetState,
} from "../wire/types";

/** The answer to a question: JSON plus any arrays. */
export interface Answer {
  value: unknown;
  arrays: NdArray[];
}

/** How the kernel is, as far as the page can tell. `none`: a frozen page; `busy`: it has not answered
 * for a while; `silent`: for so long that it may be gone; `gone`: nothing will reach it any more. */
export type KernelState = "none" | "ready" | "busy" | "silent" | "gone";

/** Whether it is worth asking such a kernel. */
export const present = (kernel: KernelState): boolean => kernel === "ready" || kernel === "busy";

/** Rejection of an `ask` where no kernel answers; views show the feature disabled instead. */
export class NeedsKernel extends Error {
  constructor() {
    super("This needs a live kernel.");
    this.name = "NeedsKernel";
  }
}

/** What is shown where interventions act. */
export type Effect = WidgetState["effect"];

/** What there is to say of a prompt that ran, whatever was made of it. */
export type Ran = Pick<Result, "provenance" | "next_tokens">;

export interface HostState {
  /** Class of the widget, such as `AttentionPatterns`. */
  widget: string;
  kernel: KernelState;
  fields: FieldSpec[];
  /** Current values of the request fields, by name. */
  values: Record<string, unknown>;
  /** Null before the first result. */
  result: Result | null;
  /** Grows by one with every result: the key for caches of slices. */
  resultId: number;
  status: JobStatus;
  error: ErrorInfo | null;
  /** Null where there is no model to run one: neither prompt nor kernel is shown then. */
  prompt: string | null;
  /** In the order in which they act, also those that are off. Null: this widget takes none. */
  interventions: InterventionData[] | null;
  effect: Effect;
  /** Those that can be shown with no kernel. */
  effects: readonly Effect[];
  /** Next tokens before and after the interventions; none where none acts. */
  shifts: readonly TokenShift[];
  selection: Selection;
  /** Style options. They never cause a computation. */
  view: ViewOptions;
  /** What users marked in the result, by name. Neither do these. */
  marks: Record<string, unknown>;
  /** What was passed to the widget in Python and is neither prompt nor field. */
  arguments: Record<string, unknown>;
  /** What may be asked about the result. */
  asks: readonly string[];
  /** Of a widget that holds others: their panes, in order. */
  panes: readonly PaneSpec[];
  /** What ran for the prompt that is shown; null before there was anything. */
  ran: Ran | null;
  /** How many steps there are back and forth; null: no history is kept. */
  steps: Pick<Common, "undo" | "redo"> | null;
  /** Lines on what a frozen page lacks. */
  notes: readonly string[];
  /** What a frozen page lacks and would offer by name. */
  missing: readonly Choice[];
}

export type StepName = "undo" | "redo";

export interface Host {
  /** Whether there is a kernel to ask. A live page can lose it, and find it again. */
  readonly live: boolean;
  readonly state: HostState;
  /** Calls `listener` after any change of `state`; returns the unsubscriber. */
  subscribe(listener: () => void): () => void;
  setPrompt(text: string): void;
  setInterventions(list: InterventionData[]): void;
  setEffect(effect: Effect): void;
  setField(name: string, value: unknown): void;
  setSelection(patch: Partial<Selection>): void;
  setView(patch: ViewOptions): void;
  setMark(name: string, value: unknown): void;
  /** One step back or forth, if there is one. Without a kernel steps are of the selection alone. */
  step(name: StepName): void;
  /** One question to the kernel. Rejects with `NeedsKernel` where none answers, with the kernel's
   * one-line error, or with an AbortError once `signal` aborts. */
  ask(what: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Answer>;
  cancel(): void;
  rerun(): void;
}

/** What the widgets in the panes of another have in common. */
export interface Share {
  /** Options that take the place of a widget's own; the same object until they change. */
  options(): ViewOptions;
  /** Takes what is shared of a change; returns the rest. */
  take(patch: ViewOptions): ViewOptions;
  /** Calls `listener` after any change of the options; returns the unsubscriber. */
  subscribe(listener: () => void): () => void;
}
