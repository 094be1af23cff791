// How faithful the circuit is that the slider has come to rest on: it is really run.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { formatNumber } from "../../draw/text";
import type { FaithfulnessPoint } from "../../wire/types";
import { useAnswer } from "../lens/ask";
import { type Asking, isOffered, Problem } from "./ask";
import type { Threshold } from "./prune";

type Outcome = Pick<FaithfulnessPoint, "requested" | "kept" | "faithfulness" | "completeness">;

interface FaithfulnessProps {
  asking: Asking;
  /** At rest. */
  threshold: Threshold;
  /** What was measured where the thumb is. */
  known: FaithfulnessPoint | undefined;
  /** The thumb moves: what is shown is of where it was. */
  moving: boolean;
}

const REST_MS = 250;
const MEANING =
  "With all other edges ablated: 1, the circuit does what the model does; 0, no more than with every edge ablated. Completeness is the same of everything but the circuit.";

export function Faithfulness(props: FaithfulnessProps): JSX.Element {
  const { asking, threshold, known, moving } = props;
  const params = { threshold };
  const wanted = `${asking.subject} ${JSON.stringify(params)}`;
  const [rested, setRested] = useState<string | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setRested(wanted), REST_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  const isKnown = known !== undefined && known.completeness !== null;
  const offered = isOffered(asking, "circuit");
  const question =
    offered && !isKnown && rested === wanted && !moving
      ? { what: "circuit", params, key: wanted }
      : null;
  const { answer, problem } = useAnswer<Outcome>(asking, question);
  const [last, setLast] = useState<Outcome | null>(null);
  useEffect(() => {
    if (answer ?? known) setLast(answer ?? known ?? null);
  }, [answer, known]);
  const found = isKnown ? known : (answer ?? (offered ? null : known));
  const stale = offered && !found && !problem;
  const shown = found ?? (stale ? last : null);
  return (
    <span
      class="hs-control hs-graph-faithful"
      title={offered || shown ? MEANING : "Needs a live kernel"}
    >
      <span class="hs-label">Faithfulness</span>
      <span role="status" class={stale ? "hs-graph-stale" : ""} aria-busy={stale}>
        {shown && !problem ? <InWords {...shown} /> : stale ? "…" : "– not run at this size"}
      </span>
      <Problem text={problem} />
    </span>
  );
}

/** Of runs that differ by rounding only, nothing remains. */
const ratio = (value: number): string => formatNumber(Math.round(value * 1e3) / 1e3 || 0);

function InWords({ faithfulness, completeness, requested, kept }: Outcome): JSX.Element {
  return (
    <>
      <strong>{ratio(faithfulness)}</strong>{" "}
      <span class="hs-muted">
        {formatNumber(requested)} edges asked for, {formatNumber(kept)} kept
        {completeness !== null && `; completeness ${ratio(completeness)}`}
      </span>
    </>
  );
}
