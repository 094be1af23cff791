// Texts as a figure: each token on its shade, in lines that fit; where the texts part is underlined.
import { makeRamp, type Theme } from "../draw/colour";
import { legendScene } from "../draw/legend";
import { palette } from "../draw/palette";
import type { Mark, Scene } from "../draw/scene";
import { textWidth } from "../draw/text";
import type { Drawing, Shown } from "../views/exports";
import { readOptions } from "../views/heatmap/options";
import { sliceOf } from "../views/heatmap/slice";
import { partingOf, prose, type Run, runsOf } from "../views/texts/runs";
import type { Grid } from "../wire/types";
import { flow, line, placed } from "./page";

const SIZE = 11;
const LINE = 20;
const HEAD = 18;
const GAP = 18;
const WIDE = 480;
const LEGEND_WIDTH = 220;

interface Word {
  text: string;
  step: number | null;
}

export function textsFigure(grid: Grid, { view }: Shown, theme: Theme, width: number): Drawing {
  const { measure } = readOptions(view, grid);
  const slice = sliceOf(grid, { measure, chosen: [], upward: false });
  const { title, unit, scale, definition } = slice.measure;
  const ramp = makeRamp(scale, theme);
  const runs = runsOf(grid);
  const parting = partingOf(runs);
  const beside = runs.length > 1 && width >= WIDE;
  const wide = beside ? (width - GAP * (runs.length - 1)) / runs.length : width;
  const { text, muted, pin } = palette(theme);

  const drawn = (run: Run, row: number): Scene => {
    const prompt = (grid.provenance.prompts[0]?.tokens ?? []).map(
      (token): Word => ({ text: token, step: null }),
    );
    const marks: Mark[] = [
      {
        kind: "text",
        x: 0,
        y: 0,
        text: run.label,
        fill: text,
        size: SIZE,
        weight: 600,
        baseline: "top",
      },
    ];
    let x = 0;
    let y = HEAD;
    for (const word of [...prompt, ...run.pieces]) {
      for (const [part, width] of cut(prose(word.text), wide)) {
        if (x > 0 && x + width > wide) {
          x = 0;
          y += LINE;
        }
        const value = word.step === null ? Number.NaN : slice.value(row, word.step);
        const known = !Number.isNaN(value);
        if (known) {
          const box = { x, y: y + 1, width, height: LINE - 4 };
          marks.push({ kind: "rect", ...box, fill: ramp.css(value), radius: 2 });
        }
        const fill = known ? ramp.ink(value) : word.step === null ? muted : text;
        const at = { x, y: y + LINE / 2 - 1, size: SIZE, mono: true, baseline: "middle" as const };
        marks.push({ kind: "text", ...at, text: part, fill });
        if (word.step !== null && word.step === parting) {
          const under = y + LINE - 2;
          marks.push({
            kind: "line",
            x1: x,
            x2: x + width,
            y1: under,
            y2: under,
            stroke: pin,
            lineWidth: 2,
          });
        }
        x += width;
      }
      if (word.text.endsWith("\n")) {
        x = 0;
        y += LINE;
      }
    }
    return { width: wide, height: y + LINE, marks };
  };
  const texts = runs.map(drawn);
  const legend = legendScene(scale, theme, LEGEND_WIDTH);
  const side = (): Scene => ({
    width,
    height: Math.max(...texts.map(({ height }) => height)),
    marks: texts.map((scene, i) => placed(scene, i * (wide + GAP), 0)),
  });
  const said = title.toLowerCase().includes(unit.toLowerCase());
  const name = `${title}${unit && !said ? ` (${unit})` : ""}`;
  return {
    title: grid.title,
    caption: definition,
    drawings: [flow([line(name, theme), legend], width), ...(beside ? [side()] : texts)],
  };
}

/** A token in parts that fit into a line, with how wide they are. */
function cut(text: string, width: number): [string, number][] {
  const most = Math.max(1, Math.floor(width / textWidth("m", SIZE)));
  const characters = [...text];
  const parts: [string, number][] = [];
  for (let at = 0; at < characters.length; at += most) {
    const part = characters.slice(at, at + most).join("");
    parts.push([part, textWidth(part, SIZE)]);
  }
  return parts;
}
