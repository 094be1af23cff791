// The scrolling heatmap: a canvas the size of the viewport, over which the browser scrolls an empty
// box the size of the content. Only the cells in sight are drawn; a hover repaints the overlay only.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { paint } from "../../draw/canvas";
import { makeRamp, type Theme } from "../../draw/colour";
import { type Cell, cellBox } from "../../draw/hit";
import { scrollTo } from "../../draw/layout";
import { visible } from "../../state/tokens";
import { type Anchor, Tooltip } from "../parts/tooltip";
import { AxisLabel, CellCard } from "./card";
import { moved } from "./keys";
import { cellGrid, type Layout, type Target, targetAt, type Window } from "./layout";
import { overlayScene } from "./overlay";
import { heatmapScene } from "./scene";
import type { Linked } from "./selection";
import type { Slice } from "./slice";
import { describeCell } from "./words";

interface ViewportProps {
  slice: Slice;
  layout: Layout;
  linked: Linked;
  /** Cells taken together, as drawn. */
  group: readonly Cell[];
  theme: Theme;
  /** Id of the element that says how to use the keyboard. */
  help: string;
  /** A click or Enter, `adding` with Shift held; null: unpin. */
  onPin(target: Target | null, adding?: boolean): void;
  /** Makes cells so many times as large; 0: back to the readable size. */
  onZoom(factor: number): void;
  /** What lies over the strip under the column labels, for content scrolled by `scrollX`. */
  strip(scrollX: number): ComponentChildren;
}

type Active = { target: Target; anchor: Anchor; by: "pointer" | "keys" };

const CARD_WIDTH = 264;
const ZOOM_STEP = 1.25;
/** Pixels of wheel that double the zoom. */
const WHEEL_DOUBLES = 240;

const isSame = (a: Target, b: Target): boolean => JSON.stringify(a) === JSON.stringify(b);

