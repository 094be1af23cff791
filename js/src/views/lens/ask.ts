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

/** Asks, and keeps the answer for as long as it is the question's. */
export function useAnswer<T>(
  props: Pick<ViewProps, "ask" | "live">,
  question: Question | null,
): { answer: T | null; problem: string | null } {
  const [held, setHeld] = useState<{ key: string; value: unknown } | null>(null);
  const problem = useAsk(props, question, ({ value }) =>
    setHeld(question && { key: question.key, value }),
  );
  return { answer: held && held.key === question?.key ? (held.value as T) : null, problem };
}
