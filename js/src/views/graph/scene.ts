// A picture of a graph as marks: links under nodes under labels, in the part that the window shows.
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { fitText, textWidth } from "../../draw/text";
import { tokenGlyphs, visible } from "../../state/tokens";
import { boxPath, glyphPath, isHollow, SHAPES, type Shape } from "./glyphs";
import type { Item, Picture } from "./groups";
import { FOOT, GUTTER, LABELLED, type Layout } from "./layout";
import { type Look, linkPaths, radiusOf } from "./links";
import { type Naming, shortLabel, tokenAt } from "./words";

export const SIZE = 11;
/** A column's name gets so much room at least, and so much between it and the next. */
const LEAST_NAME = 30;
const NAME_GAP = 6;
/** Less room than this holds no label. */
const LEAST_LABEL = LABELLED - 10;
export const shapeOf = (naming: Naming, item: Item): Shape =>
  item.group >= 0 ? "box" : SHAPES[naming.graph.kinds[item.node] ?? "other"];

function grid(layout: Layout, { view, theme, width, height }: Look): Mark[] {
  const { hairline } = palette(theme);
  return layout.rows.slice(1).flatMap((row): Mark[] => {
    const y = (row.y + row.height) * view.k + view.y;
    if (y < 0 || y > height - FOOT) return [];
    return [{ kind: "line", x1: GUTTER, y1: y, x2: width, y2: y, stroke: hairline }];
  });
}

/** Names of rows and columns, which stay at the window's edges. */
function axes(naming: Naming, layout: Layout, { view, theme, width, height }: Look): Mark[] {
  const { paper, muted, rule } = palette(theme);
  const floor = height - FOOT;
  const marks: Mark[] = [{ kind: "rect", x: 0, y: 0, width: GUTTER, height, fill: paper }];
  let last = Number.POSITIVE_INFINITY;
  for (const row of layout.rows) {
    const y = (row.y + row.height / 2) * view.k + view.y;
    if (y < 6 || y > floor - 6 || last - y < SIZE + 2) continue;
    last = y;
    marks.push({
      kind: "text",
      x: GUTTER - 10,
      y,
      text: row.label,
      fill: muted,
      size: SIZE,
      anchor: "end",
      baseline: "middle",
    });
  }
  marks.push({ kind: "rect", x: 0, y: floor, width, height: FOOT, fill: paper });
  if (layout.columns.every(({ position }) => position < 0)) return marks;
  marks.push({ kind: "line", x1: GUTTER, y1: floor, x2: width, y2: floor, stroke: rule });
  return [...marks, ...columnNames(naming, layout, { view, theme, width, height })];
}

/** Names of columns; where there is no room for all, the widest columns have theirs. */
function columnNames(naming: Naming, layout: Layout, { view, theme, width, height }: Look): Mark[] {
  const taken: { left: number; right: number }[] = [];
  const byWidth = [...layout.columns].sort((a, b) => b.width - a.width || a.x - b.x);
  return byWidth.flatMap((column): Mark[] => {
    const room = Math.max(LEAST_NAME, column.width * view.k - 6);
    const { position } = column;
    const name = position < 0 ? "all" : (tokenAt(naming.graph, position) ?? `${position}`);
    const text = fitText(tokenGlyphs(name, 18), room, SIZE);
    const half = textWidth(text, SIZE) / 2;
    const middle = (column.x + column.width / 2) * view.k + view.x;
    if (middle < GUTTER || middle > width) return [];
    const x = Math.max(GUTTER + half, Math.min(middle, width - half - 2));
    const [left, right] = [x - half - NAME_GAP, x + half + NAME_GAP];
    if (taken.some((other) => left < other.right && right > other.left)) return [];
    taken.push({ left: left + NAME_GAP, right: right - NAME_GAP });
    const place = { x, y: height - FOOT / 2, anchor: "middle", baseline: "middle" } as const;
    return [{ kind: "text", text, fill: palette(theme).muted, size: SIZE, mono: true, ...place }];
  });
}

/** Path data of an item; a group is a box around its label. */
export function itemPath(drawn: Drawn, at: number, more = 0): string {
  const { picture, layout, naming, look } = drawn;
  const item = picture.items[at];
  if (!item) return "";
  const x = (layout.x[at] ?? 0) * look.view.k + look.view.x;
  const y = (layout.y[at] ?? 0) * look.view.k + look.view.y;
  const radius = radiusOf(layout, look.view.k) + more;
  const shape = shapeOf(naming, item);
  if (shape !== "box") return glyphPath(shape, x, y, radius);
  const room = layout.slot * look.view.k - 4;
  const label =
    room < LEAST_LABEL ? 0 : Math.min(room, textWidth(shortLabel(naming, item), SIZE) + 12);
  return boxPath(x, y, Math.max(2 * radius, label / 2 + more), radius + (label ? 3 : 0));
}

