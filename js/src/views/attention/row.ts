// One pinned dest row, sorted, as a table and as text for a spreadsheet.

export interface SourceRow {
  rank: number;
  src: number;
  /** Token text as it is in the prompt. */
  token: string;
  attention: number;
  /** Weighted attention; equal to it without a weighting. */
  value: number;
}

/** Sources in descending order of their value's magnitude; masked ones, and those that have no value,
 * are left out.
 *
 * `attention` and `values` are those of the pinned row, plain and weighted. */
export function sourceRows(
  attention: Float32Array,
  values: Float32Array,
  tokens: readonly string[],
  dest: number,
  causal: boolean,
): SourceRow[] {
  const sources = causal ? dest + 1 : tokens.length;
  return Array.from({ length: sources }, (_, src) => ({
    rank: 0,
    src,
    token: tokens[src] ?? "",
    attention: attention[src] ?? Number.NaN,
    value: values[src] ?? Number.NaN,
  }))
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.src - b.src)
    .map((source, i) => ({ ...source, rank: i + 1 }));
}

/** Tab-separated, one line per source; token texts as JSON, so that tabs and newlines survive. */
export function toTsv(rows: readonly SourceRow[], weighted: string | null): string {
  const head = ["rank", "src", "token", "attention", ...(weighted ? [weighted] : [])];
  const lines = rows.map(({ rank, src, token, attention, value }) =>
    [rank, src, JSON.stringify(token), attention, ...(weighted ? [value] : [])].join("\t"),
  );
  return `${[head.join("\t"), ...lines].join("\n")}\n`;
}
