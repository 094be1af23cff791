// The view's style options, read from the synced dictionary with every value checked.
import type { Cell } from "../../draw/hit";
import type { Grid, ViewOptions } from "../../wire/types";
import { readScales, type Scales } from "../scales";

/** `auto`: as large as reads well, scrolling if need be. `fit`: everything in sight. A number: that
 * many times `auto`. */
export type Zoom = "auto" | "fit" | number;

export interface HeatmapOptions {
  /** Index into the grid's measures. */
  measure: number;
  /** One index for each axis before the last two. */
  chosen: number[];
  zoom: Zoom;
  /** Whether the first row is drawn at the bottom, as many figures of the logit lens have it. The
   * default is top to bottom, the order in which a model runs and a table is read. */
  upward: boolean;
  /** The pinned cell, its row as an index on the axis. */
  cell: Cell | null;
  /** Cells taken together, their rows as indices on the axis. */
  group: Cell[];
  table: boolean;
  scales: Scales;
}

export type HeatmapOption = Exclude<keyof HeatmapOptions, "scales">;

export const optionName = (key: HeatmapOption): `heatmap_${HeatmapOption}` => `heatmap_${key}`;

const isIndex = (value: unknown, count: number): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count;

export function readOptions(options: ViewOptions, grid: Grid): HeatmapOptions {
  const get = (key: HeatmapOption): unknown => options[optionName(key)];
  const measure = grid.measures.findIndex(({ name }) => name === get("measure"));
  const chosen = get("chosen");
  const zoom = get("zoom");
  return {
    measure: Math.max(0, measure),
    chosen: grid.axes.slice(0, -2).map((axis, i) => {
      const index: unknown = Array.isArray(chosen) ? chosen[i] : 0;
      return isIndex(index, axis.labels.length) ? index : 0;
    }),
    zoom: zoom === "fit" || (typeof zoom === "number" && zoom > 0) ? zoom : "auto",
    upward: get("upward") === true,
    cell: readCell(get("cell"), grid),
    group: readCells(get("group"), grid),
    table: get("table") === true,
    scales: readScales(options),
  };
}

function readCell(value: unknown, grid: Grid): Cell | null {
  const [rowAxis, columnAxis] = grid.axes.slice(-2);
  if (!Array.isArray(value) || !rowAxis || !columnAxis) return null;
  const [row, column]: unknown[] = value;
  if (!isIndex(row, rowAxis.labels.length) || !isIndex(column, columnAxis.labels.length))
    return null;
  return { row, column };
}

function readCells(value: unknown, grid: Grid): Cell[] {
  return Array.isArray(value) ? value.flatMap((one) => readCell(one, grid) ?? []) : [];
}
