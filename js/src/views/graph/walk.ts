// Where an arrow key leads from an item.
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

const rowOf = (layout: Layout, item: number): number => layout.rowOf[item] ?? 0;
