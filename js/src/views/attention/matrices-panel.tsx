// The enlarged heads as matrices side by side, with one crosshair for all.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { palette } from "../../draw/palette";
import type { DetailProps } from "./detail";
import { headLabel } from "./heads";
import { Hover } from "./hover";
import { Legend } from "./legend";
import type { CellRef } from "./matrix-layout";
import { MatrixPanel } from "./matrix-panel";
import { Placeholder } from "./placeholder";
import { position } from "./position";
import { attentionRamp, scaleHigh } from "./thumbnails";
import { weightingInfo } from "./weighting";

const GAP = 14;
const LEAST_PANEL = 260;
export const MOST_PANEL = 640;

export function MatricesPanel(props: DetailProps): JSX.Element {
  const { result, options, enlarged, selection, select, theme, width, tokens } = props;
  const { weighting, perHead } = options;
  const hover = useMemo(() => new Hover<CellRef>(), []);
  const most = Math.max(1, Math.floor((width + GAP) / (LEAST_PANEL + GAP)));
  const columns = Math.min(enlarged.length, most);
  const panel = Math.min(MOST_PANEL, Math.floor((width - GAP * (columns - 1)) / columns));
  const ramps = useMemo(
    () =>
      enlarged.map((ref) =>
        attentionRamp(result, scaleHigh(result, weighting, perHead, ref), theme),
      ),
    [enlarged, result, weighting, perHead, theme],
  );
  const { series } = palette(theme);
  const pin = {
    dest: position(selection.dest, tokens.length),
    src: position(selection.src, tokens.length),
  };
  return (
    <div class="hs-att-panels" style={{ gap: `${GAP}px` }}>
      {enlarged.map((ref, i) => {
        const data = props.data(ref);
        const name = headLabel(ref);
        const ramp = ramps[i];
        if (data.state !== "ready" || !ramp) {
          if (data.state === "ready") return null;
          return (
            <div key={name} style={{ width: `${panel}px` }}>
              <Placeholder
                data={data}
                name={name}
                height={panel / 2}
                retry={() => props.retry(ref)}
              />
            </div>
          );
        }
        return (
          <div key={name} style={{ width: `${panel}px` }}>
            <MatrixPanel
              title={name}
              colour={series[i % series.length] ?? ""}
              matrix={data.matrix}
              glyphs={props.glyphs}
              ramp={ramp}
              quantity={weightingInfo(result, weighting).label}
              theme={theme}
              width={panel}
              hover={hover}
              pin={pin}
              tip={props.tip}
              announce={props.announce}
              onPin={(at) => select(at.dest === null && at.src === null ? at : { ...ref, ...at })}
            />
            {perHead && enlarged.length > 1 && (
              <Legend
                result={result}
                ramp={ramp}
                weighting={weighting}
                scope="its own scale"
                masked={result.causal ? "hatched" : null}
              />
            )}
          </div>
        );
      })}
    </div>
  );
}
