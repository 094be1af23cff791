// Sliders that prune again at once, in the browser.
import type { JSX } from "preact";
import { formatNumber } from "../../draw/text";
import { Button } from "../parts/controls";
import { isOfBest, pointAt } from "./circuits";
import type { Graph } from "./model";
import type { Threshold } from "./prune";
import { percent } from "./words";

interface ThresholdProps {
  graph: Graph;
  /** How many edges the kernel kept. */
  computed: number;
  value: Threshold;
  /** While the thumb moves. */
  onPreview(value: Threshold): void;
  onChange(value: Threshold): void;
}

export function ThresholdSliders(props: ThresholdProps): JSX.Element {
  const { graph, computed, value, onPreview, onChange } = props;
  const asComputed = value.nodes === undefined && value.edges === undefined;
  const reset = (
    <Button
      label="As computed"
      title="The threshold that the result was computed with"
      disabled={asComputed}
      onClick={() => onChange({})}
    />
  );
  if (graph.result.family === "components") {
    // Few edges matter most, so the slider is logarithmic.
    const most = Math.log(Math.max(2, graph.edges));
    const edges = value.edges ?? pointAt(graph.result, {})?.requested ?? computed;
    const count = (at: number): number => Math.min(graph.edges, Math.round(Math.exp(at * most)));
    return (
      <>
        <Range
          label="Edges shown"
          value={Math.log(Math.max(1, edges)) / most}
          text={
            asComputed && !isOfBest(graph.result) ? "as computed" : `best ${formatNumber(edges)}`
          }
          onPreview={(at) => onPreview({ edges: count(at) })}
          onChange={(at) => onChange({ edges: count(at) })}
        />
        {reset}
      </>
    );
  }
  const { rule, value: ruleNodes, edge_value } = graph.result.pruning;
  const byInfluence = rule === "influence";
  const nodes = value.nodes ?? (byInfluence ? ruleNodes : 1);
  const edges = value.edges ?? (byInfluence ? (edge_value ?? 1) : 1);
  return (
    <>
      <Range
        label="Node influence"
        value={nodes}
        text={percent(nodes)}
        onPreview={(at) => onPreview({ nodes: at, edges })}
        onChange={(at) => onChange({ nodes: at, edges })}
      />
      <Range
        label="Edge influence"
        value={edges}
        text={percent(edges)}
        onPreview={(at) => onPreview({ nodes, edges: at })}
        onChange={(at) => onChange({ nodes, edges: at })}
      />
      {reset}
    </>
  );
}

interface RangeProps {
  label: string;
  value: number;
  text: string;
  onPreview(value: number): void;
  onChange(value: number): void;
}

function Range({ label, value, text, onPreview, onChange }: RangeProps): JSX.Element {
  return (
    <label class="hs-control">
      <span class="hs-label">{label}</span>
      <input
        class="hs-graph-slider"
        type="range"
        min={0}
        max={1}
        step={0.005}
        value={value}
        aria-valuetext={text}
        onInput={(event) => onPreview(event.currentTarget.valueAsNumber)}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      <span class="hs-graph-value">{text}</span>
    </label>
  );
}
