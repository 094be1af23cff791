// What every view gets: plain data and callbacks. A view never sees a widget model or a payload.
import type { Theme } from "../draw/colour";
import type { Answer } from "../host/contract";
import type { Choice, Result, Selection, ViewOptions } from "../wire/types";

export interface ViewProps<R extends Result = Result> {
  result: R;
  /** Changes with every new result: key for caches. */
  resultId: number;
  /** The computation that runs or ran last; partial results are of the same one. */
  job: number;
  /** Pinned selection, shared with Python. */
  selection: Selection;
  select(patch: Partial<Selection>): void;
  /** Style options, synced but never causing a computation. */
  options: ViewOptions;
  setOption(name: keyof ViewOptions, value: unknown): void;
  /** What users marked in the result, by name: synced and saved, never causing a computation. */
  marks: Record<string, unknown>;
  setMark(name: string, value: unknown): void;
  /** What may be asked about the result, where `live`. */
  asks: readonly string[];
  ask(what: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Answer>;
  /** Measures that a frozen page lacks. */
  missing?: readonly Choice[];
  /** False on a frozen page: what needs a kernel is shown disabled and says so. */
  live: boolean;
  theme: Theme;
  /** Width available, CSS pixels. */
  width: number;
  /** Speaks to screen readers through the shell's live region. */
  announce(text: string): void;
}
