// The two-dimensional slice of a grid that is on the screen.
import { tokenGlyphs } from "../../state/tokens";
import type { Axis, Grid, Measure } from "../../wire/types";
import { given, type Scales } from "../scales";
import { ESTIMATE, EXACT, NOT_APPLICABLE, WAITING } from "./states";

/** What is drawn of a grid. `chosen` has one index for each axis before the last two. */
export interface Choice {
  measure: number;
  chosen: readonly number[];
  /** Whether the first row is drawn at the bottom. */
  upward: boolean;
  /** Domains of colour scales that are not the measures' own. */
  scales?: Scales;
}

/** A token predicted in a cell. */
export interface TopToken {
  id: number;
  text: string;
  value: number;
}

/** Rows are counted as drawn, from the top; `dataRow` gives their index on the axis. */
export interface Slice {
  grid: Grid;
  measure: Measure;
  rowAxis: Axis;
  columnAxis: Axis;
  rows: number;
  columns: number;
  dataRow(row: number): number;
  /** Labels as shown, with glyphs for what is invisible in a token. */
  rowLabel(row: number): string;
  columnLabel(column: number): string;
  value(row: number, column: number, measure?: Measure): number;
  /** Whether some values may be estimates of what others are exactly. */
  estimates: boolean;
  /** What the value is, as an index into `STATES`; null for a value of a grid without
   * estimates. */
  state(row: number, column: number, measure?: Measure): number | null;
  /** The best tokens of a cell, best first; empty where it has none. */
  top(row: number, column: number): TopToken[];
  /** Text of the best one; empty where there is none. */
  topText(row: number, column: number): string;
  /** The same with glyphs for what is invisible in it. */
  topGlyphs(row: number, column: number): string;
}

/** Glyphs of a label: more than fit anywhere but a tooltip. */
const LONG = 48;

export const shownLabel = (axis: Axis, index: number): string => {
  const label = axis.labels[index] ?? "";
  return axis.tokens ? tokenGlyphs(label, LONG) : label;
};

export function sliceOf(grid: Grid, choice: Choice): Slice {
  const [rowAxis, columnAxis] = grid.axes.slice(-2);
  const own = grid.measures[choice.measure] ?? grid.measures[0];
  if (!rowAxis || !columnAxis || !own) throw new Error("A grid needs two axes and a measure.");
  const domain = choice.scales?.[own.name];
  const measure = domain ? { ...own, scale: given(own.scale, domain) } : own;
  const rows = rowAxis.labels.length;
  const columns = columnAxis.labels.length;
  const start = grid.axes
    .slice(0, -2)
    .reduce((at, axis, i) => at * axis.labels.length + (choice.chosen[i] ?? 0), 0);
  const dataRow = (row: number): number => (choice.upward ? rows - 1 - row : row);
  const at = (row: number, column: number): number =>
    (start * rows + dataRow(row)) * columns + column;
  const { states, top } = grid;
  const isEstimate = ({ name }: Measure): boolean => name === "estimate";
  const estimates = states !== null || grid.measures.some(isEstimate);
  const value = (row: number, column: number, of = measure): number =>
    of.values.data[at(row, column)] ?? Number.NaN;
  const k = top?.ids.shape.at(-1) ?? 0;
  const tokenAt = (place: number): TopToken => {
    const id = top?.ids.data[place] ?? -1;
    return { id, text: top?.texts[String(id)] ?? "", value: top?.values.data[place] ?? Number.NaN };
  };
  const topOf = (row: number, column: number): TopToken[] =>
    Array.from({ length: k }, (_, i) => tokenAt(at(row, column) * k + i)).filter(
      ({ id }) => id >= 0,
    );
  const rowLabels = rowAxis.labels.map((_, i) => shownLabel(rowAxis, i));
  const columnLabels = columnAxis.labels.map((_, i) => shownLabel(columnAxis, i));
  return {
    grid,
    measure,
    rowAxis,
    columnAxis,
    rows,
    columns,
    dataRow,
    rowLabel: (row) => rowLabels[dataRow(row)] ?? "",
    columnLabel: (column) => columnLabels[column] ?? "",
    estimates,
    value,
    state(row, column, of = measure) {
      const state = states?.data[at(row, column)] ?? EXACT;
      // An estimated cell still waits for whatever only a patched run tells.
      const waits = state === WAITING || state === ESTIMATE;
      if (Number.isNaN(value(row, column, of))) return waits ? WAITING : NOT_APPLICABLE;
      if (!estimates) return null;
      return isEstimate(of) ? ESTIMATE : state;
    },
    top: topOf,
    topText: (row, column) => topOf(row, column)[0]?.text ?? "",
    topGlyphs(row, column) {
      const best = topOf(row, column)[0];
      return best ? tokenGlyphs(best.text) : "";
    },
  };
}
