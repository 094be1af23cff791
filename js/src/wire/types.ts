// Written by `python -m headscope.wire.codegen` from the Python definitions. Do not edit.

export const VERSION = 1;

/** An array on the page: `data` in C order, float16 widened to float32. */
export interface NdArray {
  dtype: ArrayHeader["dtype"];
  shape: number[];
  data: Float32Array | Int32Array | Uint8Array;
}

/** A result as it travels: arrays in `data` are `{"$array": index}`. */
export interface Header {
  version: number;
  kind: string;
  arrays: ArrayHeader[];
  data: Record<string, unknown>;
}

/** dtype and shape of one buffer. */
export interface ArrayHeader {
  dtype: "float32" | "float16" | "int32" | "uint8";
  shape: number[];
}

/** Values over named axes. */
export interface Grid {
  title: string;
  axes: Axis[];
  measures: Measure[];
  provenance: Provenance;
  top: TopTokens | null;
  identity: Identity | null;
  next_tokens: NextToken[];
  states: NdArray | null;
  alignment: Alignment | null;
  baselines: Term[];
  kind: "grid";
}

/** One named axis of a result. */
export interface Axis {
  name: string;
  labels: string[];
  tokens: boolean;
  selects: "layer" | "head" | "dest" | "src" | "token" | null;
  indices: (number | null)[] | null;
}

/** One quantity over all the grid's cells. */
export interface Measure {
  name: string;
  title: string;
  unit: string;
  definition: string;
  values: NdArray;
  scale: Scale;
}

/** How values become colour. */
export interface Scale {
  kind: "sequential" | "diverging";
  low: number;
  high: number;
  reverse: boolean;
  log: boolean;
}

/** The record that travels with every number. */
export interface Provenance {
  analysis: string;
  model: string;
  architecture: string;
  dtype: string;
  device: string;
  processed_weights: boolean;
  prompts: Prompt[];
  parameters: Record<string, string | number | boolean | null | (string | number | boolean | null)[]>;
  sign: string;
  normalisation: string;
  versions: Record<string, string>;
  revision: string | null;
  seed: number | null;
  notes: string[];
  user_hooks: string[];
}

/** A prompt exactly as it ran. */
export interface Prompt {
  text: string;
  tokens: string[];
  token_ids: number[];
}

/** The best tokens of every cell. */
export interface TopTokens {
  ids: NdArray;
  values: NdArray;
  texts: Record<string, string>;
}

/** An equation that the result obeys, with the error it was found to have. */
export interface Identity {
  terms: Term[];
  target: Term;
  residue: number;
  checked: number;
}

/** A labelled number. */
export interface Term {
  label: string;
  value: number;
}

/** A candidate for the token after the prompt. */
export interface NextToken {
  token_id: number;
  text: string;
  probability: number;
}

/** Which token of the other prompt meets each token of the one whose positions are shown. */
export interface Alignment {
  source: NdArray;
  shown: number;
  given: boolean;
}

/** Attention patterns of one prompt. */
export interface Patterns {
  title: string;
  n_layers: number;
  n_heads: number;
  causal: boolean;
  overview: NdArray;
  overview_max: NdArray;
  value_norm: NdArray;
  output_norm: NdArray;
  scores: HeadScore[];
  heads: HeadPattern[];
  provenance: Provenance;
  next_tokens: NextToken[];
  kind: "patterns";
}

/** One number per head, with its plain definition. */
export interface HeadScore {
  name: string;
  title: string;
  definition: string;
  high: number;
  values: NdArray;
}

/** Attention of one head, in full. */
export interface HeadPattern {
  layer: number;
  head: number;
  weights: NdArray;
}

/** What is pinned. The same shape on every widget; None: nothing. */
export interface Selection {
  layer: number | null;
  head: number | null;
  dest: number | null;
  src: number | null;
  token: number | null;
}

/** Where the current computation stands. */
export interface JobStatus {
  job: number;
  state: "idle" | "running" | "done" | "cancelled" | "error";
  fraction: number;
  eta_s: number | null;
  message: string;
  paused: boolean | null;
}

/** An error as the page shows it: its kind, what was wrong, what to do. */
export interface ErrorInfo {
  kind: string;
  message: string;
  hint: string;
}

/** One option of a choice field. */
export interface Choice {
  value: string;
  title: string;
}

/** One field of a request, so that the page can offer a control for it. */
export interface FieldSpec {
  name: string;
  title: string;
  type: "token" | "choice" | "integer" | "flag" | "line" | "text";
  choices: Choice[];
  help: string;
}

/** The synced traits that every widget has; each field in `_fields` is one more. */
export interface WidgetState {
  _widget: string;
  _fields: FieldSpec[];
  _result: Record<string, unknown>;
  _status: JobStatus;
  _error: ErrorInfo | null;
  prompt: string;
  selection: Selection;
  view: Record<string, unknown>;
}

/** Page to kernel: answer one question. Exactly one `Reply` with the same id follows. */
export interface Ask {
  type: "ask";
  id: number;
  what: string;
  params: Record<string, unknown>;
}

/** Page to kernel: the answer to `id` is no longer wanted. */
export interface CancelAsk {
  type: "cancel_ask";
  id: number;
}

/** Page to kernel: stop the running computation, keep what there is. */
export interface CancelJob {
  type: "cancel_job";
}

/** Page to kernel: compute again (after a cancel or an error). */
export interface RunJob {
  type: "run_job";
}

/** Page to kernel: progress has been drawn; the next may be sent. */
export interface AckProgress {
  type: "ack_progress";
}

/** Kernel to page: the answer to the ask with that id. */
export interface Reply {
  type: "reply";
  id: number;
  ok: boolean;
  value: unknown;
  arrays: ArrayHeader[];
  error: ErrorInfo | null;
}

/** Kernel to page: the running job's status, at most ten a second. */
export interface Progress {
  type: "progress";
  status: JobStatus;
}

export type Result = Grid | Patterns;
export type PageMessage = Ask | CancelAsk | CancelJob | RunJob | AckProgress;
export type KernelMessage = Reply | Progress;
