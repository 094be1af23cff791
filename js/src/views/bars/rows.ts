// What is drawn of a grid `[token, run]` as bars: a pair for each token, and the change beside it.
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import type { Grid, Measure, ViewOptions } from "../../wire/types";

export interface Row {
  label: string;
  before: number;
  after: number;
  change: number;
}

export type Sort = "size" | "change";

export const SORTS = [
  { value: "size", title: "most probable", help: "Before or after, whichever is larger" },
  { value: "change", title: "largest change", help: "Of either sign" },
] as const satisfies readonly { value: Sort; title: string; help: string }[];

export const sortOf = (view: ViewOptions): Sort =>
  view.bars_sort === "change" ? "change" : "size";

const LONG = 48;

/** The grid's own order is that of size. */
export function rowsOf({ axes }: Grid, { values }: Measure, sort: Sort): Row[] {
  const [tokens, runs] = axes.slice(-2);
  const width = runs?.labels.length ?? 0;
  const rows = (tokens?.labels ?? []).map((label, i): Row => {
    const at = (run: number): number => values.data[i * width + run] ?? Number.NaN;
    const shown = tokens?.tokens ? tokenGlyphs(label, LONG) : label;
    return { label: shown, before: at(0), after: at(1), change: at(2) };
  });
  if (sort === "size") return rows;
  return rows.sort((p, q) => Math.abs(q.change) - Math.abs(p.change));
}

/** The measure to look at where no change of `measure` is large enough to be drawn; null: none is. */
export function moreTelling(grid: Grid, measure: Measure): Measure | null {
  const isSeen = (one: Measure): boolean =>
    rowsOf(grid, one, "size").some(({ change }) => Math.abs(change) >= leastChange(one.unit));
  return isSeen(measure) ? null : (grid.measures.find(isSeen) ?? null);
}

/** A value as it is written beside its bar; probabilities as percentages. */
export const amount = (value: number, unit: string): string =>
  unit === "probability" ? percent(value) : formatNumber(value);

/** A change that would be drawn as nothing is not told from rounding. */
export function changeAmount(value: number, unit: string): string {
  if (value === 0) return "0";
  if (Math.abs(value) < leastChange(unit) / 10) return "≈ 0";
  return value > 0 ? `+${amount(value, unit)}` : amount(value, unit);
}

/** What changes are drawn in proportion to at least. */
export const leastChange = (unit: string): number => (unit === "probability" ? 0.005 : 0.01);

function percent(value: number): string {
  const size = Math.abs(100 * value);
  if (size === 0) return "0%";
  if (size < 0.05) return "< 0.1%";
  return `${value < 0 ? "−" : ""}${size.toFixed(1)}%`;
}
