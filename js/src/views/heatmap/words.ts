// The heatmap in words and as text: for screen readers and the clipboard.
import type { Cell } from "../../draw/hit";
import { formatNumber } from "../../draw/text";
import { visible } from "../../state/tokens";
import type { Axis, Measure } from "../../wire/types";
import type { Slice } from "./slice";
import { NOT_APPLICABLE, STATES, WAITING } from "./states";

/** Units that only repeat what the measure's title says are left out. */
export function quantity(value: number, measure: Measure, digits = 3): string {
  const number = formatNumber(value, digits);
  const said = measure.title.toLowerCase().includes(measure.unit.toLowerCase());
  return measure.unit && !said ? `${number} ${measure.unit}` : number;
}

/** A cell's value, "waiting" or "not applicable"; with "(estimate)" or "(exact)" behind it where a
 * grid has both. */
export function cellQuantity(
  slice: Slice,
  { row, column }: Cell,
  measure = slice.measure,
  digits?: number,
): string {
  const state = slice.state(row, column, measure);
  const name = STATES[state ?? -1];
  if (name && (state === NOT_APPLICABLE || state === WAITING)) return name;
  const value = quantity(slice.value(row, column, measure), measure, digits);
  return name ? `${value} (${name})` : value;
}

function place(axis: Axis, index: number): string {
  const label = axis.labels[index] ?? "";
  if (axis.tokens) return `${axis.name} ${index}, token “${visible(label)}”`;
  return /^\d+$/.test(label) ? `${axis.name} ${label}` : label;
}

/** "L3 resid_post, position 5, token “·Mary”, probability 0.82, top token “·John”" */
export function describeCell(slice: Slice, cell: Cell): string {
  const { row, column } = cell;
  const { rowAxis, columnAxis, measure } = slice;
  const parts = [
    place(rowAxis, slice.dataRow(row)),
    place(columnAxis, column),
    `${measure.title} ${cellQuantity(slice, cell)}`,
  ];
  if (slice.top(row, column).length)
    parts.push(`top token “${visible(slice.topText(row, column))}”`);
  return parts.join(", ");
}

/** A label that cannot break out of its field, nor be taken for a formula by a spreadsheet. */
function field(axis: Axis, index: number): string {
  const label = axis.labels[index] ?? "";
  const text = axis.tokens ? visible(label) : label.replace(/[\t\r\n]/g, " ");
  return /^[=+\-@]/.test(text) ? `'${text}` : text;
}

/** The whole slice as tab-separated values, in full precision, with labels; where some values are
 * estimates, a second table says which. */
export function toTsv(slice: Slice): string {
  const { rowAxis, columnAxis, rows, measure } = slice;
  const table = (title: string, cell: (row: number, column: number) => string): string => {
    const lines = [
      [
        `${title} (${rowAxis.name} by ${columnAxis.name})`,
        ...columnAxis.labels.map((_, i) => field(columnAxis, i)),
      ],
    ];
    for (let row = 0; row < rows; row++) {
      const cells = columnAxis.labels.map((_, column) => cell(row, column));
      lines.push([field(rowAxis, slice.dataRow(row)), ...cells]);
    }
    return lines.map((line) => `${line.join("\t")}\n`).join("");
  };
  const values = table(measure.title, (row, column) => {
    const value = slice.value(row, column);
    return Number.isNaN(value) ? "" : String(value);
  });
  if (!slice.estimates) return values;
  const states = table("State", (row, column) => STATES[slice.state(row, column) ?? -1] ?? "");
  return `${values}\n${states}`;
}
