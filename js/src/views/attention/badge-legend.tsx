// What the overview's colours and badges mean.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Theme } from "../../draw/colour";
import { formatNumber } from "../../draw/text";
import type { Patterns } from "../../wire/types";
import { badgeLegend } from "./badges";
import { scopeText } from "./detail";
import type { HeadRef } from "./heads";
import { Legend } from "./legend";
import type { AttentionOptions } from "./options";
import { sortedHeads } from "./order";
import { KERNEL_NEEDED } from "./overview";
import { attentionRamp } from "./thumbnails";
import { commonHigh, weightingInfo } from "./weighting";

export function BadgeLegend(props: {
  result: Patterns;
  options: AttentionOptions;
  theme: Theme;
  usable(ref: HeadRef): boolean;
}): JSX.Element {
  const { result, options, theme, usable } = props;
  const { weighting, perHead } = options;
  const ramp = useMemo(
    () => attentionRamp(result, commonHigh(result, weighting), theme),
    [result, weighting, theme],
  );
  const badges = badgeLegend(result, theme);
  const heads = sortedHeads(result, "layer");
  const held = heads.filter(usable).length;
  return (
    <div class="hs-att-key">
      {perHead ? (
        <div class="hs-att-legend">
          {weightingInfo(result, weighting).label}: {scopeText(true)},{" "}
          {result.signed ? "around 0, as far as it goes" : "from 0 to its largest value"}
        </div>
      ) : (
        <Legend
          result={result}
          ramp={ramp}
          weighting={weighting}
          scope={scopeText(false)}
          masked={null}
        />
      )}
      <ul class="hs-att-badges">
        {badges.map(({ score, text, letter, value, fill, ink }) => (
          <li key={score.name} title={score.definition}>
            <span class="hs-att-badge" style={{ background: fill, color: ink }}>
              {text}
            </span>
            <span class="hs-muted">
              {letter}: {score.title} ≥ {formatNumber(value)}
            </span>
          </li>
        ))}
      </ul>
      {held < heads.length && (
        <p class="hs-att-note">
          {held} of {heads.length} heads can be enlarged here; a faded one {KERNEL_NEEDED}.
        </p>
      )}
    </div>
  );
}
