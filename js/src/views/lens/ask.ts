// A question that a panel repeats as its subject changes.
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "../../host/contract";
import type { ViewProps } from "../contract";

interface Question {
  what: string;
  params: Record<string, unknown>;
  /** Asked again once this changes. */
  key: string;
}

/** Asks, and hands the answer to `take`; null asks nothing. Returns why there is no answer, in a
 * line for the reader, or null. */
export function useAsk(
  { ask, live }: Pick<ViewProps, "ask" | "live">,
  question: Question | null,
  take: (answer: Answer) => void,
): string | null {
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    setProblem(null);
    if (!live || !question) return;
    const abort = new AbortController();
    ask(question.what, question.params, abort.signal)
      .then(take)
      .catch((error: Error) => {
        if (!abort.signal.aborted) setProblem(error.message);
      });
    return () => abort.abort();
  }, [live, question?.key]);
  return problem;
}
