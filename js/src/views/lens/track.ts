// One token over all read-outs, at chosen positions: what is asked, what came back, how it is drawn.

import type { Chart } from "../../draw/chart";
import type { Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import type { Answer } from "../../host/contract";
import { tokenGlyphs } from "../../state/tokens";
import type { Axis, NdArray, Provenance, ViewOptions } from "../../wire/types";

/** The request: a token (text, or id) and the positions kept besides the pinned one. */
export interface Track {
  token: number | string;
  positions: number[];
}

/** The answer, as plain data, so that a saved page can show it without a kernel. */
export interface Tracked {
  /** What it is about, by `subjectOf`. */
  subject: string;
  token_id: number;
  text: string;
  rows: string[];
  positions: number[];
  /** One list per position, one number per read-out. */
  probability: number[][];
  /** 0: the best token. */
  rank: number[][];
}

/** As many lines as have colours of their own. */
export const MAX_POSITIONS = 8;

/** Least probability on the logarithmic axis, as a power of ten. */
const LOG_FLOOR = -6;

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((v) => typeof v === "number");

export function readTrack(options: ViewOptions): Track | null {
  const value = options.heatmap_track;
  if (typeof value !== "object" || value === null) return null;
  const { token, positions } = value as Partial<Record<keyof Track, unknown>>;
  if (typeof token !== "number" && typeof token !== "string") return null;
  return { token, positions: isNumbers(positions) ? positions : [] };
}

/** Tells results apart by what ran: two prompts can spell the same text with other tokens, and one
 * given as ids has no text at all. */
export function subjectOf({ prompts, parameters }: Provenance): string {
  return JSON.stringify([prompts.map(({ token_ids }) => token_ids), parameters]);
}

/** The last answer, if it is about this subject. */
export function readTracked(options: ViewOptions, subject: string): Tracked | null {
  const value = options.heatmap_tracked;
  if (typeof value !== "object" || value === null) return null;
  const tracked = value as Tracked;
  return tracked.subject === subject && isNumbers(tracked.positions) ? tracked : null;
}

export function positionsOf(track: Track, pinned: number | null, count: number): number[] {
  const all = pinned === null ? track.positions : [...track.positions, pinned];
  return [...new Set(all)].filter((p) => p >= 0 && p < count).slice(-MAX_POSITIONS);
}

function byPosition(array: NdArray | undefined, positions: number): number[][] {
  const data = array?.data ?? new Float32Array();
  return Array.from({ length: positions }, (_, p) =>
    Array.from({ length: data.length / positions }, (_, row) => data[row * positions + p] ?? 0),
  );
}

export function fromAnswer({ value, arrays }: Answer, subject: string): Tracked {
  const { token_id, text, rows, positions } = value as Omit<
    Tracked,
    "subject" | "probability" | "rank"
  >;
  const [probability, rank] = arrays.map((array) => byPosition(array, positions.length));
  return {
    subject,
    token_id,
    text,
    rows,
    positions,
    probability: probability ?? [],
    rank: rank ?? [],
  };
}

/** Probability and rank as two charts, a line for each position. */
export function trackCharts(tracked: Tracked, axis: Axis, log: boolean, theme: Theme): Chart[] {
  const { series } = palette(theme);
  const lines = (values: number[][]) =>
    tracked.positions.map((position, i) => ({
      label: `${axis.name} ${position} ${tokenGlyphs(axis.labels[position] ?? "")}`,
      values: values[i] ?? [],
      colour: series[i % series.length] ?? series[0] ?? "",
    }));
  const places = tracked.rows;
  const worst = Math.max(10, ...tracked.rank.flat());
  const plain = { kind: "sequential", low: 0, high: 1, reverse: false, log: false } as const;
  const powers = tracked.probability.map((line) =>
    line.map((p) => Math.max(LOG_FLOOR, Math.log10(p))),
  );
  const probability: Chart = log
    ? {
        title: "Probability (log)",
        places,
        series: lines(powers),
        scale: { ...plain, low: LOG_FLOOR, high: 0 },
        format: (v) => (v === 0 ? "1" : `1e−${-v}`),
      }
    : { title: "Probability", places, series: lines(tracked.probability), scale: plain };
  const rank: Chart = {
    title: "Rank (0 = best)",
    places,
    series: lines(tracked.rank),
    scale: { ...plain, high: worst, log: true, reverse: true },
  };
  return [probability, rank];
}
