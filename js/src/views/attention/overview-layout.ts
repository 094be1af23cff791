// Where every head's thumbnail is: layers by heads, or one after the other when sorted.
import { type CellGrid, cellAt, cellBox } from "../../draw/hit";
import type { Box } from "../../draw/scene";
import { textWidth } from "../../draw/text";
import { type HeadRef, sameHead } from "./heads";
import type { Pane } from "./scroll-canvas";

export const LABEL_SIZE = 10;
const GAP = 3;
const MIN_TILE = 22;
const MAX_TILE = 72;
const AXIS_HEIGHT = 16;
/** A caption such as L31H31 needs this much. */
const MIN_CAPTIONED_TILE = 38;
const CAPTION_HEIGHT = 14;

export interface OverviewLayout {
  /** True: rows are layers and columns are heads. False: reading order, each with a caption. */
  grid: boolean;
  places: readonly HeadRef[];
  columns: number;
  rows: number;
  tile: number;
  pitchX: number;
  pitchY: number;
  /** Sticky margins with the axis labels. */
  left: number;
  top: number;
  width: number;
  height: number;
}

export function gridLayout(
  places: readonly HeadRef[],
  nLayers: number,
  nHeads: number,
  width: number,
  least = MIN_TILE,
): OverviewLayout {
  const left = Math.ceil(textWidth(`L${nLayers - 1}`, LABEL_SIZE)) + 8;
  const tile = clampTile(Math.floor((width - left) / nHeads) - GAP, least);
  const pitch = tile + GAP;
  return {
    grid: true,
    places,
    columns: nHeads,
    rows: nLayers,
    tile,
    pitchX: pitch,
    pitchY: pitch,
    left,
    top: AXIS_HEIGHT,
    width: left + nHeads * pitch,
    height: AXIS_HEIGHT + nLayers * pitch,
  };
}

/** As many columns as the layer grid would have where they fit, so that tiles keep their size. */
export function flowLayout(
  places: readonly HeadRef[],
  nHeads: number,
  width: number,
): OverviewLayout {
  const most = Math.max(1, Math.floor(width / (MIN_CAPTIONED_TILE + GAP)));
  const columns = Math.min(most, nHeads);
  const tile = clampTile(Math.floor(width / columns) - GAP, MIN_CAPTIONED_TILE);
  const fitting = Math.max(1, Math.floor(width / (tile + GAP)));
  const rows = Math.max(1, Math.ceil(places.length / fitting));
  const pitchY = tile + CAPTION_HEIGHT + GAP;
  return {
    grid: false,
    places,
    columns: fitting,
    rows,
    tile,
    pitchX: tile + GAP,
    pitchY,
    left: 0,
    top: 0,
    width: fitting * (tile + GAP),
    height: rows * pitchY,
  };
}

const clampTile = (tile: number, least: number): number =>
  Math.max(least, Math.min(MAX_TILE, tile));

export function overviewGrid(layout: OverviewLayout, pane: Pane): CellGrid {
  return {
    box: {
      x: layout.left,
      y: layout.top,
      width: pane.width - layout.left,
      height: pane.height - layout.top,
    },
    cellWidth: layout.pitchX,
    cellHeight: layout.pitchY,
    rows: layout.rows,
    columns: layout.columns,
    scrollX: pane.x,
    scrollY: pane.y,
  };
}

/** The head whose thumbnail is at (x, y) of the pane. */
export function headAt(layout: OverviewLayout, pane: Pane, x: number, y: number): HeadRef | null {
  const cell = cellAt(overviewGrid(layout, pane), x, y);
  return cell ? (layout.places[cell.row * layout.columns + cell.column] ?? null) : null;
}

/** The square of a head's thumbnail in the pane; null where it is filtered out. */
export function tileBox(layout: OverviewLayout, pane: Pane, ref: HeadRef): Box | null {
  const index = layout.places.findIndex((place) => sameHead(place, ref));
  if (index < 0) return null;
  const row = Math.floor(index / layout.columns);
  const { x, y } = cellBox(overviewGrid(layout, pane), { row, column: index % layout.columns });
  return { x, y, width: layout.tile, height: layout.tile };
}

/** The head that an arrow key leads to from `ref`; `ref` itself at an edge. */
export function neighbour(layout: OverviewLayout, ref: HeadRef, key: string): HeadRef {
  const index = layout.places.findIndex((place) => sameHead(place, ref));
  const column = index % layout.columns;
  const to = {
    ArrowLeft: layout.grid && column === 0 ? index : index - 1,
    ArrowRight: layout.grid && column === layout.columns - 1 ? index : index + 1,
    ArrowUp: index - layout.columns,
    ArrowDown: index + layout.columns,
    Home: layout.grid ? index - column : 0,
    End: layout.grid ? index - column + layout.columns - 1 : layout.places.length - 1,
  }[key];
  return layout.places[to ?? index] ?? layout.places[Math.max(0, index)] ?? ref;
}