export interface Drawn {
  picture: Picture;
  layout: Layout;
  naming: Naming;
  look: Look;
}

function glyphs(drawn: Drawn, pinned: ReadonlySet<string>): Mark[] {
  const { picture, layout, naming, look } = drawn;
  const { text, paper, muted, pin } = palette(look.theme);
  const radius = radiusOf(layout, look.view.k);
  const solid: Partial<Record<"end" | "error" | "plain", string>> = {};
  let hollow = "";
  let pins = "";
  let boxes = "";
  picture.items.forEach((item, at) => {
    const x = (layout.x[at] ?? 0) * look.view.k + look.view.x;
    const y = (layout.y[at] ?? 0) * look.view.k + look.view.y;
    if (x < GUTTER - 20 || x > look.width + 20 || y < -20 || y > look.height + 20) return;
    const shape = shapeOf(naming, item);
    const d = itemPath(drawn, at);
    if (shape === "box") boxes += d;
    else if (isHollow(shape)) hollow += d;
    else {
      const use = shape === "square" ? "end" : shape === "diamond" ? "error" : "plain";
      solid[use] = (solid[use] ?? "") + d;
    }
    if (pinned.has(item.key)) {
      pins += shape === "box" ? itemPath(drawn, at, 3) : glyphPath("circle", x, y, radius + 4);
    }
  });
  const marks: Mark[] = [];
  const stroke = { stroke: paper, lineWidth: 1 };
  if (solid.plain) marks.push({ kind: "path", d: solid.plain, fill: text, ...stroke });
  if (solid.error) marks.push({ kind: "path", d: solid.error, fill: muted, ...stroke });
  if (solid.end) marks.push({ kind: "path", d: solid.end, fill: text, ...stroke });
  if (hollow) marks.push({ kind: "path", d: hollow, fill: paper, stroke: text, lineWidth: 1.6 });
  if (boxes) marks.push({ kind: "path", d: boxes, fill: paper, stroke: text, lineWidth: 1.6 });
  if (pins) marks.push({ kind: "path", d: pins, stroke: pin, lineWidth: 2 });
  return marks;
}

function itemLabels(drawn: Drawn, pinned: ReadonlySet<string>): Mark[] {
  const { picture, layout, naming, look } = drawn;
  const { text, muted, paper } = palette(look.theme);
  const room = layout.slot * look.view.k - 4;
  if (room < LEAST_LABEL) return [];
  const radius = radiusOf(layout, look.view.k);
  return picture.items.flatMap((item, at): Mark[] => {
    const x = (layout.x[at] ?? 0) * look.view.k + look.view.x;
    const y = (layout.y[at] ?? 0) * look.view.k + look.view.y;
    if (x < GUTTER || x > look.width || y < 0 || y > look.height - FOOT) return [];
    const isGroup = item.group >= 0;
    // The column says it already.
    if (naming.graph.kinds[item.node] === "token" && !isGroup) return [];
    const label = fitText(shortLabel(naming, item), isGroup ? room - 8 : room, SIZE);
    const wide = textWidth(label, SIZE) + 2;
    const middle = isGroup ? y : y + radius + 10;
    const strong = pinned.has(item.key) || isGroup;
    const words: Mark = {
      kind: "text",
      x,
      y: middle,
      text: label,
      fill: strong ? text : muted,
      size: SIZE,
      mono: true,
      anchor: "middle",
      baseline: "middle",
      ...(strong ? { weight: 600 } : {}),
    };
    if (isGroup) return [words];
    // Links end in the glyph, not in its name.
    const ground = { x: x - wide / 2, y: middle - 6, width: wide, height: 12 };
    return [{ kind: "rect", ...ground, fill: paper, opacity: 0.85 }, words];
  });
}

/** All but what follows the pointer. */
export function baseScene(
  drawn: Drawn,
  links: Iterable<number>,
  pinned: ReadonlySet<string>,
): Scene {
  const { naming, layout, look, picture } = drawn;
  const { theme, width, height } = look;
  const window = { x: 0, y: 0, width, height: height - FOOT };
  return {
    title: visible(naming.graph.result.title),
    width,
    height,
    background: palette(theme).paper,
    marks: [
      {
        kind: "group",
        clip: window,
        dx: 0,
        dy: 0,
        marks: [
          ...grid(layout, look),
          ...linkPaths(picture, layout, look, links),
          ...glyphs(drawn, pinned),
          ...itemLabels(drawn, pinned),
        ],
      },
      ...axes(naming, layout, look),
    ],
  };
}
