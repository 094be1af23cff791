// What a head does on this prompt, in one word: its top score, where that is high enough.
import type { Theme } from "../../draw/colour";
import type { HeadScore, Patterns } from "../../wire/types";
import { type HeadRef, headIndex } from "./heads";

/** A badge is shown from this share of the score's highest possible value. */
export const BADGE_SHARE = 0.4;

export interface Badge {
  score: HeadScore;
  value: number;
  /** Up to four letters, and one letter for tiles too small for them. */
  text: string;
  letter: string;
  fill: string;
  ink: string;
}

interface Style {
  text: string;
  letter: string;
}

const KNOWN: readonly [pattern: RegExp, style: Style][] = [
  [/prev/, { text: "prev", letter: "P" }],
  [/induct/, { text: "ind", letter: "I" }],
  [/dup/, { text: "dup", letter: "D" }],
  [/sink|first/, { text: "sink", letter: "S" }],
  [/current|self/, { text: "self", letter: "C" }],
];

// Paul Tol's bright scheme, darkened or lightened until the ink on it has a contrast above 4.5.
const FILLS: Record<Theme, readonly string[]> = {
  light: ["#2f5f93", "#a8324a", "#1c6b2c", "#7a5a00", "#7d2667", "#1f6a80"],
  dark: ["#8ab8ea", "#ff9aa8", "#7fd08f", "#e0c24c", "#e39ad0", "#8bdcf0"],
};
const INK: Record<Theme, string> = { light: "#ffffff", dark: "#14181d" };

/** Entropy says how spread a head is, not what it looks for: it gives no badge. */
const names = (score: HeadScore): boolean => !score.name.includes("entropy");

function styleOf(score: HeadScore): Style {
  const known = KNOWN.find(([pattern]) => pattern.test(score.name));
  if (known) return known[1];
  return {
    text: score.name.slice(0, 4),
    letter: score.name.slice(0, 1).toUpperCase(),
  };
}

function badgeOf(scores: readonly HeadScore[], index: number, value: number, theme: Theme): Badge {
  const score = scores[index] as HeadScore;
  const fills = FILLS[theme];
  return {
    score,
    value,
    ...styleOf(score),
    fill: fills[index % fills.length] as string,
    ink: INK[theme],
  };
}

/** Scores that can give a badge: none of a difference, which is not what a head does. */
const naming = ({ signed, scores }: Patterns): HeadScore[] => (signed ? [] : scores.filter(names));

/** One badge per score that can give one: the legend. `value` is the least value shown. */
export function badgeLegend(result: Patterns, theme: Theme): Badge[] {
  const scores = naming(result);
  return scores.map((score, i) => badgeOf(scores, i, score.high * BADGE_SHARE, theme));
}

/** The badge of one head, or null where no score is high. */
export function headBadge(result: Patterns, ref: HeadRef, theme: Theme): Badge | null {
  const scores = naming(result);
  const at = headIndex(result, ref);
  let best = -1;
  let bestShare = BADGE_SHARE;
  scores.forEach((score, i) => {
    const share = (score.values.data[at] ?? Number.NaN) / score.high;
    if (share >= bestShare && (best < 0 || share > bestShare)) {
      best = i;
      bestShare = share;
    }
  });
  return best < 0
    ? null
    : badgeOf(scores, best, scores[best]?.values.data[at] ?? Number.NaN, theme);
}
