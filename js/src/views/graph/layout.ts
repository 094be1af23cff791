// Where the items of a picture stand: layers as rows from the bottom up, token positions as columns,
// the items of one cell side by side, in further lines where they are many.
import type { Place } from "../../wire/types";
import type { Item, Picture } from "./groups";
import type { Graph } from "./model";

export interface Row {
  order: number;
  label: string;
  /** Top of the row. */
  y: number;
  height: number;
}

export interface Column {
  /** -1: of all positions. */
  position: number;
  x: number;
  width: number;
}

export interface Layout {
  /** Centres of the items. */
  x: Float64Array;
  y: Float64Array;
  /** The row of each item. */
  rowOf: Int32Array;
  /** Room of one item across, for its label. */
  slot: number;
  rows: readonly Row[];
  columns: readonly Column[];
  width: number;
  height: number;
}

/** From this slot on an item has a label under it. */
export const LABELLED = 50;
/** Room of an item across, and the least of a column, the first that fit being taken: that items have
 * labels matters more than that columns are wide, which matters more than that items are. */
const FITS = [
  { columns: [44, 30, 20], slots: [104, 84, 66, LABELLED] },
  { columns: [44, 30, 20, 12], slots: [36, 24, 18] },
];
const TIGHTEST = { column: 12, slot: 18 };
const LINE = { labelled: 46, plain: 20 };
const PAD = 10;
export const GUTTER = 62;
export const FOOT = 30;
/** More lines than this in a cell, and items get less room instead. */
const MOST_LINES = 5;
const ROW_PAD = 14;
/** Height of a window, roughly. */
const ROOM_DOWN = 580;
/** So many times that height is still shown whole and readable. */
const TALL = 1.15;
const LEAST_ROW = 40;

export function rowLabel(graph: Graph, node: number): string {
  const kind = graph.kinds[node];
  if (kind === "logit" || kind === "logits") return "Logits";
  if (kind === "token" || kind === "embed") return "Embed";
  const layer = graph.layer[node] ?? -1;
  if (kind === "bias") return "Embed";
  if (layer < 0) return "Other";
  if (graph.result.family === "attribution") return `L${layer}`;
  return kind === "head" || kind === "kv_head" ? `L${layer} attn` : `L${layer} MLP`;
}

interface Cell {
  row: number;
  column: number;
  items: number[];
}

const distinct = (values: readonly number[]): number[] =>
  [...new Set(values)].sort((a, b) => a - b);

function cellsOf(graph: Graph, picture: Picture, rank: Float64Array) {
  const order = (item: Item): number => graph.order[item.node] ?? 0;
  const position = (item: Item): number => graph.position[item.node] ?? -1;
  const orders = distinct(picture.items.map(order));
  const positions = distinct(picture.items.map(position));
  const cells = new Map<number, Cell>();
  picture.items.forEach((item, at) => {
    const row = orders.indexOf(order(item));
    const column = positions.indexOf(position(item));
    const key = row * positions.length + column;
    const cell = cells.get(key);
    if (cell) cell.items.push(at);
    else cells.set(key, { row, column, items: [at] });
  });
  const rankOf = (at: number): number => rank[picture.items[at]?.node ?? 0] ?? 0;
  for (const { items } of cells.values()) items.sort((a, b) => rankOf(a) - rankOf(b));
  return { orders, positions, cells: [...cells.values()] };
}

const lineOf = (slot: number): number => (slot >= LABELLED ? LINE.labelled : LINE.plain);

interface Fit {
  slot: number;
  /** Least width of a column. */
  column: number;
  /** Lines of the largest cell of a column. */
  lines: number;
}

/** The widest room of an item with which all fits about into a window. Where nothing does, what lets
 * the whole be shown largest. */
function chooseFit(size: (fit: Fit) => { across: number; down: number }): Fit {
  for (const { columns, slots } of FITS) {
    for (const column of columns) {
      for (const slot of slots) {
        for (let lines = 1; lines <= MOST_LINES; lines++) {
          const { across, down } = size({ slot, column, lines });
          if (across <= 1 && down <= TALL) return { slot, column, lines };
        }
      }
    }
  }
  const shrunk = (lines: number): number => {
    const { across, down } = size({ ...TIGHTEST, lines });
    return Math.max(across, down);
  };
  const candidates = Array.from({ length: 12 }, (_, at) => at + 1);
  const lines = candidates.reduce((best, n) => (shrunk(n) < shrunk(best) ? n : best));
  return { ...TIGHTEST, lines };
}

