// Estimates against exact values: the scatter, its correlation, the worst disagreements.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Theme } from "../../draw/colour";
import type { Cell } from "../../draw/hit";
import { niceTicks } from "../../draw/layout";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { formatNumber } from "../../draw/text";
import { AxisLabel } from "../heatmap/card";
import type { Slice } from "../heatmap/slice";
import { SceneCanvas } from "../parts/canvas";
import { correlation, type Point, pointsOf, worst } from "./agreement";

const SIZE = 280;
const LEFT = 40;
const TOP = 8;
const LABEL = 10.5;
const DOT = 4;
const WORST = 6;

/** Same domain on both axes, so that agreement is the diagonal. */
export function scatterScene(points: readonly Point[], pinned: Cell | null, theme: Theme): Scene {
  const { paper, text, muted, rule, series, pin } = palette(theme);
  let low = 0;
  let high = 0;
  for (const { estimate, exact } of points) {
    low = Math.min(low, estimate, exact);
    high = Math.max(high, estimate, exact);
  }
  const pad = (high - low || 1) * 0.05;
  const side = SIZE - LEFT - TOP;
  const share = (value: number): number => (value - low + pad) / (high - low + 2 * pad);
  const toX = (value: number): number => LEFT + side * share(value);
  const toY = (value: number): number => TOP + side * (1 - share(value));
  const right = LEFT + side;
  const bottom = TOP + side;
  const marks: Mark[] = [];
  const say = (words: string, x: number, y: number, more: object = {}): void => {
    marks.push({ kind: "text", x, y, text: words, fill: muted, size: LABEL, ...more });
  };
  for (const tick of niceTicks(low - pad, high + pad, 5)) {
    const [x, y] = [toX(tick), toY(tick)];
    marks.push(
      { kind: "line", x1: x, y1: TOP, x2: x, y2: bottom, stroke: rule },
      { kind: "line", x1: LEFT, y1: y, x2: right, y2: y, stroke: rule },
    );
    say(formatNumber(tick), x, bottom + 5, { anchor: "middle", baseline: "top" });
    say(formatNumber(tick), LEFT - 5, y, { anchor: "end", baseline: "middle" });
  }
  say("estimated effect", (LEFT + right) / 2, SIZE + 4, { anchor: "middle", fill: text });
  say("exact effect", 11, (TOP + bottom) / 2, { anchor: "middle", rotate: -90, fill: text });
  marks.push({
    kind: "line",
    x1: LEFT,
    y1: bottom,
    x2: right,
    y2: TOP,
    stroke: muted,
    dash: [5, 4],
  });
  const dot = ({ estimate, exact }: Point, size: number): string => {
    const x = (toX(estimate) - size / 2).toFixed(1);
    return `M${x},${(toY(exact) - size / 2).toFixed(1)}h${size}v${size}h${-size}Z`;
  };
  const d = points.map((point) => dot(point, DOT)).join("");
  marks.push({ kind: "path", d, fill: series[0] ?? text, opacity: 0.65 });
  const own = points.find(({ row, column }) => row === pinned?.row && column === pinned.column);
  if (own) marks.push({ kind: "path", d: dot(own, DOT + 4), stroke: pin, lineWidth: 2 });
  return {
    title: "Estimated and exact effects",
    width: SIZE,
    height: SIZE + 8,
    background: paper,
    marks,
  };
}

interface AgreementProps {
  slice: Slice;
  cell: Cell | null;
  theme: Theme;
  onPin(cell: Cell): void;
}

export function Agreement({ slice, cell, theme, onPin }: AgreementProps): JSX.Element | null {
  const [open, setOpen] = useState(false);
  const points = useMemo(() => pointsOf(slice), [slice]);
  if (points.length < 2) return null;
  const r = `r = ${formatNumber(correlation(points))}`;
  return (
    <details class="hs-agreement" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Estimates against exact values{" "}
        <span class="hs-muted">
          {r} over {points.length} cells
        </span>
      </summary>
      {open && (
        <div class="hs-row">
          <SceneCanvas
            scene={scatterScene(points, cell, theme)}
            label={`Scatter of ${points.length} cells, ${r}; on the diagonal estimates are right`}
          />
          <div>
            <h3>Worst disagreements</h3>
            <ol class="hs-worst">
              {worst(points, WORST).map((point) => (
                <li key={`${point.row} ${point.column}`}>
                  <button type="button" class="hs-token-button" onClick={() => onPin(point)}>
                    <AxisLabel axis={slice.rowAxis} index={slice.dataRow(point.row)} />{" "}
                    <AxisLabel axis={slice.columnAxis} index={point.column} />
                  </button>
                  <span class="hs-muted">
                    estimate {formatNumber(point.estimate)}, exact {formatNumber(point.exact)}
                  </span>
                </li>
              ))}
            </ol>
          </div>
        </div>
      )}
    </details>
  );
}
