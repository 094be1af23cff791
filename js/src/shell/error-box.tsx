// What went wrong and what to do, in the place where the result would be.
import type { ErrorInfo } from "../wire/types";

export function ErrorBox({ error }: { error: ErrorInfo }) {
  return (
    <div class="hs-error" role="alert">
      <strong>{error.kind}</strong> <span>{error.message}</span>
      {error.hint && <p class="hs-hint">{error.hint}</p>}
    </div>
  );
}

/** Anything thrown, as the box shows it. */
export function errorInfo(thrown: unknown): ErrorInfo {
  return thrown instanceof Error
    ? { kind: thrown.name, message: thrown.message, hint: "" }
    : { kind: "Error", message: String(thrown), hint: "" };
}
