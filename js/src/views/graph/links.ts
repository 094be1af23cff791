// Links between items: their course, their strokes, and which of them lies under a point.
import { makeRamp, type Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import type { Mark } from "../../draw/scene";
import type { Picture } from "./groups";
import { GUTTER, LABELLED, type Layout } from "./layout";

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
/** Of what is outside of the circuit: not to be taken for any sign. */
export const DOTS = [1.5, 3.5];
export const DOTTED_WIDTH = 1.4;

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

export const r1 = (value: number): string => String(Math.round(value * 10) / 10);

/** How far a link swings out, so that what is straight above each other does not hide it. */
function bow(dx: number, dy: number, toTheRight: boolean): number {
  if (Math.abs(dx) > NEARLY_ABOVE || dy < LONG) return 0;
  return Math.min(MOST_BOW, 0.3 * dy) * (toTheRight ? 1 : -1);
}

/** From the source's upper edge to the target's lower one; between, controls at half the height. */
interface Course {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  /** How far the controls are to the right of the ends. */
  aside: number;
}

function courses(picture: Picture, layout: Layout, view: View): (link: number) => Course {
  const radius = radiusOf(layout, view.k);
  const toX = (item: number): number => (layout.x[item] ?? 0) * view.k + view.x;
  const toY = (item: number): number => (layout.y[item] ?? 0) * view.k + view.y;
  return (link) => {
    const from = picture.source[link] ?? 0;
    const to = picture.target[link] ?? 0;
    const [x1, y1, x2, y2] = [toX(from), toY(from) - radius, toX(to), toY(to) + radius];
    return { x1, y1, x2, y2, aside: bow(x2 - x1, y1 - y2, (from + to) % 2 === 0) };
  };
}

const isCurved = (links: ArrayLike<number>): boolean => links.length <= MAX_CURVES;

/** The links' path data, one for each sign and width, and one for what is outside of the circuit;
 * `only` some of them. */
export function linkPaths(
  picture: Picture,
  layout: Layout,
  look: Look,
  only: Iterable<number>,
): Mark[] {
  const colours = signColours(look.theme);
  const paths = WIDTHS.map(() => ["", ""] as [string, string]);
  const chosen = [...only];
  const curved = isCurved(chosen);
  const thin = chosen.length > CROWDED ? 0.5 : 1;
  const courseOf = courses(picture, layout, look.view);
  let outside = "";
  for (const link of chosen) {
    const { x1, y1, x2, y2, aside } = courseOf(link);
    if (Math.max(x1, x2) < GUTTER || Math.min(x1, x2) > look.width) continue;
    if (Math.max(y1, y2) < 0 || Math.min(y1, y2) > look.height) continue;
    const share = picture.share[link] ?? 0;
    const middle = r1((y1 + y2) / 2);
    const end = `${r1(x2)},${r1(y2)}`;
    const d = `M${r1(x1)},${r1(y1)}${curved ? `C${r1(x1 + aside)},${middle} ${r1(x2 + aside)},${middle} ${end}` : `L${end}`}`;
    const path = paths[widthClass(share)];
    if (picture.outside[link]) outside += d;
    else if (path) path[share < 0 ? 1 : 0] += d;
  }
  const marks = paths.flatMap((pair, at) =>
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
  if (!outside) return marks;
  const stroke = palette(look.theme).muted;
  return [...marks, { kind: "path", d: outside, stroke, lineWidth: DOTTED_WIDTH, dash: DOTS }];
}

/** A link brought out, however little it weighs. */
export function strongLink(picture: Picture, theme: Theme, link: number, d: string): Mark {
  const { positive, negative } = signColours(theme);
  const lowers = (picture.share[link] ?? 0) < 0;
  const mark = { kind: "path", d, lineWidth: WIDTHS[2] ?? 2 } as const;
  if (picture.outside[link]) return { ...mark, stroke: palette(theme).text, dash: DOTS };
  return lowers
    ? { ...mark, stroke: negative, dash: DASHES[2] ?? [] }
    : { ...mark, stroke: positive };
}

/** One link's whole course. */
export function linkPath(picture: Picture, layout: Layout, view: View, link: number): string {
  const { x1, y1, x2, y2, aside } = courses(picture, layout, view)(link);
  const middle = r1((y1 + y2) / 2);
  return `M${r1(x1)},${r1(y1)}C${r1(x1 + aside)},${middle} ${r1(x2 + aside)},${middle} ${r1(x2)},${r1(y2)}`;
}

/** The links that are drawn, weakest first. */
export function drawnLinks(picture: Picture): Int32Array {
  const all = Int32Array.from(picture.share.keys());
  const size = (link: number): number => Math.abs(picture.share[link] ?? 0);
  all.sort((a, b) => size(a) - size(b));
  return all.subarray(Math.max(0, all.length - MAX_LINKS));
}

/** The nearest of the drawn links within `reach` of a point of the window, of equally near ones the
 * strongest; -1 for none. */
export function linkAt(
  picture: Picture,
  layout: Layout,
  view: View,
  links: Int32Array,
  x: number,
  y: number,
  reach: number,
): number {
  const courseOf = courses(picture, layout, view);
  const steps = isCurved(links) ? STEPS : 1;
  let found = -1;
  let nearest = reach * reach;
  for (let at = links.length - 1; at >= 0; at--) {
    const link = links[at] ?? 0;
    const course = courseOf(link);
    const { x1, y1, x2, y2, aside } = course;
    if (y > y1 + reach || y < y2 - reach) continue;
    if (x < Math.min(x1, x2) + Math.min(0, aside) - reach) continue;
    if (x > Math.max(x1, x2) + Math.max(0, aside) + reach) continue;
    const distance = squaredDistance(course, steps, x, y);
    if (distance >= nearest) continue;
    nearest = distance;
    found = link;
  }
  return found;
}

/** Pieces that a curve is taken to be made of. */
const STEPS = 24;

function squaredDistance(course: Course, steps: number, x: number, y: number): number {
  const { x1, y1, x2, y2, aside } = course;
  const middle = (y1 + y2) / 2;
  let least = Number.POSITIVE_INFINITY;
  let [px, py] = [x1, y1];
  for (let step = 1; step <= steps; step++) {
    const t = step / steps;
    const s = 1 - t;
    const bend = 3 * s * t;
    const qx = s ** 3 * x1 + bend * (s * (x1 + aside) + t * (x2 + aside)) + t ** 3 * x2;
    const qy = s ** 3 * y1 + bend * middle + t ** 3 * y2;
    const [dx, dy] = [qx - px, qy - py];
    const along = ((x - px) * dx + (y - py) * dy) / (dx * dx + dy * dy || 1);
    const on = Math.max(0, Math.min(1, along));
    least = Math.min(least, (px + on * dx - x) ** 2 + (py + on * dy - y) ** 2);
    [px, py] = [qx, qy];
  }
  return least;
}