export function layoutPicture(
  graph: Graph,
  picture: Picture,
  rank: Float64Array,
  places: readonly Place[],
  width: number,
): Layout {
  const { orders, positions, cells } = cellsOf(graph, picture, rank);
  // A token alone has no label but its column's.
  const isBare = ({ items }: Cell): boolean =>
    items.every((item) => graph.kinds[picture.items[item]?.node ?? 0] === "token");
  const most = positions.map((_, column) =>
    Math.max(
      0,
      ...cells
        .filter((cell) => cell.column === column && !isBare(cell))
        .map(({ items }) => items.length),
    ),
  );
  const room = width - GUTTER;
  const widthsAt = ({ slot, column, lines }: Fit): number[] =>
    most.map((n) => Math.max(column, n && Math.ceil(n / lines) * slot + PAD));
  const total = (widths: readonly number[]): number => widths.reduce((sum, w) => sum + w, 0);
  const byRow = orders.map((_, row) => cells.filter((cell) => cell.row === row));
  const rowsDown = ({ slot, lines }: Fit): number =>
    byRow.reduce((sum, here) => {
      const perLine = (column: number): number =>
        Math.max(1, Math.ceil((most[column] ?? 1) / lines));
      const tall = Math.max(
        ...here.map((cell) => Math.ceil(cell.items.length / perLine(cell.column))),
      );
      return sum + Math.max(LEAST_ROW, tall * lineOf(slot) + ROW_PAD);
    }, 0);
  const fit = chooseFit((tried) => ({
    across: total(widthsAt(tried)) / room,
    down: rowsDown(tried) / ROOM_DOWN,
  }));
  const { slot } = fit;
  const widths = widthsAt(fit);
  const spare = Math.max(0, room - total(widths)) / widths.length;
  let left = GUTTER;
  const columns = positions.map((position, at): Column => {
    const column = { position, x: left, width: (widths[at] ?? 0) + spare };
    left += column.width;
    return column;
  });
  const line = lineOf(slot);
  const across = (column: number): number =>
    Math.max(1, Math.floor(((widths[column] ?? 0) - PAD) / slot));
  let top = 8;
  const rows = orders
    .map((order, at): Row => {
      const here = byRow[at] ?? [];
      const tall = Math.max(
        ...here.map(({ column, items }) => Math.ceil(items.length / across(column))),
      );
      const first = picture.items[here[0]?.items[0] ?? 0];
      const label = first ? rowLabel(graph, first.node) : "";
      return { order, label, y: 0, height: Math.max(LEAST_ROW, tall * line + ROW_PAD) };
    })
    .reverse();
  for (const row of rows) {
    row.y = top;
    top += row.height;
  }
  rows.reverse();
  const x = new Float64Array(picture.items.length);
  const y = new Float64Array(picture.items.length);
  const rowOf = new Int32Array(picture.items.length);
  for (const { row, column, items } of cells) {
    const box = columns[column];
    const band = rows[row];
    if (!box || !band) continue;
    const perLine = across(column);
    const count = Math.ceil(items.length / perLine);
    // A link from one line to the next must not run through what lies between.
    const stagger = count > 1 ? Math.min(slot / 4, 9) : 0;
    items.forEach((item, at) => {
      const inLine = Math.floor(at / perLine);
      rowOf[item] = row;
      const here = Math.min(perLine, items.length - inLine * perLine);
      x[item] =
        box.x +
        box.width / 2 +
        ((at % perLine) - (here - 1) / 2) * slot +
        stagger * (inLine % 2 ? 1 : -1);
      y[item] = band.y + band.height / 2 + (inLine - (count - 1) / 2) * line - (line > 30 ? 7 : 0);
    });
  }
  const moved = new Map(places.map((place) => [place.node, place]));
  picture.items.forEach(({ node }, item) => {
    const place = moved.get(graph.names[node] ?? "");
    if (!place) return;
    x[item] = (x[item] ?? 0) + place.x;
    y[item] = (y[item] ?? 0) + place.y;
  });
  return { x, y, rowOf, slot, rows, columns, width: left, height: top + FOOT };
}

/** With one item elsewhere. */
export function movedLayout(
  layout: Layout,
  { item, dx, dy }: { item: number; dx: number; dy: number },
): Layout {
  const [x, y] = [layout.x.slice(), layout.y.slice()];
  x[item] = (x[item] ?? 0) + dx;
  y[item] = (y[item] ?? 0) + dy;
  return { ...layout, x, y };
}
