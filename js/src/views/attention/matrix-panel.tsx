// One enlarged head: its matrix with labels, crosshair, zoom and pin.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Ramp, Theme } from "../../draw/colour";
import { Button } from "../parts/controls";
import type { Hover } from "./hover";
import { type Matrix, said } from "./matrix";
import {
  type CellRef,
  MAX_CELL,
  matrixCellBox,
  matrixLayout,
  pointedCell,
  pointedLabel,
  poolStep,
  zoomed,
} from "./matrix-layout";
import { matrixOverlay, matrixScene } from "./matrix-scene";
import { type CanvasHandle, pixelRatio, ScrollCanvas } from "./scroll-canvas";
import type { Tip } from "./tooltip";

export interface MatrixPanelProps {
  title: string;
  colour: string;
  matrix: Matrix;
  glyphs: readonly string[];
  ramp: Ramp;
  quantity: string;
  theme: Theme;
  width: number;
  hover: Hover<CellRef>;
  pin: { dest: number | null; src: number | null };
  tip: Tip;
  announce(text: string): void;
  onPin(pin: { dest: number | null; src: number | null; token?: number }): void;
}

/** Cells that Shift with an arrow key moves by. */
const LEAP = 10;

export function MatrixPanel(props: MatrixPanelProps): JSX.Element {
  const { title, matrix, glyphs, ramp, theme, width, hover, pin, tip } = props;
  const [zoom, setZoom] = useState<number | null>(null);
  const handle = useRef<CanvasHandle | null>(null);
  const layout = useMemo(() => matrixLayout(glyphs, width, zoom), [glyphs, width, zoom]);
  const step = poolStep(layout, pixelRatio());
  const spec = useMemo(
    () => ({ matrix, layout, glyphs, ramp, theme }),
    [matrix, layout, glyphs, ramp, theme],
  );
  const base = useMemo(
    () => (pane: Parameters<typeof matrixScene>[1], ratio: number) =>
      matrixScene(spec, pane, ratio),
    [spec],
  );
  useEffect(() => hover.subscribe(() => handle.current?.repaint()), [hover]);

  const reveal = (cell: CellRef): void => {
    const canvas = handle.current;
    if (canvas) canvas.reveal(matrixCellBox(layout, canvas.pane(), cell), layout.left, layout.top);
  };
  useEffect(() => {
    if (pin.dest !== null || pin.src !== null) reveal({ dest: pin.dest ?? 0, src: pin.src ?? 0 });
  }, [pin.dest, pin.src]);

  /** The cell that stays where it is while the zoom changes. */
  const held = useRef<{ cell: CellRef; x: number; y: number } | null>(null);
  useLayoutEffect(() => {
    const { current: canvas } = handle;
    const { current: hold } = held;
    held.current = null;
    if (!canvas || !hold) return;
    const box = matrixCellBox(layout, canvas.pane(), hold.cell);
    canvas.scrollBy(box.x - hold.x, box.y - hold.y);
  }, [layout.cell]);
  const changeZoom = (direction: 1 | -1): void => {
    const pane = handle.current?.pane();
    const cell = hover.value ?? { dest: pin.dest ?? 0, src: pin.src ?? 0 };
    if (pane) held.current = { cell, ...matrixCellBox(layout, pane, cell) };
    setZoom(zoomed(layout, glyphs, direction));
  };

  const name = (at: number): string => `${at} ${glyphs[at] ?? ""}`;
  const worth = ({ dest, src }: CellRef): string => said(matrix, dest, src, props.quantity);
  const speak = (cell: CellRef): void =>
    props.announce(`dest ${name(cell.dest)}, src ${name(cell.src)}, ${worth(cell)}`);

  const moved = ({ dest, src }: CellRef, event: KeyboardEvent): CellRef | null => {
    const by = event.shiftKey ? LEAP : 1;
    const last = layout.n - 1;
    const inside = (at: number): number => Math.max(0, Math.min(last, at));
    switch (event.key) {
      case "ArrowUp":
        return { dest: inside(dest - by), src };
      case "ArrowDown":
        return { dest: inside(dest + by), src };
      case "ArrowLeft":
        return { dest, src: inside(src - by) };
      case "ArrowRight":
        return { dest, src: inside(src + by) };
      case "Home":
        return { dest, src: 0 };
      case "End":
        return { dest, src: matrix.causal ? dest : last };
      default:
        return null;
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = hover.value ?? { dest: pin.dest ?? layout.n - 1, src: pin.src ?? 0 };
    const next = moved(at, event);
    if (next) {
      hover.set(next);
      reveal(next);
      speak(next);
    } else if (event.key === "Enter" || event.key === " ") {
      props.onPin(at);
      props.announce(`Pinned dest ${name(at.dest)}, src ${name(at.src)}, ${worth(at)}`);
    } else if (event.key === "Escape") {
      hover.set(null);
      tip.hide();
      props.onPin({ dest: null, src: null });
    } else if (event.key === "+" || event.key === "=") changeZoom(1);
    else if (event.key === "-") changeZoom(-1);
    else if (event.key === "0") setZoom(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <figure class="hs-att-panel" style={{ width: `${width}px` }}>
      <figcaption class="hs-row">
        <strong>
          <span class="hs-att-dot" style={{ background: props.colour }} /> {title}
        </strong>
        <span class="hs-spacer" />
        <Button label="Zoom out" disabled={zoom === null} onClick={() => changeZoom(-1)}>
          −
        </Button>
        <Button label="Zoom in" disabled={layout.cell >= MAX_CELL} onClick={() => changeZoom(1)}>
          +
        </Button>
        <Button label="Fit" disabled={zoom === null} onClick={() => setZoom(null)} />
      </figcaption>
      <ScrollCanvas
        label={`${title}: rows are dest, columns are src. Arrow keys move, Enter pins, Escape clears, plus and minus zoom.`}
        width={width}
        height={layout.height}
        contentWidth={Math.min(layout.contentWidth, zoom === null ? width : layout.contentWidth)}
        contentHeight={zoom === null ? layout.height : layout.contentHeight}
        handle={handle}
        base={base}
        overlay={(pane) => matrixOverlay(spec, { hover: hover.value, pin }, pane)}
        onPoint={(point, pane) => {
          const cell = point && pointedCell(matrix, layout, pane, step, point.x, point.y);
          const before = hover.value;
          if (!cell || !before || cell.dest !== before.dest || cell.src !== before.src) {
            hover.set(cell);
          }
          if (point && cell) {
            tip.show(point.clientX, point.clientY, [
              title,
              `dest ${name(cell.dest)}`,
              `src ${name(cell.src)}`,
              worth(cell),
            ]);
          } else tip.hide();
        }}
        onClick={(point, pane) => {
          const cell = pointedCell(matrix, layout, pane, step, point.x, point.y);
          const label = pointedLabel(layout, pane, point.x, point.y);
          if (cell) {
            props.onPin(cell);
            speak(cell);
          } else if (label && "dest" in label) {
            props.onPin({ dest: label.dest, src: null, token: label.dest });
          } else if (label) {
            props.onPin({ dest: null, src: label.src, token: label.src });
          }
        }}
        onKeyDown={onKeyDown}
        onZoom={changeZoom}
      />
      {step > 1 && (
        <p class="hs-att-note">
          Each pixel shows the strongest of {step} × {step} cells; the pointer finds that one. Zoom
          in for single cells.
        </p>
      )}
    </figure>
  );
}
