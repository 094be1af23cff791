// A figure as a column of drawings with a title above and a caption below.
import type { Theme } from "../draw/colour";
import { palette } from "../draw/palette";
import type { Mark, Scene } from "../draw/scene";
import { textWidth } from "../draw/text";

export const PAD = 12;
const GAP = 10;
const TITLE = { size: 14, line: 19, weight: 600 };
/** Fonts differ in how wide their letters are. */
const SLACK = 6;
const CAPTION = { size: 10.5, line: 14 };

/** `scene` as marks of another one, moved there. */
export const placed = (scene: Scene, x: number, y: number): Mark => ({
  kind: "group",
  clip: { x, y, width: scene.width, height: scene.height },
  dx: x,
  dy: y,
  marks: scene.marks,
});

/** Lines of words that fit; a word that is too long has a line of its own. */
export function wrap(text: string, width: number, size: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const next = line ? `${line} ${word}` : word;
    if (line && textWidth(next, size, false) > width) {
      lines.push(line);
      line = word;
    } else line = next;
  }
  return line ? [...lines, line] : lines;
}

type Style = typeof CAPTION & { weight?: number };

function paragraph(text: string, width: number, fill: string, style: Style): Scene {
  const lines = wrap(text, width, style.size);
  const marks = lines.map(
    (line, i): Mark => ({
      kind: "text",
      x: 0,
      y: i * style.line,
      text: line,
      fill,
      size: style.size,
      baseline: "top",
      ...(style.weight ? { weight: style.weight } : {}),
    }),
  );
  return { width, height: lines.length * style.line, marks };
}

/** Drawings side by side, as many as fit into a line. */
export function flow(scenes: readonly Scene[], width: number, gap = 14): Scene {
  const marks: Mark[] = [];
  let x = 0;
  let y = 0;
  let tall = 0;
  let widest = 0;
  for (const scene of scenes) {
    if (x > 0 && x + scene.width > width) {
      x = 0;
      y += tall + gap / 2;
      tall = 0;
    }
    marks.push(placed(scene, x, y));
    x += scene.width + gap;
    widest = Math.max(widest, x - gap);
    tall = Math.max(tall, scene.height);
  }
  return { width: Math.min(width, widest), height: y + tall, marks };
}

export interface Parts {
  /** Empty: none. */
  title: string;
  caption: string;
  theme: Theme;
  /** Of the drawings. */
  width: number;
  drawings: readonly Scene[];
}

export function figure({ title, caption, theme, width, drawings }: Parts): Scene {
  const { paper, text, muted } = palette(theme);
  const column = [
    ...(title ? [paragraph(title, width, text, TITLE)] : []),
    ...drawings,
    ...(caption ? [paragraph(caption, width, muted, CAPTION)] : []),
  ];
  const marks: Mark[] = [];
  let y = PAD;
  for (const part of column) {
    marks.push(placed(part, PAD + Math.max(0, (width - part.width) / 2), y));
    y += part.height + GAP;
  }
  const height = Math.ceil(y - GAP + PAD);
  const all = { width: width + 2 * PAD, height, background: paper, marks };
  return title ? { title, ...all } : all;
}

/** A short text beside a drawing of its own: an entry of a legend. */
export function entry(drawing: Scene, text: string, theme: Theme): Scene {
  const width = drawing.width + 5 + Math.ceil(textWidth(text, CAPTION.size, false) + SLACK);
  const height = Math.max(drawing.height, CAPTION.line);
  const label: Mark = {
    kind: "text",
    x: drawing.width + 5,
    y: height / 2,
    text,
    fill: palette(theme).muted,
    size: CAPTION.size,
    baseline: "middle",
  };
  return { width, height, marks: [placed(drawing, 0, (height - drawing.height) / 2), label] };
}

/** A line of text as a drawing. */
export const line = (text: string, theme: Theme): Scene =>
  entry({ width: -5, height: 0, marks: [] }, text, theme);
