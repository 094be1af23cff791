// A grid as line charts: one for the measures of each unit, the last axis to the right.
import type { Chart, Series } from "../../draw/chart";
import type { Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import { formatNumber } from "../../draw/text";
import type { Grid, Measure, Scale } from "../../wire/types";
import { quantity } from "../heatmap/words";

const EDGES = ["low", "high"];
/** Lines after the first are dashed, so that they are told apart without colour too. */
const DASH = [5, 3];

export interface Row {
  index: number;
  label: string;
}

/** Rows that are lines, and the rows of their band's edges. */
export function rowsOf(grid: Grid): { lines: Row[]; low: number; high: number } {
  const labels = grid.axes[0]?.labels ?? [];
  const rows = labels.map((label, index) => ({ index, label }));
  const [low = -1, high = -1] = EDGES.map((edge) => labels.indexOf(edge));
  return { lines: rows.filter(({ label }) => !EDGES.includes(label)), low, high };
}

export const placesOf = (grid: Grid): readonly string[] => grid.axes[1]?.labels ?? [];

export function valuesOf(grid: Grid, measure: Measure, row: number): ArrayLike<number> {
  const n = placesOf(grid).length;
  return measure.values.data.subarray(row * n, (row + 1) * n);
}

/** Colours of the stretches, in their order. */
export const stretchColours = (theme: Theme): readonly string[] => palette(theme).series.slice(2);

/** Measures that share a unit, in the order of the grid. */
export function unitsOf(grid: Grid): Measure[][] {
  const found = new Map<string, Measure[]>();
  for (const measure of grid.measures) {
    found.set(measure.unit, [...(found.get(measure.unit) ?? []), measure]);
  }
  return [...found.values()];
}

export function chartsOf(grid: Grid, theme: Theme, pinned: number | null): Chart[] {
  const { lines, low, high } = rowsOf(grid);
  const colours = palette(theme).series;
  const shades = grid.stretches.flatMap(({ first, last }, i) =>
    first === null || last === null
      ? []
      : [{ first, last, colour: stretchColours(theme)[i] ?? colours[0] ?? "" }],
  );
  return unitsOf(grid).map((measures) => {
    const series: Series[] = measures.flatMap((measure, m) =>
      lines.map(({ index, label }, l) => {
        const at = m * lines.length + l;
        return {
          label: lines.length > 1 ? `${measure.title}, ${label}` : measure.title,
          values: valuesOf(grid, measure, index),
          colour: colours[at % colours.length] ?? "",
          ...(at ? { dash: DASH } : {}),
        };
      }),
    );
    const bands = measures.flatMap((measure, m) =>
      low < 0 || high < 0
        ? []
        : [
            {
              low: valuesOf(grid, measure, low),
              high: valuesOf(grid, measure, high),
              colour: series[m * lines.length]?.colour ?? "",
            },
          ],
    );
    return {
      title: titleOf(measures),
      unit: measures.length > 1 ? "" : (measures[0]?.unit ?? ""),
      places: placesOf(grid),
      series,
      bands,
      shades,
      pinned,
      scale: union(measures),
    };
  });
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function titleOf(measures: readonly Measure[]): string {
  const [first] = measures;
  if (!first) return "";
  return measures.length > 1 ? capital(first.unit) : first.title;
}

/** The domains of all measures; what is 0 throughout has none to speak of. */
function union(measures: readonly Measure[]): Scale {
  const told = measures.filter(({ values }) => values.data.some((value) => value > 0));
  const scales = (told.length > 0 ? told : measures).map(({ scale }) => scale);
  const low = Math.min(...scales.map((scale) => scale.low));
  const high = Math.max(...scales.map((scale) => scale.high));
  return { kind: "sequential", low, high, reverse: false, log: false };
}

/** Every measure at one place, with its interval, in words. */
export function readingAt(grid: Grid, place: number): [title: string, value: string][] {
  const { lines, low, high } = rowsOf(grid);
  return grid.measures.flatMap((measure) => {
    const at = (row: number): number => valuesOf(grid, measure, row)[place] ?? Number.NaN;
    const edges = [low, high].map((row) => (row < 0 ? Number.NaN : at(row)));
    const between = edges.every(Number.isFinite)
      ? ` (${edges.map((edge) => formatNumber(edge)).join(" to ")})`
      : "";
    return lines.map(({ index, label }): [string, string] => [
      lines.length > 1 ? `${measure.title}, ${label}` : measure.title,
      `${quantity(at(index), measure)}${between}`,
    ]);
  });
}
