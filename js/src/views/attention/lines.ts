// The strongest weights of a matrix as lines from dest to src.
import { type Matrix, valueAt } from "./matrix";

/** Lines in descending order of their value's magnitude. */
export interface Lines {
  dest: Uint32Array;
  src: Uint32Array;
  value: Float32Array;
}

const isStrong = (value: number, least: number): boolean => Math.abs(value) >= least && value !== 0;

/** All cells of at least `least` in magnitude, but for zeros: at most `n / least` of them for attention, whose rows
 * sum to 1. */
export function strongLines(matrix: Matrix, least: number): Lines {
  const found: number[] = [];
  for (let dest = 0; dest < matrix.n; dest++) {
    const end = matrix.causal ? dest + 1 : matrix.n;
    for (let src = 0; src < end; src++) {
      const value = valueAt(matrix, dest, src);
      if (isStrong(value, least)) found.push(dest * matrix.n + src);
    }
  }
  return asLines(matrix, found);
}

/** The lines of one token, as `strongLines` has them: to its sources (`src`), or from the
 * tokens that attend to it (`dest`). */
export function tokenLines(
  matrix: Matrix,
  token: number,
  direction: "src" | "dest",
  least: number,
): Lines {
  const found: number[] = [];
  for (let other = 0; other < matrix.n; other++) {
    const [dest, src] = direction === "src" ? [token, other] : [other, token];
    const value = valueAt(matrix, dest, src);
    if (isStrong(value, least)) found.push(dest * matrix.n + src);
  }
  return asLines(matrix, found);
}

function asLines(matrix: Matrix, cells: number[]): Lines {
  const { n } = matrix;
  const value = (cell: number): number => valueAt(matrix, Math.floor(cell / n), cell % n);
  const order = cells.map((cell) => ({ cell, value: value(cell) }));
  order.sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.cell - b.cell);
  return {
    dest: Uint32Array.from(order, ({ cell }) => Math.floor(cell / n)),
    src: Uint32Array.from(order, ({ cell }) => cell % n),
    value: Float32Array.from(order, (line) => line.value),
  };
}
