// One `[dest, src]` matrix as the views read it: values on the fly, windows by what is furthest from 0.
import { formatNumber } from "../../draw/text";
import { outdoes } from "./weighting";

export interface Matrix {
  n: number;
  /** `[dest, src]`, C order. */
  weights: Float32Array;
  /** Per source; null: all ones. */
  factor: Float32Array | null;
  /** Whether src > dest is masked. */
  causal: boolean;
}

/** Cells `[row0, row1) x [column0, column1)`. */
export interface CellWindow {
  row0: number;
  row1: number;
  column0: number;
  column1: number;
}

export const isMasked = (matrix: { causal: boolean }, dest: number, src: number): boolean =>
  matrix.causal && src > dest;

/** NaN where masked, and in a difference where a token meets none. */
export function valueAt(matrix: Matrix, dest: number, src: number): number {
  if (isMasked(matrix, dest, src)) return Number.NaN;
  const weight = matrix.weights[dest * matrix.n + src] ?? Number.NaN;
  return matrix.factor ? weight * (matrix.factor[src] ?? Number.NaN) : weight;
}

/** A cell in words. */
export function said(matrix: Matrix, dest: number, src: number, quantity: string): string {
  if (isMasked(matrix, dest, src)) return "masked: src comes after dest";
  const value = valueAt(matrix, dest, src);
  return Number.isNaN(value)
    ? "no value: a token of the two meets none"
    : `${quantity} = ${formatNumber(value)}`;
}

/** Extremes over `step x step` blocks of a window, NaN where a block is masked as a whole. The
 * window starts on a multiple of `step`, so that scrolling does not change the blocks. */
export function maxPool(matrix: Matrix, window: CellWindow, step: number): Float32Array {
  const { n, weights, factor, causal } = matrix;
  const rows = Math.ceil((window.row1 - window.row0) / step);
  const columns = Math.ceil((window.column1 - window.column0) / step);
  const out = new Float32Array(rows * columns).fill(Number.NaN);
  for (let dest = window.row0; dest < window.row1; dest++) {
    const line = Math.floor((dest - window.row0) / step) * columns;
    const end = causal ? Math.min(window.column1, dest + 1) : window.column1;
    for (let src = window.column0; src < end; src++) {
      const weight = weights[dest * n + src] as number;
      const value = factor ? weight * (factor[src] as number) : weight;
      const at = line + Math.floor((src - window.column0) / step);
      if (outdoes(value, out[at] as number)) out[at] = value;
    }
  }
  return out;
}

/** The values that one token gives or gets: a row (`src`) or a column (`dest`) of the matrix. */
export function tokenValues(
  matrix: Matrix,
  token: number,
  direction: "src" | "dest",
): Float32Array {
  return Float32Array.from({ length: matrix.n }, (_, other) =>
    direction === "src" ? valueAt(matrix, token, other) : valueAt(matrix, other, token),
  );
}
