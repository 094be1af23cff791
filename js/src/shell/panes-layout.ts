// How panes are laid out: which column each is in, how wide columns are, which panes are open. Pure;
// a layout is kept among a widget's style options.
import type { PaneSpec, ViewOptions } from "../wire/types";

export interface Layout {
  /** Names of panes, from top to bottom; every pane is in one column. */
  columns: readonly (readonly string[])[];
  /** Parts of the width, one for each column; they add up to 1. */
  shares: readonly number[];
  collapsed: readonly string[];
  /** Heights in CSS pixels of panes that do not take what they need. */
  heights: Readonly<Record<string, number>>;
}

export type Move = "up" | "down" | "left" | "right";

/** What a column must have to stand beside another, in CSS pixels. */
export const LEAST_WIDTH = 280;
/** Width of a page of columns, in pixels: on a narrower one panes stand below each other. */
export const LEAST_PAGE = 640;
const LEAST_HEIGHT = 80;
/** As many panes or fewer are side by side at first. */
const SIDE_BY_SIDE = 3;

/** The layout in `options`, made to fit these panes: unknown ones are left out, new ones added. */
export function layoutOf(options: ViewOptions, panes: readonly PaneSpec[]): Layout {
  const names = panes.map((pane) => pane.name);
  const left = new Set(names);
  const take = (name: unknown): name is string => left.delete(name as string);
  const chosen = lists(options.columns)
    .map((column) => column.filter(take))
    .filter((column) => column.length);
  const columns = chosen.length ? chosen : spread(names);
  for (const name of chosen.length ? left : []) shortest(columns).push(name);
  return {
    columns,
    shares: normalised(options.shares, columns.length),
    collapsed: names.filter(
      (name) => Array.isArray(options.collapsed) && options.collapsed.includes(name),
    ),
    heights: heightsOf(options.heights, names),
  };
}

/** With the divider behind column `at` moved by a part of the width. */
export function widened(
  shares: readonly number[],
  at: number,
  by: number,
  least: number,
): number[] {
  const both = (shares[at] ?? 0) + (shares[at + 1] ?? 0);
  const floor = Math.min(least, both / 2);
  const left = Math.min(Math.max((shares[at] ?? 0) + by, floor), both - floor);
  return shares.map((share, i) => (i === at ? left : i === at + 1 ? both - left : share));
}

export const toggled = (collapsed: readonly string[], name: string): string[] =>
  collapsed.includes(name) ? collapsed.filter((one) => one !== name) : [...collapsed, name];

/** With a pane put before another one; with itself, nothing changes. */
export function placed(columns: Layout["columns"], name: string, before: string): string[][] {
  if (name === before) return columns.map((column) => [...column]);
  return columns
    .map((column) =>
      column.flatMap((one) => (one === before ? [name, one] : one === name ? [] : [one])),
    )
    .filter((column) => column.length);
}

/** With a pane one place further; beyond the last column it makes a column of its own. */
export function moved(columns: Layout["columns"], name: string, move: Move): string[][] {
  const copy = columns.map((column) => [...column]);
  const at = copy.findIndex((column) => column.includes(name));
  const column = copy[at];
  if (!column) return copy;
  const row = column.indexOf(name);
  if (move === "up" || move === "down") {
    const to = row + (move === "up" ? -1 : 1);
    if (to >= 0 && to < column.length) column.splice(to, 0, ...column.splice(row, 1));
    return copy;
  }
  if (column.length === 1 && at === (move === "left" ? 0 : copy.length - 1)) return copy;
  column.splice(row, 1);
  const to = at + (move === "left" ? -1 : 1);
  const target = copy[to];
  if (target) target.splice(Math.min(row, target.length), 0, name);
  else if (to < 0) copy.unshift([name]);
  else copy.push([name]);
  return copy.filter((one) => one.length);
}

/** A pane's height, within reason. */
export const height = (pixels: number): number => Math.max(LEAST_HEIGHT, Math.round(pixels));

function spread(names: readonly string[]): string[][] {
  if (names.length <= SIDE_BY_SIDE) return names.map((name) => [name]);
  return [0, 1].map((column) => names.filter((_, i) => i % 2 === column));
}

function shortest(columns: string[][]): string[] {
  return columns.reduce((least, column) => (column.length < least.length ? column : least));
}

function lists(value: unknown): unknown[][] {
  return Array.isArray(value) ? value.filter(Array.isArray) : [];
}

function normalised(value: unknown, count: number): number[] {
  const fits = Array.isArray(value) && value.length === count && value.every((share) => share > 0);
  if (!fits) return Array(count).fill(1 / count);
  const sum = value.reduce((total, share) => total + share, 0);
  return value.map((share) => share / sum);
}

function heightsOf(value: unknown, names: readonly string[]): Record<string, number> {
  const known = Object.entries((value ?? {}) as Record<string, unknown>);
  return Object.fromEntries(
    known.filter(
      (entry): entry is [string, number] => names.includes(entry[0]) && Number(entry[1]) > 0,
    ),
  );
}
