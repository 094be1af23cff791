// The heatmap in words and as text: for screen readers and the clipboard.
import type { Cell } from "../../draw/hit";
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import type { Axis, Measure } from "../../wire/types";
import type { Slice } from "./slice";

/** Units that only repeat what the measure's title says are left out. */
export function quantity(value: number, measure: Measure, digits = 3): string {
  if (Number.isNaN(value)) return "not applicable";
  const number = formatNumber(value, digits);
  const said = measure.title.toLowerCase().includes(measure.unit.toLowerCase());
  return measure.unit && !said ? `${number} ${measure.unit}` : number;
}

function place(axis: Axis, index: number): string {
  const label = axis.labels[index] ?? "";
  if (axis.tokens) return `${axis.name} ${index}, token “${label}”`;
  return /^\d+$/.test(label) ? `${axis.name} ${label}` : label;
}

/** "L3 resid_post, position 5, token “ Mary”, probability 0.82, top token “ John”" */
export function describeCell(slice: Slice, { row, column }: Cell): string {
  const { rowAxis, columnAxis, measure } = slice;
  const parts = [
    place(rowAxis, slice.dataRow(row)),
    place(columnAxis, column),
    `${measure.title} ${quantity(slice.value(row, column), measure)}`,
  ];
  if (slice.grid.top) parts.push(`top token “${slice.topText(row, column)}”`);
  return parts.join(", ");
}

/** A label that cannot break out of its field. */
const field = (axis: Axis, index: number): string => {
  const label = axis.labels[index] ?? "";
  return (axis.tokens ? tokenGlyphs(label, Number.POSITIVE_INFINITY) : label).replace(
    /[\t\r\n]/g,
    " ",
  );
};

/** The whole slice as tab-separated values, in full precision, with labels. */
export function toTsv(slice: Slice): string {
  const { rowAxis, columnAxis, rows, columns, measure } = slice;
  const lines = [
    [
      `${measure.title} (${rowAxis.name} by ${columnAxis.name})`,
      ...columnAxis.labels.map((_, i) => field(columnAxis, i)),
    ].join("\t"),
  ];
  for (let row = 0; row < rows; row++) {
    const cells = [field(rowAxis, slice.dataRow(row))];
    for (let column = 0; column < columns; column++) {
      const value = slice.value(row, column);
      cells.push(Number.isNaN(value) ? "" : String(value));
    }
    lines.push(cells.join("\t"));
  }
  return `${lines.join("\n")}\n`;
}
