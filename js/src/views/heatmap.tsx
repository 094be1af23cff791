// The heatmap of a `Grid`: logit lens, logit attribution, head scores, patching.
import type { JSX } from "preact";
import { useCallback, useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import type { Cell } from "../draw/hit";
import { merge } from "../state/selection";
import type { Grid } from "../wire/types";
import { CellSums, IdentityBar } from "./attribution";
import type { ViewProps } from "./contract";
import { layoutOf, type Target } from "./heatmap/layout";
import { Legend } from "./heatmap/legend";
import { type HeatmapOption, optionName, readOptions, type Zoom } from "./heatmap/options";
import { cleared, linkedOf, selectionOf } from "./heatmap/selection";
import { sliceOf } from "./heatmap/slice";
import { Table } from "./heatmap/table";
import { Toolbar } from "./heatmap/toolbar";
import { Viewport } from "./heatmap/viewport";
import { describeCell } from "./heatmap/words";
import { Lens } from "./lens";
import { isPinnable, Patching, Pinned, placeOf, useOrders } from "./patching";
import { alignmentOf, isDifference, isShifted, STRIP, Strip } from "./patching/strip";

export { default as heatmapCss } from "./heatmap/heatmap.css?inline";

const LEGEND_WIDTH = 220;
const ZOOM_LIMITS = { least: 0.02, most: 4 };
/** A zoom by wheel is stored once it rests: every stored option travels to the kernel. */
const REST_MS = 250;

/** The zoom as it moves, and a setter that stores it when it has come to rest. */
function useZoom(stored: Zoom, store: (zoom: Zoom) => void): [Zoom, (zoom: Zoom) => void] {
  const [moving, setMoving] = useState<Zoom | null>(null);
  useEffect(() => {
    if (moving === null) return;
    const timer = setTimeout(() => {
      store(moving);
      setMoving(null);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [moving]);
  return [moving ?? stored, setMoving];
}

/** `next`, or what the last render had if that is the same. */
function useSame<T extends object>(next: T): T {
  const last = useRef(next);
  last.current = merge(last.current, next);
  return last.current;
}

export function HeatmapView(props: ViewProps<Grid>): JSX.Element {
  const { result: grid, selection, select, setOption, theme, width, announce } = props;
  const help = useId();
  const options = useMemo(() => readOptions(props.options, grid), [props.options, grid]);
  const set = (key: HeatmapOption, value: unknown): void => setOption(optionName(key), value);
  const [zoom, setZoom] = useZoom(options.zoom, (value) => set("zoom", value));

  const { measure, upward, scales } = options;
  const chosen = options.chosen.join(" ");
  const slice = useMemo(
    () => sliceOf(grid, { measure, upward, chosen: options.chosen, scales }),
    [grid, measure, upward, chosen, scales],
  );
  const patching = grid.provenance.analysis.endsWith("_patching");
  const lens = grid.provenance.analysis === "logit_lens";
  const pinnable = isPinnable(grid);
  const alignment = patching || isDifference(grid) ? alignmentOf(slice) : null;
  const strip = alignment ? STRIP : 0;
  const layout = useSame(
    useMemo(() => layoutOf(slice, zoom, width, strip), [slice, zoom, width, strip]),
  );
  const pinned = options.cell;
  const linked = useMemo(
    () => linkedOf(slice, selection, pinned),
    [slice, selection, pinned?.row, pinned?.column],
  );

  const onZoom = useCallback(
    (factor: number): void => {
      const now = layoutOf(slice, zoom, width).cellWidth / layoutOf(slice, "auto", width).cellWidth;
      const next = Math.min(ZOOM_LIMITS.most, Math.max(ZOOM_LIMITS.least, now * factor));
      setZoom(factor === 0 ? "auto" : next);
    },
    [slice, zoom, width],
  );

  const drawn = ({ row, column }: Cell): Cell => ({ row: slice.dataRow(row), column });
  const place = useMemo(() => placeOf(grid.provenance), [grid]);
  const grouped = useRef(place);
  const here = patching && grouped.current === place;
  const group = useMemo(() => (here ? options.group.map(drawn) : []), [slice, here, options.group]);
  const setGroup = (cells: readonly Cell[]): void =>
    set(
      "group",
      cells.map((c) => [slice.dataRow(c.row), c.column]),
    );
  // Cells of another map or prompt are others.
  useEffect(() => {
    grouped.current = place;
    if (!here && options.group.length > 0) setGroup([]);
  }, [place]);
  const { order, problem } = useOrders(props);

  const onPin = (target: Target | null, adding = false): void => {
    if (adding && pinnable && target?.kind === "cell") {
      const before = group.length > 0 || !linked.cell ? group : [linked.cell];
      const others = before.filter((c) => c.row !== target.row || c.column !== target.column);
      setGroup(others.length < before.length ? others : [...before, target]);
      announce(describeCell(slice, target));
      return;
    }
    const same =
      target?.kind === "cell" &&
      target.row === linked.cell?.row &&
      target.column === linked.cell.column;
    if (!target || same) {
      set("cell", null);
      select(cleared(slice));
      announce("Unpinned");
      return;
    }
    const row = target.kind === "column" ? null : slice.dataRow(target.row);
    const column = target.kind === "row" ? null : target.column;
    set("cell", row === null || column === null ? null : [row, column]);
    select({ ...cleared(slice), ...selectionOf(slice, row, column) });
    announce(target.kind === "cell" ? `Pinned: ${describeCell(slice, target)}` : "Pinned");
  };

  return (
    <div class="hs-heatmap">
      <Toolbar
        {...props}
        slice={slice}
        options={options}
        zoom={zoom}
        set={set}
        onZoom={onZoom}
        setZoom={setZoom}
      />
      <Legend slice={slice} theme={theme} width={Math.min(LEGEND_WIDTH, width)} />
      {pinnable && <Pinned {...props} order={order} />}
      {problem && <p role="alert">{problem}</p>}
      {options.table ? (
        <Table slice={slice} />
      ) : (
        <Viewport
          {...props}
          slice={slice}
          layout={layout}
          linked={linked}
          group={group}
          help={help}
          onPin={onPin}
          onZoom={onZoom}
          strip={(scrollX) =>
            alignment && (
              <Strip
                {...props}
                slice={slice}
                alignment={alignment}
                layout={layout}
                scrollX={scrollX}
                order={order}
              />
            )
          }
        />
      )}
      {!alignment && grid.alignment && isShifted(grid) && (
        <Strip {...props} slice={slice} alignment={grid.alignment} order={order} />
      )}
      <p id={help} class="hs-hidden">
        Arrow keys move between cells, Home and End go to the ends of a row, Enter pins a cell,
        Escape unpins it, plus and minus zoom{pinnable && ", Shift and Enter take cells together"}.
        The table button shows the same numbers as a table.
      </p>
      {!options.table && !linked.cell && (
        <p class="hs-muted hs-heatmap-hint">
          Click a cell to pin it{lens && " and list its top tokens"}. Ctrl + wheel zooms.
        </p>
      )}
      {grid.identity && <IdentityBar identity={grid.identity} theme={theme} />}
      {lens && <Lens {...props} slice={slice} cell={linked.cell} />}
      {patching && (
        <Patching
          {...props}
          slice={slice}
          place={place}
          chosen={options.chosen}
          cell={linked.cell}
          group={group}
          setGroup={setGroup}
          onPin={(cell) => onPin({ kind: "cell", ...cell })}
          onOpen={() => set("chosen", [1])}
          order={order}
        />
      )}
      {!grid.top && linked.cell && <CellSums slice={slice} cell={linked.cell} theme={theme} />}
    </div>
  );
}
