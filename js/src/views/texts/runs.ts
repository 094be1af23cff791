// A grid as texts: what each row says, token by token, and where the rows part.
import { tokenGlyphs } from "../../state/tokens";
import type { Grid } from "../../wire/types";
import { NOT_APPLICABLE, WAITING } from "../heatmap/states";

export interface Piece {
  row: number;
  step: number;
  id: number;
  text: string;
}

export interface Run {
  label: string;
  pieces: Piece[];
  /** `growing`: more may come; `ended`: the text stops before the last step. */
  state: "growing" | "ended" | "whole";
}

/** Glyphs of a token that are shown. */
const LONG = 60;

export function runsOf(grid: Grid): Run[] {
  const [runs, steps] = grid.axes;
  const { top, states } = grid;
  const n = steps?.labels.length ?? 0;
  const k = top?.ids.shape.at(-1) ?? 0;
  return (runs?.labels ?? []).map((label, row) => {
    const state = (step: number): number | undefined => states?.data[row * n + step];
    const said = (step: number): boolean =>
      state(step) !== WAITING && state(step) !== NOT_APPLICABLE;
    const pieces: Piece[] = [];
    for (let step = 0; step < n && said(step); step++) {
      const id = top?.ids.data[(row * n + step) * k] ?? -1;
      pieces.push({ row, step, id, text: top?.texts[String(id)] ?? "" });
    }
    const next = pieces.length < n ? state(pieces.length) : undefined;
    const ends = next === NOT_APPLICABLE ? "ended" : "whole";
    return { label, pieces, state: next === WAITING ? "growing" : ends };
  });
}

/** The first step at which two texts differ; null while they do not. */
export function partingOf(runs: readonly Run[]): number | null {
  const [one, other] = runs;
  if (!one || !other) return null;
  const shared = Math.min(one.pieces.length, other.pieces.length);
  for (let step = 0; step < shared; step++) {
    if (one.pieces[step]?.id !== other.pieces[step]?.id) return step;
  }
  const [short, long] = one.pieces.length < other.pieces.length ? [one, other] : [other, one];
  return short.state === "ended" && long.pieces.length > shared ? shared : null;
}

/** A token as prose: a space in front stays one, everything else that is invisible is shown. */
export function prose(text: string): string {
  const glyphs = tokenGlyphs(text, LONG);
  return /^ \S/.test(text) ? ` ${glyphs.slice(1)}` : glyphs;
}
