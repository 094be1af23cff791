// From places in the window to the page's, and back.
import type { Anchor } from "../parts/tooltip";
import type { Layout } from "./layout";
import type { View } from "./links";

export interface Point {
  x: number;
  y: number;
}

/** Where an event is in an element. */
export function place(element: HTMLElement, event: MouseEvent): Point {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

/** Where a tooltip of an item goes. */
export function anchorOf(
  element: HTMLElement | null,
  layout: Layout,
  view: View,
  item: number,
): Anchor | null {
  const x = (layout.x[item] ?? 0) * view.k + view.x;
  const y = (layout.y[item] ?? 0) * view.k + view.y;
  return anchorAt(element, { x, y });
}

/** Where one of a point goes. */
export function anchorAt(element: HTMLElement | null, at: Point): Anchor | null {
  if (!element) return null;
  const box = element.getBoundingClientRect();
  const [x, y] = [box.left + at.x, box.top + at.y];
  return { left: x - 12, right: x + 12, top: y - 12, bottom: y + 12 };
}
