// Sorting and filtering of heads by score.
import type { HeadScore, Patterns } from "../../wire/types";
import { allHeads, type HeadRef, headIndex } from "./heads";

/** Keeps heads whose score is at least `share` of the score's highest value. */
export interface HeadFilter {
  score: string;
  share: number;
}

export const scoreNamed = (result: Patterns, name: string): HeadScore | undefined =>
  result.scores.find((score) => score.name === name);

export function scoreOf(result: Patterns, score: HeadScore, ref: HeadRef): number {
  return score.values.data[headIndex(result, ref)] ?? Number.NaN;
}

/** By which heads are sorted and filtered: of a difference what is furthest from 0 comes first. */
function sizeOf(result: Patterns, score: HeadScore, ref: HeadRef): number {
  const value = scoreOf(result, score, ref);
  return result.signed ? Math.abs(value) : value;
}

/** Layer order, or descending by the score called `sort`; heads without that score come last. */
export function sortedHeads(result: Patterns, sort: string): HeadRef[] {
  const heads = allHeads(result);
  const score = scoreNamed(result, sort);
  if (!score) return heads;
  const rank = (ref: HeadRef): number => {
    const value = sizeOf(result, score, ref);
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  return heads.sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left === right ? 0 : right - left;
  });
}

export function passes(result: Patterns, filter: HeadFilter | null, ref: HeadRef): boolean {
  const score = filter && scoreNamed(result, filter.score);
  return !score || sizeOf(result, score, ref) >= filter.share * score.high;
}
