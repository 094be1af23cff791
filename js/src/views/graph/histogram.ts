// How often which activation is reached, as bars.
import type { Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { formatNumber } from "../../draw/text";

export interface Histogram {
  /** One more than there are counts. */
  edges: readonly number[];
  counts: readonly number[];
}

const SIZE = 10.5;
const FOOT = 16;

export function histogramScene(
  { edges, counts }: Histogram,
  theme: Theme,
  width: number,
  height: number,
): Scene {
  const { muted, rule, paper, series } = palette(theme);
  const [fill = ""] = series;
  const most = Math.max(1, ...counts);
  const base = height - FOOT;
  const step = width / counts.length;
  const marks: Mark[] = counts.map((count, bin) => {
    // A rare activation still shows.
    const tall = count && Math.max(1, (count / most) * (base - 2));
    return { kind: "rect", x: bin * step, y: base - tall, width: step - 1, height: tall, fill };
  });
  const text = { kind: "text", y: height - 3, fill: muted, size: SIZE } as const;
  const [low = 0, high = 0] = [edges[0], edges.at(-1)];
  marks.push(
    { kind: "line", x1: 0, y1: base, x2: width, y2: base, stroke: rule },
    { ...text, x: 0, text: formatNumber(low) },
    { ...text, x: width, text: formatNumber(high), anchor: "end" },
  );
  return { title: "Activations", width, height, background: paper, marks };
}
