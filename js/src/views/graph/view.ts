// Which part of the layout the window shows.
import { FOOT, GUTTER, type Layout } from "./layout";
import type { View } from "./links";
import type { Point } from "./pointer";

const LARGEST = 8;
const SMALLEST = 0.1;
/** A graph that is smaller at first than this is shown in part. */
const READABLE = 0.3;

export interface Size {
  width: number;
  height: number;
}

/** All of the layout where it stays readable, from its floor up. */
export function fitView(layout: Layout, { width, height }: Size): View {
  const inner = { width: layout.width - GUTTER, height: layout.height - FOOT };
  const room = { width: width - GUTTER, height: height - FOOT };
  const scale = Math.min(1, room.width / inner.width, room.height / inner.height);
  const k = Math.max(READABLE, scale);
  const spare = Math.max(0, room.width - inner.width * k) / 2;
  return { x: GUTTER * (1 - k) + spare, y: room.height - inner.height * k, k };
}

/** `view` larger by `factor`, the place under (x, y) staying there. */
export function zoomView(view: View, factor: number, x: number, y: number): View {
  const k = Math.min(LARGEST, Math.max(SMALLEST, view.k * factor));
  const f = k / view.k;
  return { k, x: x - (x - view.x) * f, y: y - (y - view.y) * f };
}

/** The view nearest to `view` in which a place is well inside the window. */
export function reveal(view: View, x: number, y: number, { width, height }: Size): View {
  const margin = 30;
  const inside = (at: number, low: number, high: number): number =>
    at < low ? low - at : at > high ? high - at : 0;
  const dx = inside(x * view.k + view.x, GUTTER + margin, width - margin);
  const dy = inside(y * view.k + view.y, margin, height - FOOT - margin);
  return dx || dy ? { ...view, x: view.x + dx, y: view.y + dy } : view;
}

/** The item under a point of the window; -1 for none. */
export function itemAt(layout: Layout, view: View, x: number, y: number, reach: number): number {
  let found = -1;
  let nearest = reach * reach;
  for (let item = 0; item < layout.x.length; item++) {
    const dx = (layout.x[item] ?? 0) * view.k + view.x - x;
    const dy = (layout.y[item] ?? 0) * view.k + view.y - y;
    const distance = dx * dx + dy * dy;
    if (distance > nearest) continue;
    nearest = distance;
    found = item;
  }
  return found;
}

/** The items inside a closed line drawn in the window. */
export function itemsInside(layout: Layout, view: View, lasso: readonly Point[]): number[] {
  const inside: number[] = [];
  for (let item = 0; item < layout.x.length; item++) {
    const x = (layout.x[item] ?? 0) * view.k + view.x;
    const y = (layout.y[item] ?? 0) * view.k + view.y;
    let odd = false;
    lasso.forEach((a, i) => {
      const b = lasso[(i + 1) % lasso.length] ?? a;
      if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) odd = !odd;
    });
    if (odd) inside.push(item);
  }
  return inside;
}
