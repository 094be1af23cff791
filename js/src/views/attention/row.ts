// One pinned dest row, sorted, as a table and as text for a spreadsheet.

export interface SourceRow {
  rank: number;
  src: number;
  /** Token text as it is in the prompt. */
  token: string;
  attention: number;
  /** Attention times the factor of the weighting; equal to it without one. */
  value: number;
}

/** Sources in descending order of `value`; masked ones are left out. */
export function sourceRows(
  row: Float32Array,
  factor: Float32Array | null,
  tokens: readonly string[],
  dest: number,
  causal: boolean,
): SourceRow[] {
  const sources = causal ? dest + 1 : tokens.length;
  return Array.from({ length: sources }, (_, src) => {
    const attention = row[src] ?? Number.NaN;
    const value = attention * (factor?.[src] ?? 1);
    return { rank: 0, src, token: tokens[src] ?? "", attention, value };
  })
    .sort((a, b) => b.value - a.value || a.src - b.src)
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
