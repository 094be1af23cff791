// Numbers as text for other programs.
import { visible } from "../state/tokens";
import type { Table } from "../views/exports";

/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@]/;

/** A text that cannot break out of its cell, with everything invisible made visible. */
function textOf(value: string): string {
  const text = visible(value);
  return FORMULA.test(text) ? `'${text}` : text;
}

const plain = (value: string | number | boolean): string =>
  typeof value === "string" ? textOf(value) : Number.isNaN(value) ? "" : String(value);

const quoted = (text: string): string =>
  /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** As RFC 4180 has it. */
export const toCsv = (table: Table): string =>
  table.map((row) => `${row.map((value) => quoted(plain(value))).join(",")}\r\n`).join("");

/** As spreadsheets take it from the clipboard. */
export const toTsv = (table: Table): string =>
  table.map((row) => `${row.map(plain).join("\t")}\n`).join("");
