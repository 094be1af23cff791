// Written by `python -m headscope.wire.codegen` from the Python definitions. Do not edit.

export const VERSION = 1;

/** An array on the page: `data` in C order, float16 and what was rounded widened to float32. */
export interface NdArray {
  dtype: ArrayHeader["dtype"];
  shape: number[];
  data: Float32Array | Int32Array | Uint8Array;
  /** Most by which a number is off for having been rounded. */
  bound?: number;
}

/** A result as it travels: arrays in `data` are `{"$array": index}`. */
export interface Header {
  version: number;
  kind: string;
  arrays: ArrayHeader[];
  data: Record<string, unknown>;
}

/** dtype and shape of one buffer; where it was rounded, what its numbers stand for. */
export interface ArrayHeader {
  dtype: "float32" | "float16" | "int32" | "uint8";
  shape: number[];
  rounding?: Rounding;
}

/** What a rounded array's numbers stand for: `low + step * number`, off by at most `bound`. */
export interface Rounding {
  low: number;
  step: number;
  bound: number;
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
  drawn: "heatmap" | "curves" | "texts" | "bars";
  stretches: Stretch[];
  kind: "grid";
}

/** One named axis of a result. */
export interface Axis {
  name: string;
  labels: string[];
  tokens: boolean;
  selects: "layer" | "head" | "dest" | "src" | "token" | null;
  indices: (number | null)[] | null;
  components: (string | null)[] | null;
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
  fingerprint: string | null;
  seed: number | null;
  notes: string[];
  user_hooks: string[];
  interventions: string[];
  sources: Provenance[];
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

/** Places of the last axis, one after the other, that a rule picks out. */
export interface Stretch {
  label: string;
  rule: string;
  first: number | null;
  last: number | null;
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
  signed: boolean;
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
  weighted: NdArray | null;
}

/** A graph of components, or of features. */
export interface CircuitGraph {
  title: string;
  family: "components" | "attribution";
  nodes: Nodes;
  edges: Edges;
  measures: EdgeMeasure[];
  pruning: Pruning;
  provenance: Provenance;
  node_measures: NodeMeasure[];
  texts: Record<string, string>;
  scores: Term[];
  baselines: Term[];
  faithfulness: FaithfulnessPoint[];
  marks: Marks;
  nodes_in_all: number;
  edges_in_all: number;
  next_tokens: NextToken[];
  remainder: string;
  kind: "circuit_graph";
}

/** Nodes as columns, all arrays `[node]`; -1 stands for None. */
export interface Nodes {
  kind: NdArray;
  layer: NdArray;
  position: NdArray;
  unit: NdArray;
  kv_head: NdArray;
}

/** Edges from what one node writes to what another reads of it, all arrays `[edge]`. */
export interface Edges {
  source: NdArray;
  target: NdArray;
  input: NdArray;
  kept: NdArray;
}

/** One quantity of every edge. */
export interface EdgeMeasure {
  name: string;
  title: string;
  unit: string;
  definition: string;
  values: NdArray;
}

/** How the kept edges were chosen. */
export interface Pruning {
  rule: "all" | "threshold" | "top_n" | "greedy" | "acdc" | "influence";
  value: number;
  measure: string;
  signed: boolean;
  edge_value: number | null;
}

/** One quantity of every node. */
export interface NodeMeasure {
  name: string;
  title: string;
  unit: string;
  definition: string;
  values: NdArray;
}

/** A circuit that was really run, everything outside of it ablated. */
export interface FaithfulnessPoint {
  requested: number;
  kept: number;
  metric: number;
  faithfulness: number;
  by: "rule" | "magnitude" | "score";
  completeness: number | null;
}

/** What users have marked in a graph; nodes are named as by `GraphNode.name`. */
export interface Marks {
  pinned: string[];
  groups: Group[];
  labels: Record<string, string>;
  places: Place[];
  threshold: Record<string, number>;
}

/** Nodes that a user takes as one (a supernode). */
export interface Group {
  label: string;
  nodes: string[];
}

/** Where a user has put a node: what is added to where the layout puts it, in CSS pixels. */
export interface Place {
  node: string;
  x: number;
  y: number;
}

/** What is pinned. The same shape on every widget; None: nothing. */
export interface Selection {
  layer: number | null;
  head: number | null;
  dest: number | null;
  src: number | null;
  token: number | null;
  component: string | null;
  feature: string | null;
}

/** How likely a token is to come next, before and after the interventions. */
export interface TokenShift {
  token_id: number;
  text: string;
  before: number;
  after: number;
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
  when: Record<string, string[]>[];
}

/** One pane of a widget that holds others. */
export interface PaneSpec {
  name: string;
  title: string;
  widget: string | null;
  error: ErrorInfo | null;
}

/** Every style option there is. None computes anything, and a view checks the values it reads. */
export interface ViewOptions {
  heatmap_measure?: unknown;
  heatmap_chosen?: unknown;
  heatmap_zoom?: unknown;
  heatmap_upward?: unknown;
  heatmap_cell?: unknown;
  heatmap_group?: unknown;
  heatmap_table?: unknown;
  heatmap_track?: unknown;
  heatmap_tracked?: unknown;
  heatmap_track_log?: unknown;
  bars_sort?: unknown;
  attention_mode?: unknown;
  attention_weighting?: unknown;
  attention_sort?: unknown;
  attention_filter?: unknown;
  attention_per_head?: unknown;
  attention_heads?: unknown;
  attention_direction?: unknown;
  attention_mix?: unknown;
  attention_threshold?: unknown;
  graph_only_pinned?: unknown;
  graph_table?: unknown;
  graph_examples?: unknown;
  scales?: unknown;
  columns?: unknown;
  shares?: unknown;
  collapsed?: unknown;
  heights?: unknown;
  own_scale?: unknown;
}

/** What several views of one prompt have in common, for the page that holds them. */
export interface Common {
  undo: number;
  redo: number;
  ran: Record<string, unknown> | null;
}

/** The synced traits that every widget has; each in `_fields` and in `_marks` is one more. */
export interface WidgetState {
  _widget: string;
  _output: string;
  _fields: FieldSpec[];
  _marks: string[];
  _asks: string[];
  _arguments: Record<string, unknown>;
  _result: Record<string, unknown>;
  _shifts: TokenShift[];
  _status: JobStatus;
  _error: ErrorInfo | null;
  prompt: string | null;
  interventions: Record<string, unknown>[] | null;
  effect: "with" | "without" | "difference";
  selection: Selection;
  view: ViewOptions;
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

/** Page to kernel: a result is shown that was put down, because nothing seemed to show it. */
export interface NeedResult {
  type: "need_result";
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

export type Result = Grid | Patterns | CircuitGraph;
export type PageMessage = Ask | CancelAsk | CancelJob | RunJob | AckProgress | NeedResult;
export type KernelMessage = Reply | Progress;

/** A direction in the residual stream. */
export type DirectionData =
  | { kind: "means"; toward: string[]; away: string[] }
  | { kind: "tokens"; toward: string | number; away: string | number }
  | { kind: "vector"; values: number[]; name: string }
  | { kind: "token"; token: string | number; contexts: string[] }
  | { kind: "sum"; terms: [number, DirectionData][] };

/** A change of how a model computes. */
export type InterventionData =
  | { kind: "zero"; on: boolean; component: string; positions: number[] | null }
  | { kind: "mean"; on: boolean; component: string; prompts: (string | number[])[]; positions: number[] | null }
  | { kind: "patch"; on: boolean; component: string; prompt: string | number[]; positions: number[] | null }
  | { kind: "scale"; on: boolean; component: string; factor: number; positions: number[] | null }
  | { kind: "knock_out"; on: boolean; head: string; dest: number | null; src: number | null }
  | { kind: "freeze_pattern"; on: boolean; head: string; prompt: string | number[] }
  | { kind: "clamp"; on: boolean; unit: string; value: number; positions: number[] | null }
  | { kind: "steer"; on: boolean; layer: number; direction: DirectionData; strength: number; positions: number[] | null }
  | { kind: "skip"; on: boolean; layers: number[]; part: "block" | "attn" | "mlp" }
  | { kind: "swap"; on: boolean; first: number; second: number }
  | { kind: "repeat"; on: boolean; layer: number; times: number };
