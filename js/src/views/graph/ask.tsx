// Questions about a graph that are put when the reader wants them.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { ViewProps } from "../contract";
import { useAnswer } from "../lens/ask";
import { Button } from "../parts/controls";

export interface Asking extends Pick<ViewProps, "ask" | "asks" | "live"> {
  /** The computation whose result is shown: with another one's, answers are void. */
  subject: number;
}

/** As the view has it. A value that is measured later belongs to the same computation. */
export function useAsking({ ask, asks, live, job, resultId }: ViewProps): Asking {
  const subject = useMemo(() => job, [resultId]);
  return { ask, asks, live, subject };
}

export const isOffered = ({ live, asks }: Asking, what: string): boolean =>
  live && asks.includes(what);

interface Demand<T> {
  answer: T | null;
  problem: string | null;
  offered: boolean;
  waiting: boolean;
  put(): void;
}

/** A question that is put by `put`; as its parameters change it is open again. */
export function useDemand<T>(
  asking: Asking,
  what: string,
  params: Record<string, unknown>,
): Demand<T> {
  const subject = `${asking.subject} ${what} ${JSON.stringify(params)}`;
  const [put, setPut] = useState({ subject: "", times: 0 });
  const isPut = put.subject === subject;
  const question = isPut ? { what, params, key: `${subject} ${put.times}` } : null;
  const { answer, problem } = useAnswer<T>(asking, question);
  return {
    answer,
    problem,
    offered: isOffered(asking, what),
    waiting: isPut && !answer && !problem,
    put: () => setPut(({ times }) => ({ subject, times: times + 1 })),
  };
}

interface DemandButtonProps {
  label: string;
  help: string;
  demand: Demand<unknown>;
  disabled?: boolean;
}

export function DemandButton({ label, help, demand, disabled }: DemandButtonProps): JSX.Element {
  return (
    <Button
      label={label}
      title={demand.offered ? help : "Needs a live kernel"}
      disabled={!demand.offered || demand.waiting || disabled}
      onClick={demand.put}
    />
  );
}

/** Why there is no answer. */
export function Problem({ text }: { text: string | null }): JSX.Element | null {
  return text === null ? null : (
    <p class="hs-refused" role="alert">
      {text}
    </p>
  );
}
