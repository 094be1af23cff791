// The text view of the selected head, or of a mix of heads.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { DetailProps } from "./detail";
import { headLabel } from "./heads";
import { mixTitle } from "./mix";
import { Placeholder } from "./placeholder";
import { position } from "./position";
import { TextView } from "./text-view";
import { attentionRamp, scaleHigh } from "./thumbnails";
import { weightingInfo } from "./weighting";

export function TextPanel(props: DetailProps): JSX.Element {
  const { result, options, primary, selection, select, tokens, theme } = props;
  const { direction, perHead } = options;
  const mixed = props.mix;
  const data = mixed?.data ?? props.data(primary);
  const weighting = mixed?.weighting ?? options.weighting;
  const high = mixed?.high ?? scaleHigh(result, weighting, perHead, primary);
  const ramp = useMemo(() => attentionRamp(result, high, theme), [result, high, theme]);
  const title = mixed ? mixTitle(mixed.mix) : headLabel(primary);
  const own = direction === "src" ? selection.dest : selection.src;
  const pinned = position(own ?? selection.token, tokens.length);
  return (
    <>
      <p class="hs-att-title">
        <strong>{title}</strong>
        {weighting !== options.weighting && (
          <span class="hs-muted"> attention only: weighting a mix needs every head held here</span>
        )}
      </p>
      {data.state === "ready" ? (
        <TextView
          title={title}
          matrix={data.matrix}
          tokens={tokens}
          glyphs={props.glyphs}
          direction={direction}
          pinned={pinned}
          ramp={ramp}
          quantity={weightingInfo(result, weighting).label}
          tip={props.tip}
          announce={props.announce}
          onPin={(token) =>
            select(
              direction === "src"
                ? { token, dest: token, src: null }
                : { token, dest: null, src: token },
            )
          }
        />
      ) : (
        <Placeholder
          data={data}
          name={title}
          height={120}
          retry={() => props.retry(mixed ? null : primary)}
        />
      )}
    </>
  );
}
