// The overview as a drawing: thumbnails with labels and badges, and the rings over them.
import type { Theme } from "../../draw/colour";
import { labelEvery } from "../../draw/layout";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { textWidth } from "../../draw/text";
import type { Badge } from "./badges";
import { type HeadRef, headLabel, sameHead } from "./heads";
import { LABEL_SIZE, type OverviewLayout, tileBox } from "./overview-layout";
import type { Pane } from "./scroll-canvas";
import type { Thumbnail } from "./thumbnails";

export interface OverviewSpec {
  layout: OverviewLayout;
  theme: Theme;
  thumbnail(ref: HeadRef): Thumbnail;
  badge(ref: HeadRef): Badge | null;
  /** Drawn faded: filtered out, or not to be had without a kernel. */
  faded(ref: HeadRef): boolean;
}

const BADGE_SIZE = 9;
const BADGE_HEIGHT = 12;
/** Smaller tiles get the badge's letter, larger ones its word. */
const WORD_TILE = 34;
const FADE = 0.72;

export function overviewScene(spec: OverviewSpec, pane: Pane): Scene {
  const { layout, theme } = spec;
  const ink = palette(theme);
  const marks: Mark[] = [];
  for (const ref of layout.places) {
    const box = tileBox(layout, pane, ref);
    if (!box || box.y + layout.pitchY < layout.top || box.y > pane.height) continue;
    if (box.x + box.width < layout.left || box.x > pane.width) continue;
    const { side, rgba } = spec.thumbnail(ref);
    marks.push({ kind: "image", ...box, columns: side, rows: side, rgba });
    marks.push({ kind: "rect", ...box, stroke: ink.rule, lineWidth: 1 });
    const badge = spec.badge(ref);
    if (badge) marks.push(...badgeMarks(badge, box.x + box.width, box.y, layout.tile));
    if (spec.faded(ref)) marks.push({ kind: "rect", ...box, fill: ink.paper, opacity: FADE });
    if (!layout.grid) {
      marks.push({
        kind: "text",
        x: box.x + box.width / 2,
        y: box.y + box.height + 2,
        text: headLabel(ref),
        fill: ink.muted,
        size: LABEL_SIZE,
        anchor: "middle",
        baseline: "top",
        mono: true,
      });
    }
  }
  const body = {
    x: layout.left,
    y: layout.top,
    width: pane.width - layout.left,
    height: pane.height - layout.top,
  };
  const all: Mark[] = [{ kind: "group", clip: body, dx: 0, dy: 0, marks }];
  if (layout.grid) all.push(...axisMarks(layout, pane, ink.muted));
  return { width: pane.width, height: pane.height, background: ink.paper, marks: all };
}

function badgeMarks(badge: Badge, right: number, top: number, tile: number): Mark[] {
  const text = tile >= WORD_TILE ? badge.text : badge.letter;
  const width = textWidth(text, BADGE_SIZE, false) + 7;
  return [
    {
      kind: "rect",
      x: right - width,
      y: top,
      width,
      height: BADGE_HEIGHT,
      fill: badge.fill,
      radius: 2,
    },
    {
      kind: "text",
      x: right - width / 2,
      y: top + BADGE_HEIGHT / 2 + 0.5,
      text,
      fill: badge.ink,
      size: BADGE_SIZE,
      anchor: "middle",
      baseline: "middle",
      weight: 600,
    },
  ];
}

function axisMarks(layout: OverviewLayout, pane: Pane, fill: string): Mark[] {
  const { left, top, tile } = layout;
  const columns: Mark[] = [];
  const rows: Mark[] = [];
  const everyColumn = labelEvery(
    layout.pitchX,
    textWidth(`H${layout.columns - 1}`, LABEL_SIZE) + 4,
  );
  for (let head = 0; head < layout.columns; head += everyColumn) {
    columns.push({
      kind: "text",
      x: left + head * layout.pitchX + tile / 2 - pane.x,
      y: top / 2,
      text: `H${head}`,
      fill,
      size: LABEL_SIZE,
      anchor: "middle",
      baseline: "middle",
      mono: true,
    });
  }
  for (let layer = 0; layer < layout.rows; layer++) {
    rows.push({
      kind: "text",
      x: left - 5,
      y: top + layer * layout.pitchY + tile / 2 - pane.y,
      text: `L${layer}`,
      fill,
      size: LABEL_SIZE,
      anchor: "end",
      baseline: "middle",
      mono: true,
    });
  }
  return [
    {
      kind: "group",
      clip: { x: left, y: 0, width: pane.width - left, height: top },
      dx: 0,
      dy: 0,
      marks: columns,
    },
    {
      kind: "group",
      clip: { x: 0, y: top, width: left, height: pane.height - top },
      dx: 0,
      dy: 0,
      marks: rows,
    },
  ];
}

export interface OverviewMarks {
  enlarged: readonly HeadRef[];
  primary: HeadRef;
  hover: HeadRef | null;
  cursor: HeadRef | null;
}

/** Rings: enlarged heads in their colours, the pointer's head, the keyboard's. */
export function overviewOverlay(
  layout: OverviewLayout,
  theme: Theme,
  { enlarged, primary, hover, cursor }: OverviewMarks,
  pane: Pane,
): Scene {
  const ink = palette(theme);
  const marks: Mark[] = [];
  const ring = (ref: HeadRef, stroke: string, lineWidth: number, out: number): void => {
    const box = tileBox(layout, pane, ref);
    if (!box) return;
    marks.push({
      kind: "rect",
      x: box.x - out,
      y: box.y - out,
      width: box.width + 2 * out,
      height: box.height + 2 * out,
      stroke,
      lineWidth,
      radius: 2,
    });
  };
  enlarged.forEach((ref, i) => {
    ring(ref, ink.series[i % ink.series.length] as string, sameHead(ref, primary) ? 3 : 2, 0.5);
  });
  if (hover) ring(hover, ink.accent, 1.5, 0.5);
  if (cursor) ring(cursor, ink.text, 1.5, 2);
  const body = {
    x: Math.max(0, layout.left - 3),
    y: Math.max(0, layout.top - 3),
    width: pane.width,
    height: pane.height,
  };
  return {
    width: pane.width,
    height: pane.height,
    marks: [{ kind: "group", clip: body, dx: 0, dy: 0, marks }],
  };
}
