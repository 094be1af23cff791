// What shapes and lines of a picture mean, as drawings with a word each.
import type { Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import type { Mark } from "../../draw/scene";
import { glyphPath, isHollow, KIND_WORDS, SHAPES } from "./glyphs";
import type { Picture } from "./groups";
import { DOTS, DOTTED_WIDTH, signColours } from "./links";
import type { Graph } from "./model";
import type { NodeKind } from "./names";

export const ENTRY_SIZE = 16;
const LINE = 32;

export interface LegendEntry {
  mark: Mark;
  width: number;
  text: string;
}

function glyphMark(kind: NodeKind, theme: Theme): Mark {
  const { text, paper, muted } = palette(theme);
  const shape = SHAPES[kind];
  const d = glyphPath(shape, ENTRY_SIZE / 2, ENTRY_SIZE / 2, 5);
  if (isHollow(shape)) return { kind: "path", d, fill: paper, stroke: text, lineWidth: 1.6 };
  return { kind: "path", d, fill: shape === "diamond" ? muted : text };
}

function line(text: string, stroke: string, dash?: number[], lineWidth = 2.4): LegendEntry {
  const mark: Mark = { kind: "line", x1: 1, y1: 8, x2: LINE - 1, y2: 8, stroke, lineWidth };
  return { mark: dash ? { ...mark, dash } : mark, width: LINE, text };
}

export function legendEntries(graph: Graph, picture: Picture, theme: Theme): LegendEntry[] {
  const kinds = [...new Set(picture.items.map(({ node }) => graph.kinds[node] ?? "other"))];
  const { positive, negative } = signColours(theme);
  return [
    ...kinds.map((kind) => ({
      mark: glyphMark(kind, theme),
      width: ENTRY_SIZE,
      text: KIND_WORDS[kind],
    })),
    line("positive", positive),
    line("negative", negative, [5, 3]),
    ...(picture.outside.some(Boolean)
      ? [line("pruned, shown for what is pinned", palette(theme).muted, DOTS, DOTTED_WIDTH)]
      : []),
  ];
}
