// What a feature or a neuron stands for: how active it is where, and which tokens it promotes.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { makeRamp, type Theme } from "../../draw/colour";
import { formatNumber } from "../../draw/text";
import { tokenGlyphs } from "../../state/tokens";
import { SceneCanvas } from "../parts/canvas";
import { type Histogram, histogramScene } from "./histogram";
import { percent, signed } from "./words";

interface Weighted {
  text: string;
  value: number;
}

interface Example {
  tokens: string[];
  values: number[];
  /** Where it is most active. */
  token: number;
}

export interface Feature {
  node: string;
  activation_density: number;
  histogram: Histogram;
  examples: Example[];
  promoted: Weighted[];
  suppressed: Weighted[];
  suggested_label: string;
  definition: string;
}

const WIDTH = 220;
const HEIGHT = 70;

export function FeaturePanel({ feature, theme }: { feature: Feature; theme: Theme }): JSX.Element {
  const { histogram, activation_density, definition } = feature;
  const scene = useMemo(() => histogramScene(histogram, theme, WIDTH, HEIGHT), [histogram, theme]);
  const active = histogram.counts.reduce((sum, count) => sum + count, 0);
  return (
    <article class="hs-graph-feature" aria-label="What it stands for">
      <div>
        <h3>Activations</h3>
        <SceneCanvas
          scene={scene}
          label={`Histogram of ${active} activations up to ${formatNumber(histogram.edges.at(-1) ?? 0)}`}
        />
        <p>Active at {percent(activation_density)} of tokens</p>
      </div>
      <Tokens title="Promoted" tokens={feature.promoted} />
      <Tokens title="Suppressed" tokens={feature.suppressed} />
      <Examples examples={feature.examples} theme={theme} />
      <p class="hs-muted">{definition}</p>
    </article>
  );
}

function Tokens({ title, tokens }: { title: string; tokens: readonly Weighted[] }): JSX.Element {
  return (
    <div>
      <h3>{title}</h3>
      <table class="hs-table">
        <tbody>
          {tokens.map(({ text, value }, i) => (
            <tr key={i}>
              <td>
                <span class="hs-token">{tokenGlyphs(text)}</span>
              </td>
              <td class="hs-graph-number">{signed(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Examples({ examples, theme }: { examples: readonly Example[]; theme: Theme }) {
  const high = Math.max(0, ...examples.flatMap(({ values }) => values));
  const ramp = useMemo(() => {
    const scale = {
      kind: "sequential" as const,
      low: 0,
      high: high || 1,
      reverse: false,
      log: false,
    };
    return makeRamp(scale, theme);
  }, [high, theme]);
  return (
    <div class="hs-graph-examples">
      <h3>Where it is most active</h3>
      {examples.length === 0 && <p class="hs-muted">Nowhere in these texts.</p>}
      <ol>
        {examples.map(({ tokens, values, token }, i) => (
          <li key={i}>
            <span class="hs-graph-number">{formatNumber(values[token] ?? 0)}</span>
            <span>
              {tokens.map((text, at) => {
                const value = Math.max(0, values[at] ?? 0);
                const style = value
                  ? { background: ramp.css(value), color: ramp.ink(value) }
                  : undefined;
                return (
                  <span key={at} class="hs-graph-tinted" style={style} title={formatNumber(value)}>
                    {tokenGlyphs(text)}
                  </span>
                );
              })}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}