export function Viewport(props: ViewportProps): JSX.Element {
  const { slice, layout, linked, group, theme, onPin, onZoom } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const cursor = useRef<Cell>({ row: 0, column: 0 });
  /** Where the content must stay put while the zoom changes. */
  const anchored = useRef<{ x: number; y: number; column: number; row: number } | null>(null);
  const [active, setActive] = useState<Active | null>(null);
  const ramp = useMemo(() => makeRamp(slice.measure.scale, theme), [slice.measure, theme]);
  const activeCell = active?.target.kind === "cell" ? active.target : null;

  const seen = (): Window => ({
    scrollX: scroller.current?.scrollLeft ?? 0,
    scrollY: scroller.current?.scrollTop ?? 0,
    width: scroller.current?.clientWidth ?? 0,
    height: scroller.current?.clientHeight ?? 0,
  });
  const paintBase = (): void => {
    if (!base.current) return;
    paint(base.current, heatmapScene(slice, layout, seen(), theme), window.devicePixelRatio);
  };
  const paintOverlay = (): void => {
    if (!overlay.current) return;
    const scene = overlayScene(layout, seen(), activeCell, linked, theme, group);
    paint(overlay.current, scene, window.devicePixelRatio);
  };

  const before = useRef(layout);
  useLayoutEffect(() => {
    const { current: element } = scroller;
    const { current: old } = before;
    before.current = layout;
    // Zoomed by a button or a key: what is in the middle stays there.
    if (!anchored.current && old !== layout && element && element.scrollLeft > 0) {
      holdAt((old.left + element.clientWidth) / 2, old.top, old);
    }
    const { current: hold } = anchored;
    anchored.current = null;
    if (!element || !hold) return;
    element.scrollLeft = hold.column * layout.cellWidth + layout.left - hold.x;
    element.scrollTop = hold.row * layout.cellHeight + layout.top - hold.y;
  }, [layout]);
  useLayoutEffect(paintBase, [slice, layout, theme]);
  useLayoutEffect(paintOverlay, [slice, layout, theme, linked, group, active]);
  useLayoutEffect(() => setActive(null), [layout]);

  // The listener of one frame always paints with the values of the last render.
  const repaint = useRef<() => void>(() => {});
  const [scrollX, setScrollX] = useState(0);
  repaint.current = () => {
    paintBase();
    paintOverlay();
    setScrollX(seen().scrollX);
  };
  const frame = useRef(0);
  useEffect(() => () => cancelAnimationFrame(frame.current), []);
  const onScroll = (): void => {
    if (active?.by === "pointer") setActive(null);
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => repaint.current());
  };

  const holdAt = (x: number, y: number, { left, top, cellWidth, cellHeight } = layout): void => {
    const { scrollX, scrollY } = seen();
    anchored.current = {
      x,
      y,
      column: (x - left + scrollX) / cellWidth,
      row: (y - top + scrollY) / cellHeight,
    };
  };
  const zoomWheel = useRef<(event: WheelEvent) => void>(() => {});
  zoomWheel.current = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const frame = scroller.current?.getBoundingClientRect();
    if (frame) holdAt(event.clientX - frame.left, event.clientY - frame.top);
    onZoom(2 ** (-event.deltaY / WHEEL_DOUBLES));
  };
  useEffect(() => {
    const { current: element } = scroller;
    const listener = (event: WheelEvent): void => zoomWheel.current(event);
    // Not passive: the wheel with Ctrl would zoom the whole page.
    element?.addEventListener("wheel", listener, { passive: false });
    return () => element?.removeEventListener("wheel", listener);
  }, []);

  const anchorOf = (target: Target): Anchor => {
    const frame = scroller.current?.getBoundingClientRect() ?? new DOMRect();
    const row = target.kind === "column" ? 0 : target.row;
    const column = target.kind === "row" ? 0 : target.column;
    const box = cellBox(cellGrid(layout, seen()), { row, column });
    const left = frame.left + (target.kind === "row" ? 0 : box.x);
    const right = target.kind === "row" ? left + layout.left : left + box.width;
    const top = frame.top + (target.kind === "column" ? 0 : box.y);
    const bottom = target.kind === "column" ? top + layout.top : top + box.height;
    return { left, right, top, bottom };
  };

  const onPointerMove = (event: PointerEvent): void => {
    if (event.pointerType === "touch") return;
    const frame = scroller.current?.getBoundingClientRect();
    if (!frame) return;
    const target = targetAt(layout, seen(), event.clientX - frame.left, event.clientY - frame.top);
    if (target && active?.by === "pointer" && isSame(target, active.target)) return;
    setActive(target && { target, anchor: anchorOf(target), by: "pointer" });
  };

  const onClick = (event: MouseEvent): void => {
    const frame = scroller.current?.getBoundingClientRect();
    if (!frame) return;
    const target = targetAt(layout, seen(), event.clientX - frame.left, event.clientY - frame.top);
    if (!target) return;
    if (target.kind === "cell") cursor.current = target;
    onPin(target, event.shiftKey);
  };

  const reveal = (cell: Cell): void => {
    const { current: element } = scroller;
    if (!element) return;
    const { box } = cellGrid(layout, seen());
    element.scrollLeft = scrollTo(cell.column, element.scrollLeft, box.width, layout.cellWidth);
    element.scrollTop = scrollTo(cell.row, element.scrollTop, box.height, layout.cellHeight);
  };
  // A cell pinned from Python or by another widget may be out of sight.
  useLayoutEffect(() => {
    if (linked.cell) reveal(linked.cell);
  }, [linked.cell?.row, linked.cell?.column]);

  /** Puts the keyboard's cell cursor on a cell, in sight; screen readers say it as the active one. */
  const goTo = (cell: Cell): void => {
    cursor.current = cell;
    reveal(cell);
    const target: Target = { kind: "cell", ...cell };
    setActive({ target, anchor: anchorOf(target), by: "keys" });
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(cellGrid(layout, seen()).box.height / layout.cellHeight));
    const next = moved(cursor.current, event, layout, page);
    if (next) goTo(next);
    else if (event.key === "Enter" || event.key === " ")
      onPin({ kind: "cell", ...cursor.current }, event.shiftKey);
    else if (event.key === "Escape") onPin(null);
    else if (event.key === "+" || event.key === "=") onZoom(ZOOM_STEP);
    else if (event.key === "-") onZoom(1 / ZOOM_STEP);
    else if (event.key === "0") onZoom(0);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const { rows, columns } = layout;
  const inside = ({ row, column }: Cell): Cell => ({
    row: Math.min(row, rows - 1),
    column: Math.min(column, columns - 1),
  });
  const onFocus = (): void => {
    if (scroller.current?.matches(":focus-visible")) goTo(inside(linked.cell ?? cursor.current));
  };

  // Cells are drawn, not elements; the one under the keyboard's cursor is both.
  const cellId = useId();
  const spoken = inside(cursor.current);
  const cursorRow = { role: "row", "aria-rowindex": spoken.row + 1 } as const;
  const cursorCell = {
    id: cellId,
    role: "gridcell",
    "aria-colindex": spoken.column + 1,
    "aria-selected": linked.cell?.row === spoken.row && linked.cell.column === spoken.column,
  } as const;
  const label =
    `${visible(slice.grid.title)}: ${slice.measure.title}, ${rows} rows (${slice.rowAxis.name}) ` +
    `by ${columns} columns (${slice.columnAxis.name})`;
  return (
    <div class="hs-heatmap-viewport">
      {/* biome-ignore lint/a11y/useSemanticElements: a canvas cannot stand in a table */}
      <div
        ref={scroller}
        class="hs-heatmap-scroller"
        style={{ height: `${layout.height}px` }}
        role="grid"
        aria-roledescription="heatmap"
        aria-label={label}
        aria-rowcount={rows}
        aria-colcount={columns}
        aria-activedescendant={cellId}
        aria-describedby={props.help}
        tabIndex={0}
        data-lm-suppress-shortcuts="true"
        onScroll={onScroll}
        onPointerMove={onPointerMove}
        onPointerLeave={() => active?.by === "pointer" && setActive(null)}
        onClick={onClick}
        onKeyDown={onKeyDown}
        onFocus={onFocus}
        onBlur={() => setActive(null)}
      >
        <div
          class="hs-heatmap-content"
          style={{ width: `${layout.contentWidth}px`, height: `${layout.contentHeight}px` }}
        >
          <div class="hs-heatmap-pane">
            <canvas ref={base} />
            <canvas ref={overlay} />
          </div>
        </div>
        <div class="hs-hidden" {...cursorRow}>
          <div {...cursorCell}>{describeCell(slice, spoken)}</div>
        </div>
      </div>
      {props.strip(scrollX)}
      <Tooltip anchor={active?.anchor ?? null} width={CARD_WIDTH}>
        {active?.target.kind === "cell" && (
          <CellCard slice={slice} cell={active.target} ramp={ramp} />
        )}
        {active?.target.kind === "row" && (
          <AxisLabel axis={slice.rowAxis} index={slice.dataRow(active.target.row)} />
        )}
        {active?.target.kind === "column" && (
          <AxisLabel axis={slice.columnAxis} index={active.target.column} />
        )}
      </Tooltip>
    </div>
  );
}
