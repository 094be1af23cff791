// The enlarged heads in the chosen form: matrices, text, or lines.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Theme } from "../../draw/colour";
import type { Patterns, Selection } from "../../wire/types";
import { type Option, Segmented, Select } from "../parts/controls";
import type { HeadRef } from "./heads";
import { Legend } from "./legend";
import { LinesPanel } from "./lines-panel";
import { MatricesPanel } from "./matrices-panel";
import { MIXES, type Mix } from "./mix";
import type { AttentionOptions, Direction, Mode } from "./options";
import type { PanelData } from "./panel-data";
import { Slider } from "./slider";
import { TextPanel } from "./text-panel";
import { attentionRamp, scaleHigh } from "./thumbnails";
import type { Tip } from "./tooltip";
import type { Weighting } from "./weighting";

export interface DetailProps {
  result: Patterns;
  options: AttentionOptions;
  setOption(key: keyof AttentionOptions, value: unknown): void;
  selection: Selection;
  select(patch: Partial<Selection>): void;
  enlarged: readonly HeadRef[];
  primary: HeadRef;
  data(ref: HeadRef): PanelData;
  /** The pattern that stands for several heads, and what it could be weighted by. */
  mix: { mix: Mix; data: PanelData; weighting: Weighting; high: number } | null;
  retry(ref: HeadRef | null): void;
  tokens: readonly string[];
  glyphs: readonly string[];
  theme: Theme;
  width: number;
  tip: Tip;
  announce(text: string): void;
}

const MODES: readonly Option<Mode>[] = [
  { value: "matrix", title: "Matrix" },
  { value: "text", title: "Text" },
  { value: "lines", title: "Lines" },
];
const DIRECTIONS: readonly Option<Direction>[] = [
  { value: "src", title: "dest → src", help: "What a token attends to" },
  { value: "dest", title: "src ← dest", help: "What attends to a token" },
];
const MIX_OPTIONS = MIXES.map(({ name, title }) => ({ value: name, title }));

export const scopeText = (perHead: boolean): string =>
  perHead ? "each head on its own scale" : "one scale for all heads";

export function Detail(props: DetailProps): JSX.Element {
  const { result, options, setOption, enlarged, theme } = props;
  const mark = options.mode === "text" ? "grey" : "hatched";
  const mixed = options.mode === "text" ? props.mix : null;
  const weighting = mixed?.weighting ?? options.weighting;
  const high = mixed?.high ?? scaleHigh(result, weighting, options.perHead, props.primary);
  const ramp = useMemo(() => attentionRamp(result, high, theme), [result, high, theme]);
  const several = options.mode !== "text" && enlarged.length > 1 && options.perHead;
  return (
    <article aria-label="Enlarged heads">
      <div class="hs-toolbar">
        <Segmented
          label="View"
          options={MODES}
          value={options.mode}
          onChange={(mode) => setOption("mode", mode)}
        />
        {options.mode === "text" && (
          <>
            <Segmented
              label="Direction"
              options={DIRECTIONS}
              value={options.direction}
              onChange={(direction) => setOption("direction", direction)}
            />
            <Select
              label="Of"
              options={MIX_OPTIONS}
              value={options.mix}
              onChange={(mix) => setOption("mix", mix)}
            />
          </>
        )}
        {options.mode === "lines" && (
          <Slider
            label="Least weight"
            value={options.threshold}
            step={0.01}
            format={(share) => `≥ ${share.toFixed(2)} of the scale`}
            onChange={(threshold) => setOption("threshold", threshold)}
          />
        )}
      </div>
      {!several && options.mode !== "lines" && (
        <Legend
          result={result}
          ramp={ramp}
          weighting={weighting}
          scope={mixed ? "largest value of this mix" : scopeText(options.perHead)}
          masked={result.causal ? mark : null}
        />
      )}
      {options.mode === "matrix" && <MatricesPanel {...props} />}
      {options.mode === "text" && <TextPanel {...props} />}
      {options.mode === "lines" && <LinesPanel {...props} />}
    </article>
  );
}
