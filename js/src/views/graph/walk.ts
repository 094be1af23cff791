// Where a key leads from an item.
import type { Picture } from "./groups";
import type { Layout } from "./layout";
import { edgesOf } from "./model";
import { ranked } from "./words";

export const ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"] as const;
export type Arrow = (typeof ARROWS)[number];

/** Up and down along the strongest link, left and right to the next item of the row. -1: nowhere. */
export function walk(picture: Picture, layout: Layout, item: number, arrow: Arrow): number {
  if (arrow === "ArrowUp") {
    const [link] = ranked(picture, edgesOf(picture.outgoing, item));
    return link === undefined ? -1 : (picture.target[link] ?? -1);
  }
  if (arrow === "ArrowDown") {
    const [link] = ranked(picture, edgesOf(picture.incoming, item));
    return link === undefined ? -1 : (picture.source[link] ?? -1);
  }
  const row = rowOf(layout, item);
  const siblings = picture.items.flatMap((_, other) =>
    rowOf(layout, other) === row ? [other] : [],
  );
  siblings.sort((a, b) => (layout.x[a] ?? 0) - (layout.x[b] ?? 0) || a - b);
  const step = arrow === "ArrowLeft" ? -1 : 1;
  return siblings[siblings.indexOf(item) + step] ?? -1;
}

/** The next of an item's links, largest first, or the one before; from any other the first. -1: none. */
export function nextLink(picture: Picture, item: number, link: number, step: 1 | -1): number {
  const ends = [picture.incoming, picture.outgoing].flatMap((side) => [...edgesOf(side, item)]);
  const all = ranked(picture, Int32Array.from(ends));
  const at = all.indexOf(link);
  return all[at < 0 ? 0 : (at + step + all.length) % all.length] ?? -1;
}

const rowOf = (layout: Layout, item: number): number => layout.rowOf[item] ?? 0;

/** Where a walk begins: at the first of the targets. */
export function topItem(layout: Layout): number {
  let top = 0;
  layout.y.forEach((y, item) => {
    if (y < (layout.y[top] ?? 0)) top = item;
  });
  return top;
}
