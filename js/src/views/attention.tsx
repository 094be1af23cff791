// Attention of every head: an overview, heads enlarged as matrix, text or lines, and their scores.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { tokenGlyphs } from "../state/tokens";
import type { Patterns } from "../wire/types";
import { BadgeLegend } from "./attention/badge-legend";
import { Detail } from "./attention/detail";
import { enlargedHeads, type HeadRef, sameHead, selectedHead, toggleHead } from "./attention/heads";
import { mixPanel, mixWanted } from "./attention/mix-panel";
import { type AttentionOptions, optionName, readOptions, writeHeads } from "./attention/options";
import { Overview } from "./attention/overview";
import { headData, headRequest, rowRequest } from "./attention/panel-data";
import { PinnedRow } from "./attention/pinned-row";
import { position } from "./attention/position";
import { Scores } from "./attention/scores";
import type { Slice, SliceRequest } from "./attention/slices";
import { Toolbar } from "./attention/toolbar";
import { useTooltip } from "./attention/tooltip";
import { useSlices } from "./attention/use-slices";
import { scaled } from "./attention/weighting";
import type { ViewProps } from "./contract";

export { default as attentionCss } from "./attention/attention.css?inline";

/** From this width on the enlarged heads are beside the overview, not below it. */
const WIDE = 820;
const GAP = 20;
const OVERVIEW_SHARE = 0.44;
const MOST_OVERVIEW = 560;
const OVERVIEW_HEIGHT = { wide: 600, narrow: 380 };

export function AttentionView(props: ViewProps<Patterns>): JSX.Element {
  const { resultId, selection, select, live, theme, width, announce, ask } = props;
  const result = useMemo(
    () => scaled(props.result, props.options),
    [props.result, props.options.scales],
  );
  const options = useMemo(() => readOptions(props.options, result), [props.options, result]);
  const setOption = (key: keyof AttentionOptions, value: unknown): void =>
    props.setOption(optionName(key), value);
  const tokens = useMemo(() => result.provenance.prompts[0]?.tokens ?? [], [result]);
  const glyphs = useMemo(() => tokens.map((token) => tokenGlyphs(token)), [tokens]);
  const enlarged = useMemo(
    () => enlargedHeads(result, selection, options.heads),
    [result, selection.layer, selection.head, options.heads],
  );
  const primary = selectedHead(result, selection) ?? (enlarged[0] as HeadRef);
  const dest = position(selection.dest ?? selection.token, tokens.length);
  const { tip, element } = useTooltip();

  const mix = mixWanted(result, options, primary);
  const requests: SliceRequest[] = [];
  if (live) {
    const heads = options.mode === "text" ? (mix ? [] : [primary]) : enlarged;
    for (const ref of [...heads, ...(dest === null ? [] : [primary])]) {
      if (!result.heads.some((held) => sameHead(held, ref)))
        requests.push(headRequest(result, ref));
    }
    if (dest !== null && !result.signed) requests.push(rowRequest(result, primary, dest));
    if (mix?.request) requests.push(mix.request);
  }
  const slices = useSlices(resultId, requests, ask);
  const read = (key: string): Slice => {
    const slice = slices.read(key);
    return live || slice.state === "ready" ? slice : { state: "frozen" };
  };
  const data = (ref: HeadRef, weighting = options.weighting) =>
    headData(result, ref, weighting, read);
  /** Whether a head can be enlarged: fetched heads stay when the kernel goes. */
  const usable = (ref: HeadRef): boolean => live || data(ref).state === "ready";

  const choose = (ref: HeadRef, add: boolean): void => {
    const set = add ? toggleHead(enlarged, ref) : [ref];
    setOption("heads", writeHeads(set));
    const next = set.some((other) => sameHead(other, ref)) ? ref : set[0];
    if (next) select({ layer: next.layer, head: next.head });
  };
  const wide = width >= WIDE;
  const overviewWidth = wide ? Math.min(MOST_OVERVIEW, Math.round(width * OVERVIEW_SHARE)) : width;
  return (
    <div class="hs-att" data-wide={wide}>
      <Toolbar result={result} options={options} setOption={setOption} />
      <div class="hs-att-body">
        <div style={{ width: `${overviewWidth}px` }}>
          <Overview
            result={result}
            options={options}
            enlarged={enlarged}
            primary={primary}
            live={live}
            usable={usable}
            theme={theme}
            width={overviewWidth}
            height={wide ? OVERVIEW_HEIGHT.wide : OVERVIEW_HEIGHT.narrow}
            tip={tip}
            announce={announce}
            onChoose={choose}
          />
          <BadgeLegend result={result} options={options} theme={theme} usable={usable} />
        </div>
        <div class="hs-att-detail">
          <Detail
            result={result}
            options={options}
            setOption={setOption}
            selection={selection}
            select={select}
            enlarged={enlarged}
            primary={primary}
            data={data}
            mix={mix && mixPanel(result, mix, read)}
            retry={(ref) => {
              const key = ref ? headRequest(result, ref).key : mix?.request?.key;
              if (key) slices.retry(key);
            }}
            tokens={tokens}
            glyphs={glyphs}
            theme={theme}
            width={wide ? width - overviewWidth - GAP : width}
            tip={tip}
            announce={announce}
          />
          {dest !== null && (
            <PinnedRow
              result={result}
              head={primary}
              dest={dest}
              src={position(selection.src, tokens.length)}
              weighting={options.weighting}
              plain={data(primary, "attention")}
              data={data(primary)}
              exact={read(rowRequest(result, primary, dest).key)}
              announce={announce}
            />
          )}
        </div>
        <div class="hs-att-scores" style={{ width: `${overviewWidth}px` }}>
          <Scores result={result} head={primary} />
        </div>
      </div>
      {element}
    </div>
  );
}
