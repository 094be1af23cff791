// What a result kind gives to what is saved of it.
import type { Theme } from "../draw/colour";
import type { Scene } from "../draw/scene";
import type { Answer } from "../host/contract";
import type { Result, Selection, ViewOptions } from "../wire/types";

export interface Drawing {
  title: string;
  /** Definition, sign and normalisation of what is drawn. */
  caption: string;
  drawings: Scene[];
}

/** What, beside the result, decides how it is shown. */
export interface Shown {
  view: ViewOptions;
  marks: Record<string, unknown>;
  selection: Selection;
}

/** The names of the columns, then the rows. */
export type Table = readonly (readonly (string | number | boolean)[])[];

export type Ask = (what: string, params: Record<string, unknown>) => Promise<Answer>;

export interface Exports<R extends Result = Result> {
  /** Of `width` CSS pixels. */
  figure(result: R, shown: Shown, theme: Theme, width: number): Drawing;
  /** Tidy, with the columns of Python's `to_dataframe`: one row per value that is shown. */
  table(result: R, shown: Shown): Table;
  /** The result with what is shown of it and only the kernel has. */
  completed?(result: R, shown: Shown, ask: Ask): Promise<R>;
}
