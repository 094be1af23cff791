// Faithfulness of circuits of growing size: those that were run, with or without a kernel.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { chartScene } from "../../draw/chart";
import type { Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import { formatNumber } from "../../draw/text";
import type { CircuitGraph, FaithfulnessPoint } from "../../wire/types";
import { SceneCanvas } from "../parts/canvas";
import { type Asking, DemandButton, Problem, useDemand } from "./ask";
import { curveOf, ranking } from "./circuits";

const HEIGHT = 190;
const MAX_WIDTH = 460;
const AREAS: Record<string, string> = {
  CPR: "Area under faithfulness over the share of edges, ranked by score; higher is better",
  CMD: "Area under |1 − faithfulness| over the share of edges, ranked by the score's magnitude; lower is better",
};

interface CurveProps {
  asking: Asking;
  result: CircuitGraph;
  /** The circuit that is shown, where it was run. */
  here: FaithfulnessPoint | undefined;
  theme: Theme;
  width: number;
}

export function CurvePanel({ asking, result, here, theme, width }: CurveProps): JSX.Element {
  const demand = useDemand(asking, "curve", {});
  const points = useMemo(() => curveOf(result), [result]);
  const areas = result.scores.filter(({ label }) => label in AREAS);
  return (
    <article class="hs-graph-panel" aria-label="Faithfulness curve">
      {points.length > 1 && (
        <Drawn
          points={points}
          here={here?.requested ?? -1}
          title={`Faithfulness of the best edges by ${ranking(result)}`}
          theme={theme}
          width={Math.min(MAX_WIDTH, width)}
        />
      )}
      {areas.length > 0 ? (
        <p>
          {areas.map(({ label, value }) => (
            <span key={label} class="hs-graph-area" title={AREAS[label]}>
              {label} {formatNumber(value)}
            </span>
          ))}
        </p>
      ) : (
        <DemandButton
          label="CPR and CMD"
          help="Run circuits of growing size, each by itself, ranked both ways"
          demand={demand}
        />
      )}
      <Problem text={demand.problem} />
    </article>
  );
}

interface DrawnProps {
  points: readonly FaithfulnessPoint[];
  /** How many edges were asked for of the circuit that is shown. */
  here: number;
  title: string;
  theme: Theme;
  width: number;
}

function Drawn({ points, here, title, theme, width }: DrawnProps): JSX.Element {
  const scene = useMemo(() => {
    const { series, text } = palette(theme);
    const values = points.map(({ faithfulness }) => faithfulness);
    const log = points.map(({ requested }) => Math.log(Math.max(1, requested)));
    const [least, most] = [log[0] ?? 0, log.at(-1) ?? 0];
    const own = points.map(({ requested, faithfulness }) =>
      requested === here ? faithfulness : Number.NaN,
    );
    const chart = {
      title,
      places: points.map(({ requested }) => `${formatNumber(requested)} edges`),
      at: log.map((place) => (place - least) / (most - least || 1)),
      series: [
        { label: "faithfulness", values, colour: series[0] ?? text },
        { label: "shown", values: own, colour: text },
      ],
      scale: {
        kind: "sequential" as const,
        low: Math.min(0, ...values),
        high: Math.max(1, ...values),
        reverse: false,
        log: false,
      },
    };
    return chartScene(chart, theme, width, HEIGHT);
  }, [points, here, title, theme, width]);
  const words = points.map(
    ({ requested, faithfulness }) => `${requested} edges: ${formatNumber(faithfulness)}`,
  );
  return <SceneCanvas scene={scene} label={`${title}. ${words.join("; ")}`} />;
}
