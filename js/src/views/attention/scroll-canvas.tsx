// A drawing larger than its window: native scrolling, but only what is in sight is painted. Two
// canvases stick to the window, so that the pointer repaints the marks above and never the cells.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { paint } from "../../draw/canvas";
import type { Box, Scene } from "../../draw/scene";

/** The part in sight: scroll offset and size, CSS pixels. */
export interface Pane {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
  clientX: number;
  clientY: number;
}

export interface CanvasHandle {
  /** Repaints the overlay in the next frame. */
  repaint(): void;
  pane(): Pane;
  /** Scrolls as little as brings `box`, in the pane's coordinates, between the sticky margins. */
  reveal(box: Box, left: number, top: number): void;
  scrollBy(dx: number, dy: number): void;
}

export interface ScrollCanvasProps {
  /** Its name and what the keys do, for screen readers. */
  label: string;
  width: number;
  height: number;
  contentWidth: number;
  contentHeight: number;
  handle: { current: CanvasHandle | null };
  base(pane: Pane, pixelRatio: number): Scene;
  overlay(pane: Pane): Scene;
  /** At most once a frame; null when the pointer leaves or the content moves under it. */
  onPoint(point: Point | null, pane: Pane): void;
  onClick(point: Point, pane: Pane, event: MouseEvent): void;
  onKeyDown(event: KeyboardEvent): void;
  onFocus?(): void;
  onBlur?(): void;
  /** Wheel with control or command held. */
  onZoom?(direction: 1 | -1): void;
}

export const pixelRatio = (): number => globalThis.devicePixelRatio || 1;

export function ScrollCanvas(props: ScrollCanvasProps): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const baseCanvas = useRef<HTMLCanvasElement>(null);
  const overlayCanvas = useRef<HTMLCanvasElement>(null);
  /** Where on the screen the pointer last moved to. */
  const place = useRef("");
  /** Whether the pointer leads, not the keyboard. */
  const pointed = useRef(false);
  const latest = useRef(props);
  latest.current = props;

  const painter = useMemo(() => {
    let frame = 0;
    let baseDue = false;
    let point: Point | null | undefined;
    const pane = (): Pane => {
      const element = scroller.current;
      return {
        x: element?.scrollLeft ?? 0,
        y: element?.scrollTop ?? 0,
        width: element?.clientWidth ?? 0,
        height: element?.clientHeight ?? 0,
      };
    };
    const now = (): void => {
      frame = 0;
      const area = pane();
      const { base, overlay, onPoint } = latest.current;
      if (point !== undefined) onPoint(point, area);
      point = undefined;
      if (baseDue && baseCanvas.current) {
        paint(baseCanvas.current, base(area, pixelRatio()), pixelRatio());
      }
      baseDue = false;
      if (overlayCanvas.current) paint(overlayCanvas.current, overlay(area), pixelRatio());
    };
    const later = (): void => {
      frame ||= requestAnimationFrame(now);
    };
    return {
      pane,
      now: () => {
        baseDue = true;
        now();
      },
      base: () => {
        baseDue = true;
        later();
      },
      overlay: later,
      point: (next: Point | null) => {
        point = next;
        later();
      },
      stop: () => cancelAnimationFrame(frame),
    };
  }, []);

  props.handle.current = useMemo<CanvasHandle>(
    () => ({
      repaint: painter.overlay,
      pane: painter.pane,
      reveal(box, left, top) {
        const element = scroller.current;
        if (!element) return;
        const { width, height } = painter.pane();
        const dx = outside(box.x, box.width, left, width);
        const dy = outside(box.y, box.height, top, height);
        if (dx || dy) element.scrollBy(dx, dy);
      },
      scrollBy: (dx, dy) => scroller.current?.scrollBy(dx, dy),
    }),
    [painter],
  );

  const { base, width, height, contentWidth, contentHeight } = props;
  useLayoutEffect(painter.now, [painter, base, width, height, contentWidth, contentHeight]);
  useLayoutEffect(painter.overlay);
  useEffect(() => painter.stop, [painter]);

  const zoomable = props.onZoom !== undefined;
  useEffect(() => {
    const element = scroller.current;
    if (!element || !zoomable) return;
    const wheel = (event: WheelEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.deltaY === 0) return;
      event.preventDefault();
      latest.current.onZoom?.(event.deltaY < 0 ? 1 : -1);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [zoomable]);

  const pointOf = (event: MouseEvent): Point => {
    const box = scroller.current?.getBoundingClientRect();
    const { clientX, clientY } = event;
    return { x: clientX - (box?.left ?? 0), y: clientY - (box?.top ?? 0), clientX, clientY };
  };
  return (
    <div
      ref={scroller}
      class="hs-att-scroll"
      style={{ width: `${width}px`, height: `${height}px` }}
      role="application"
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the arrow keys
      tabIndex={0}
      data-lm-suppress-shortcuts="true"
      onScroll={() => {
        if (pointed.current) painter.point(null);
        painter.base();
      }}
      onPointerMove={(event) => {
        // Content scrolling under a resting pointer is no move.
        const at = `${event.screenX} ${event.screenY}`;
        if (event.pointerType === "touch" || at === place.current) return;
        place.current = at;
        pointed.current = true;
        painter.point(pointOf(event));
      }}
      onPointerLeave={() => {
        pointed.current = false;
        painter.point(null);
      }}
      onClick={(event) => props.onClick(pointOf(event), painter.pane(), event)}
      onKeyDown={(event) => {
        pointed.current = false;
        props.onKeyDown(event);
      }}
      onFocus={props.onFocus}
      onBlur={props.onBlur}
    >
      <div style={{ width: `${contentWidth}px`, height: `${contentHeight}px` }}>
        <div class="hs-att-sticky">
          <canvas ref={baseCanvas} />
          <canvas ref={overlayCanvas} />
        </div>
      </div>
    </div>
  );
}

/** How far to scroll along one axis to bring [start, start + size) into [low, high). */
export function outside(start: number, size: number, low: number, high: number): number {
  if (start < low) return start - low;
  return Math.max(0, Math.min(start - low, start + size - high));
}
