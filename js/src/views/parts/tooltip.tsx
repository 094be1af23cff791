// A tooltip in the browser's top layer, so that a notebook's scrolling output never cuts it off.
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** A rectangle in client coordinates. */
export type Anchor = Pick<DOMRect, "left" | "right" | "top" | "bottom">;

interface TooltipProps {
  /** What it belongs to; null hides it. */
  anchor: Anchor | null;
  /** Its width is fixed, so that placing it measures nothing. */
  width: number;
  children: ComponentChildren;
}

const GAP = 10;
/** Taller tooltips than this are not made. */
const ROOM = 290;

/** Beside `anchor`, or above or below where the page is too narrow; never over it. */
export function place(anchor: Anchor, width: number, page: { width: number; height: number }) {
  const px = (value: number): string => `${Math.round(value)}px`;
  const low = anchor.top + ROOM > page.height && anchor.bottom > page.height / 2;
  const right = anchor.right + GAP;
  const left = anchor.left - GAP - width;
  if (right + width + GAP <= page.width || left >= GAP) {
    const x = right + width + GAP <= page.width ? right : left;
    return low
      ? { left: px(x), top: "auto", bottom: px(page.height - anchor.bottom) }
      : { left: px(x), top: px(anchor.top), bottom: "auto" };
  }
  const middle = (anchor.left + anchor.right - width) / 2;
  const x = Math.max(GAP, Math.min(middle, page.width - width - GAP));
  return low
    ? { left: px(x), top: "auto", bottom: px(page.height - anchor.top + GAP) }
    : { left: px(x), top: px(anchor.bottom + GAP), bottom: "auto" };
}

export function Tooltip({ anchor, width, children }: TooltipProps): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  const open = anchor !== null;
  // Where a browser has no popovers, the box is fixed all the same and hidden while empty.
  useLayoutEffect(() => {
    if (open) element.current?.showPopover?.();
    else element.current?.hidePopover?.();
  }, [open]);
  const page = { width: window.innerWidth, height: window.innerHeight };
  const style = { width: `${width}px`, ...(anchor ? place(anchor, width, page) : {}) };
  return (
    <div ref={element} popover="manual" class="hs-tooltip" style={style} aria-hidden="true">
      {open ? children : null}
    </div>
  );
}
