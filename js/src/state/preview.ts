// The kernel's answer to `tokenize`: how a prompt that is still being typed falls into tokens.
import type { ErrorInfo } from "../wire/types";

export interface Preview {
  text: string;
  tokens: string[];
  token_ids: number[];
  /** Null where it is not one prompt that runs. */
  n_ctx: number | null;
  error: ErrorInfo | null;
}

/** `value` as the preview of `text`; null if it is not one. */
export function readPreview(text: string, value: unknown): Preview | null {
  if (typeof value !== "object" || value === null) return null;
  const { tokens, token_ids, n_ctx, error } = value as Partial<Preview>;
  if (!Array.isArray(tokens) || !Array.isArray(token_ids) || n_ctx === undefined) return null;
  return { text, tokens, token_ids, n_ctx, error: error ?? null };
}
