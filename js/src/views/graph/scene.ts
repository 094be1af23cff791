// A picture of a graph as marks: links under nodes under labels, in the part that the window shows.
import { makeRamp, type Theme } from "../../draw/colour";
import { labelEvery } from "../../draw/layout";
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { fitText, textWidth } from "../../draw/text";
import { tokenGlyphs, visible } from "../../state/tokens";
import { boxPath, glyphPath, isHollow, SHAPES, type Shape } from "./glyphs";
import type { Item, Picture } from "./groups";
import { FOOT, GUTTER, LABELLED, type Layout } from "./layout";
import { type Naming, shortLabel, tokenAt } from "./words";

/** From the layout's place to the window's: place * k + (x, y). */
export interface View {
  x: number;
  y: number;
  k: number;
}

export interface Look {
  theme: Theme;
  width: number;
  height: number;
  view: View;
}

/** So many links are drawn; of more, the strongest. */
export const MAX_LINKS = 20_000;
/** More are straight lines. */
const MAX_CURVES = 6_000;
export const SIZE = 11;
/** Less room than this holds no label. */
const LEAST_LABEL = LABELLED - 10;
const WIDTHS = [0.7, 1.2, 2, 3, 4.4];
const OPACITIES = [0.3, 0.42, 0.6, 0.78, 0.9];
/** From so many links on they are thinner and fainter. */
const CROWDED = 1_500;
/** Links this steep and this long swing out, at most so far. */
const NEARLY_ABOVE = 12;
const LONG = 60;
const MOST_BOW = 150;
const DASHES = [
  [2, 2],
  [3, 2.5],
  [5, 3],
  [7, 4],
  [9, 5],
];

export interface SignColours {
  positive: string;
  negative: string;
}

/** Blue raises, red lowers: the two arms of the diverging scale. */
export function signColours(theme: Theme): SignColours {
  const scale = { kind: "diverging" as const, low: -1, high: 1, reverse: false, log: false };
  const ramp = makeRamp(scale, theme);
  return { positive: ramp.css(0.72), negative: ramp.css(-0.72) };
}

/** Which of the widths: the square root of the share. */
const widthClass = (share: number): number =>
  Math.min(WIDTHS.length - 1, Math.floor(Math.sqrt(Math.min(1, Math.abs(share))) * WIDTHS.length));

export const radiusOf = (layout: Layout, k: number): number =>
  Math.min(
    11,
    Math.max(2, (layout.slot >= LABELLED ? 7 : Math.min(6, layout.slot / 3.2)) * k ** 0.7),
  );

export const shapeOf = (naming: Naming, item: Item): Shape =>
  item.group >= 0 ? "box" : SHAPES[naming.graph.kinds[item.node] ?? "other"];

export const r1 = (value: number): string => String(Math.round(value * 10) / 10);

/** How far a link swings out, so that what is straight above each other does not hide it. */
function bow(dx: number, dy: number, toTheRight: boolean): number {
  if (Math.abs(dx) > NEARLY_ABOVE || dy < LONG) return 0;
  return Math.min(MOST_BOW, 0.3 * dy) * (toTheRight ? 1 : -1);
}

/** The links' path data, one for each sign and width; `only` some of them. */
export function linkPaths(
  picture: Picture,
  layout: Layout,
  look: Look,
  only: Iterable<number>,
): Mark[] {
  const { view, theme } = look;
  const colours = signColours(theme);
  const paths = WIDTHS.map(() => ["", ""] as [string, string]);
  const chosen = [...only];
  const curved = chosen.length <= MAX_CURVES;
  const thin = chosen.length > CROWDED ? 0.5 : 1;
  const radius = radiusOf(layout, view.k);
  const toX = (item: number): number => (layout.x[item] ?? 0) * view.k + view.x;
  const toY = (item: number): number => (layout.y[item] ?? 0) * view.k + view.y;
  for (const link of chosen) {
    const from = picture.source[link] ?? 0;
    const to = picture.target[link] ?? 0;
    const [x1, y1, x2, y2] = [toX(from), toY(from) - radius, toX(to), toY(to) + radius];
    if (Math.max(x1, x2) < GUTTER || Math.min(x1, x2) > look.width) continue;
    if (Math.max(y1, y2) < 0 || Math.min(y1, y2) > look.height) continue;
    const share = picture.share[link] ?? 0;
    const path = paths[widthClass(share)];
    if (!path) continue;
    const middle = r1((y1 + y2) / 2);
    const end = `${r1(x2)},${r1(y2)}`;
    const aside = bow(x2 - x1, y1 - y2, (from + to) % 2 === 0);
    path[share < 0 ? 1 : 0] +=
      `M${r1(x1)},${r1(y1)}${curved ? `C${r1(x1 + aside)},${middle} ${r1(x2 + aside)},${middle} ${end}` : `L${end}`}`;
  }
  return paths.flatMap((pair, at) =>
    pair.flatMap((d, negative): Mark[] =>
      d
        ? [
            {
              kind: "path",
              d,
              stroke: negative ? colours.negative : colours.positive,
              lineWidth: (WIDTHS[at] ?? 1) * thin,
              opacity: (OPACITIES[at] ?? 1) * thin,
              // The sign without colour.
              ...(negative ? { dash: DASHES[at] ?? [] } : {}),
            },
          ]
        : [],
    ),
  );
}

/** The links that are drawn, weakest first. */
export function drawnLinks(picture: Picture): Int32Array {
  const all = Int32Array.from(picture.share.keys());
  const size = (link: number): number => Math.abs(picture.share[link] ?? 0);
  all.sort((a, b) => size(a) - size(b));
  return all.subarray(Math.max(0, all.length - MAX_LINKS));
}

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
  const texts = layout.columns.map(({ position }) =>
    position < 0 ? "all" : tokenGlyphs(tokenAt(naming.graph, position) ?? `${position}`, 18),
  );
  const narrowest = Math.min(...layout.columns.map((column) => column.width)) * view.k;
  const every = labelEvery(narrowest, 30);
  layout.columns.forEach((column, at) => {
    if (at % every) return;
    const x = (column.x + column.width / 2) * view.k + view.x;
    if (x < GUTTER || x > width) return;
    const text = fitText(texts[at] ?? "", column.width * view.k * every - 6, SIZE);
    marks.push({
      kind: "text",
      x,
      y: floor + FOOT / 2,
      text,
      fill: muted,
      size: SIZE,
      mono: true,
      anchor: "middle",
      baseline: "middle",
    });
  });
  return marks;
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
