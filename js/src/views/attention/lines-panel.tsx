// The line view of the enlarged heads.
import type { JSX } from "preact";
import { palette } from "../../draw/palette";
import type { DetailProps } from "./detail";
import { headLabel, sameHead } from "./heads";
import type { Side } from "./lines-scene";
import { LinesView } from "./lines-view";
import { MOST_PANEL } from "./matrices-panel";
import { Placeholder } from "./placeholder";
import { position } from "./position";
import { scaleHigh } from "./thumbnails";
import { weightingInfo } from "./weighting";

const HEIGHT = 560;

export function LinesPanel(props: DetailProps): JSX.Element {
  const { result, options, enlarged, selection, select, tokens, theme, primary } = props;
  const { series } = palette(theme);
  const highs = enlarged.map((ref) => scaleHigh(result, options.weighting, options.perHead, ref));
  const panels = enlarged.map((ref, i) => ({
    ref,
    title: headLabel(ref),
    colour: series[i % series.length] ?? "",
    high: highs[i] ?? 0,
    data: props.data(ref),
  }));
  const ready = panels.flatMap(({ data, title, colour, high }) =>
    data.state === "ready" ? [{ matrix: data.matrix, title, colour, high }] : [],
  );
  const token = position(selection.token, tokens.length);
  const dest = position(selection.dest, tokens.length);
  const src = position(selection.src, tokens.length);
  const at = dest ?? src ?? token;
  const pinned: Side | null =
    at === null ? null : { side: dest === null && src !== null ? "src" : "dest", token: at };
  return (
    <>
      <ul class="hs-att-heads" aria-label="Heads drawn">
        {panels.map(({ ref, title, colour, data }) => (
          <li key={title}>
            <span class="hs-att-dot" style={{ background: colour }} />
            {sameHead(ref, primary) ? <strong>{title}</strong> : title}
            {data.state !== "ready" && (
              <Placeholder data={data} name={title} height={0} retry={() => props.retry(ref)} />
            )}
          </li>
        ))}
      </ul>
      <LinesView
        heads={ready}
        glyphs={props.glyphs}
        threshold={options.threshold}
        quantity={weightingInfo(result, options.weighting).label}
        signed={result.signed}
        pinned={pinned}
        theme={theme}
        width={Math.min(props.width, MOST_PANEL)}
        height={HEIGHT}
        tip={props.tip}
        announce={props.announce}
        onPin={(side) =>
          select(
            side === null
              ? { token: null, dest: null, src: null }
              : {
                  token: side.token,
                  dest: side.side === "dest" ? side.token : null,
                  src: side.side === "src" ? side.token : null,
                },
          )
        }
      />
    </>
  );
}
