// What follows the pointer and the keyboard, on a canvas of its own.
import { palette } from "../../draw/palette";
import type { Mark, Scene } from "../../draw/scene";
import { textWidth } from "../../draw/text";
import { glyphPath } from "./glyphs";
import { FOOT, GUTTER } from "./layout";
import { linkPath, linkPaths, r1, radiusOf, strongLink } from "./links";
import { type Drawn, itemPath, SIZE } from "./scene";
import { shortLabel } from "./words";

export interface Highlight {
  /** The item under the pointer, or the one that the keyboard is on. */
  item: number;
  /** Whether the keyboard is on it. */
  focus: boolean;
  selected: ReadonlySet<number>;
  /** The link under the pointer and the one that is selected; -1 for none. */
  hovered: number;
  link: number;
  /** Corners of a lasso that is being drawn. */
  lasso: readonly { x: number; y: number }[];
}

/** Of one item so many links are brought out, the strongest. */
const MAX_BROUGHT_OUT = 120;

/** What follows the pointer: an item's own links and their other ends, selected items, the lasso. */
export function overlayScene(drawn: Drawn, links: readonly number[], highlight: Highlight): Scene {
  const { picture, layout, look } = drawn;
  const { text, paper, accent } = palette(look.theme);
  const { width, height } = look;
  const radius = radiusOf(layout, look.view.k);
  const at = (item: number): [number, number] => [
    (layout.x[item] ?? 0) * look.view.k + look.view.x,
    (layout.y[item] ?? 0) * look.view.k + look.view.y,
  ];
  const isPlain = (item: number): boolean => (picture.items[item]?.group ?? 0) < 0;
  const marks: Mark[] = [];
  for (const link of new Set([highlight.hovered, highlight.link])) {
    if (link < 0) continue;
    const d = linkPath(picture, layout, look.view, link);
    const isSelected = link === highlight.link;
    marks.push(
      { kind: "path", d, stroke: accent, lineWidth: isSelected ? 9 : 6, opacity: 0.35 },
      strongLink(picture, look.theme, link, d),
      ...(isSelected ? nameTags(drawn, link) : []),
    );
  }
  const out = links.slice(0, MAX_BROUGHT_OUT);
  marks.push(...linkPaths(picture, layout, look, [...out].reverse()));
  const ends = new Set(
    out.flatMap((link) => [picture.source[link] ?? 0, picture.target[link] ?? 0]),
  );
  const endPath = [...ends]
    .filter(isPlain)
    .map((item) => itemPath(drawn, item))
    .join("");
  if (endPath) marks.push({ kind: "path", d: endPath, fill: text, stroke: paper, lineWidth: 1 });
  if (highlight.selected.size) {
    const d = [...highlight.selected]
      .map((item) => glyphPath("circle", ...at(item), radius + 5))
      .join("");
    marks.push({ kind: "path", d, stroke: accent, lineWidth: 1.6, dash: [3, 2] });
  }
  if (highlight.item >= 0) {
    marks.push({
      kind: "path",
      d: itemPath(drawn, highlight.item, 2),
      fill: paper,
      stroke: text,
      lineWidth: 2.4,
    });
    if (highlight.focus) {
      marks.push({
        kind: "path",
        d: itemPath(drawn, highlight.item, 6),
        stroke: accent,
        lineWidth: 2,
      });
    }
    marks.push(...nameTag(drawn, highlight.item));
  }
  const [start, ...rest] = highlight.lasso;
  if (start && rest.length) {
    const d = `M${r1(start.x)},${r1(start.y)}${rest.map(({ x, y }) => `L${r1(x)},${r1(y)}`).join("")}Z`;
    marks.push(
      { kind: "path", d, fill: accent, opacity: 0.12 },
      { kind: "path", d, stroke: accent },
    );
  }
  const window = { x: GUTTER, y: 0, width: width - GUTTER, height: height - FOOT };
  return { width, height, marks: [{ kind: "group", clip: window, dx: 0, dy: 0, marks }] };
}

const nameTags = (drawn: Drawn, link: number): Mark[] =>
  [drawn.picture.source, drawn.picture.target].flatMap((ends) => nameTag(drawn, ends[link] ?? 0));

/** The item's label on a ground of its own, whole. */
function nameTag({ picture, layout, naming, look }: Drawn, at: number): Mark[] {
  const { text, paper, rule } = palette(look.theme);
  const item = picture.items[at];
  if (!item) return [];
  const label = shortLabel(naming, item);
  const wide = textWidth(label, SIZE) + 10;
  const radius = radiusOf(layout, look.view.k);
  const x = (layout.x[at] ?? 0) * look.view.k + look.view.x;
  const y = (layout.y[at] ?? 0) * look.view.k + look.view.y + (item.group >= 0 ? -8 : radius + 3);
  const left = Math.max(GUTTER, Math.min(x - wide / 2, look.width - wide - 2));
  return [
    { kind: "rect", x: left, y, width: wide, height: 17, radius: 3, fill: paper, stroke: rule },
    {
      kind: "text",
      x: left + wide / 2,
      y: y + 9,
      text: label,
      fill: text,
      size: SIZE,
      mono: true,
      weight: 600,
      anchor: "middle",
      baseline: "middle",
    },
  ];
}
