// Faithfulness of circuits of growing size.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { chartScene } from "../../draw/chart";
import type { Theme } from "../../draw/colour";
import { palette } from "../../draw/palette";
import { formatNumber } from "../../draw/text";
import type { FaithfulnessPoint } from "../../wire/types";
import { SceneCanvas } from "../parts/canvas";
import { type Asking, DemandButton, Problem, useDemand } from "./ask";

interface CurveAnswer {
  /** The sizes are those of MIB, about evenly spaced on a logarithmic axis. */
  points: (FaithfulnessPoint & { fraction: number })[];
  cpr: number;
  cmd: number;
}

const TITLE = "Faithfulness of the best edges";
const HEIGHT = 190;
const MAX_WIDTH = 460;

interface CurveProps {
  asking: Asking;
  theme: Theme;
  width: number;
}

export function CurvePanel({ asking, theme, width }: CurveProps): JSX.Element {
  const demand = useDemand<CurveAnswer>(asking, "curve", {});
  const { answer } = demand;
  return (
    <article class="hs-graph-panel" aria-label="Faithfulness curve">
      <DemandButton
        label="Curve"
        help="Run circuits of growing size, each by itself"
        demand={demand}
      />
      <Problem text={demand.problem} />
      {answer && <Drawn answer={answer} theme={theme} width={Math.min(MAX_WIDTH, width)} />}
    </article>
  );
}

function Drawn({ answer, theme, width }: Omit<CurveProps, "asking"> & { answer: CurveAnswer }) {
  const { points, cpr, cmd } = answer;
  const values = points.map(({ faithfulness }) => faithfulness);
  const scene = useMemo(() => {
    const [colour = ""] = palette(theme).series;
    const chart = {
      title: TITLE,
      places: points.map(({ fraction }) => `${+(fraction * 100).toPrecision(3)}% of edges`),
      series: [{ label: "faithfulness", values, colour }],
      scale: {
        kind: "sequential" as const,
        low: Math.min(0, ...values),
        high: Math.max(1, ...values),
        reverse: false,
        log: false,
      },
    };
    return chartScene(chart, theme, width, HEIGHT);
  }, [answer, theme, width]);
  const words = points.map(
    ({ kept, faithfulness }) => `${kept} edges: ${formatNumber(faithfulness)}`,
  );
  return (
    <>
      <SceneCanvas scene={scene} label={`${TITLE}. ${words.join("; ")}`} />
      <p>
        <span title="Area under faithfulness over the share of edges, ranked by score; higher is better">
          CPR {formatNumber(cpr)}
        </span>
        ,{" "}
        <span title="Area under |1 − faithfulness| over the share of edges, ranked by the score's magnitude; lower is better">
          CMD {formatNumber(cmd)}
        </span>
      </p>
    </>
  );
}
