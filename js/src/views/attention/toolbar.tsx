// What applies to the whole view: weighting, order, filter, scale.
import type { JSX } from "preact";
import type { Patterns } from "../../wire/types";
import { Segmented, Select, Toggle } from "../parts/controls";
import type { AttentionOptions } from "./options";
import { scoreNamed } from "./order";
import { passingCount } from "./overview";
import { Slider } from "./slider";
import { WEIGHTINGS } from "./weighting";

const WEIGHTING_OPTIONS = WEIGHTINGS.map(({ name, title, definition }) => ({
  value: name,
  title,
  help: definition,
}));
const DEFAULT_SHARE = 0.4;

export function Toolbar(props: {
  result: Patterns;
  options: AttentionOptions;
  setOption(key: keyof AttentionOptions, value: unknown): void;
}): JSX.Element {
  const { result, options, setOption } = props;
  const scores = result.scores.map(({ name, title }) => ({ value: name, title }));
  const filtered = options.filter && scoreNamed(result, options.filter.score);
  return (
    <div class="hs-toolbar">
      <Segmented
        label="Weighting"
        options={WEIGHTING_OPTIONS}
        value={options.weighting}
        onChange={(weighting) => setOption("weighting", weighting)}
      />
      <Select
        label="Sort"
        options={[{ value: "layer", title: "Layer order" }, ...scores]}
        value={options.sort}
        onChange={(sort) => setOption("sort", sort)}
      />
      <Select
        label="Show"
        options={[{ value: "", title: "All heads" }, ...scores]}
        value={options.filter?.score ?? ""}
        onChange={(score) =>
          setOption(
            "filter",
            score === "" ? null : { score, share: options.filter?.share ?? DEFAULT_SHARE },
          )
        }
      />
      {options.filter && filtered && (
        <>
          <Slider
            label="at least"
            value={options.filter.share}
            step={0.01}
            format={(share) => (share * filtered.high).toFixed(2)}
            onChange={(share) => setOption("filter", { ...options.filter, share })}
          />
          <span class="hs-muted" role="status">
            {passingCount(result, options)} of {result.n_layers * result.n_heads} heads
          </span>
        </>
      )}
      <Toggle
        label="Scale per head"
        title="Each head coloured up to its own largest value: patterns show, sizes cannot be compared."
        checked={options.perHead}
        onChange={(checked) => setOption("perHead", checked)}
      />
    </div>
  );
}
