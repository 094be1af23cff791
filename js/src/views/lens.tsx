// Under a pinned cell of a lens: its best tokens, and tokens tracked over the read-outs.
import type { JSX } from "preact";
import type { Cell } from "../draw/hit";
import { formatNumber } from "../draw/text";
import { tokenGlyphs } from "../state/tokens";
import type { Grid } from "../wire/types";
import type { ViewProps } from "./contract";
import { AxisLabel } from "./heatmap/card";
import type { Slice, TopToken } from "./heatmap/slice";
import { useAnswer } from "./lens/ask";
import { readTrack, type Track } from "./lens/track";
import { TrackPanel } from "./lens/track-panel";

/** Best tokens asked of a live kernel; a frozen page has those that were shipped. */
const K = 20;
const LONG = 40;
/** On a page this wide the list stands beside the charts; `.hs-panel-beside` has its width. */
const WIDE = 760;
const LIST_WIDTH = 280 + 24;

export interface LensProps extends ViewProps<Grid> {
  slice: Slice;
  /** The pinned cell, its row as drawn. */
  cell: Cell | null;
}

interface Best extends TopToken {
  logit: number | null;
}

interface CellAnswer {
  tokens: { token_id: number; text: string; probability: number; logit: number }[];
}

/** The shipped tokens at once, then the kernel's longer list, or why there is none. */
function useBest(props: LensProps): { best: Best[]; problem: string | null } {
  const { slice, cell, resultId } = props;
  const row = cell ? slice.dataRow(cell.row) : -1;
  const column = cell?.column ?? -1;
  const params = { row, position: column, k: K };
  const key = `${resultId} ${row} ${column}`;
  const { answer, problem } = useAnswer<CellAnswer>(props, cell && { what: "cell", params, key });
  if (answer) {
    const best = answer.tokens.map(({ token_id, text, probability, logit }) => ({
      id: token_id,
      text,
      value: probability,
      logit,
    }));
    return { best, problem };
  }
  const shipped = cell ? slice.top(cell.row, cell.column) : [];
  return { best: shipped.map((token) => ({ ...token, logit: null })), problem };
}

export function Lens(props: LensProps): JSX.Element | null {
  const { slice, cell, live, options, setOption } = props;
  const { best, problem } = useBest(props);
  const track = readTrack(options);
  if (!cell && !track) return null;
  const setTrack = (next: Track | null): void => setOption("heatmap_track", next);
  const trackToken = (token: number): void => {
    setTrack({ token, positions: track?.positions ?? [] });
  };
  const beside = cell !== null && props.width >= WIDE;
  return (
    <div class={beside ? "hs-panel hs-panel-beside" : "hs-panel"}>
      {cell && (
        <section class="hs-panel-part">
          <h3>
            <span>Top tokens</span>
            <AxisLabel axis={slice.rowAxis} index={slice.dataRow(cell.row)} />
            <AxisLabel axis={slice.columnAxis} index={cell.column} />
          </h3>
          <TopList best={best} tracked={track?.token} live={live} onTrack={trackToken} />
          {problem && <p role="alert">{problem}</p>}
          {!live && <p class="hs-muted">More tokens, and their logits, need a live kernel.</p>}
        </section>
      )}
      <TrackPanel
        {...props}
        width={beside ? props.width - LIST_WIDTH : props.width}
        track={track}
        setTrack={setTrack}
      />
    </div>
  );
}

interface TopListProps {
  best: Best[];
  tracked: number | string | undefined;
  live: boolean;
  onTrack(token: number): void;
}

function TopList({ best, tracked, live, onTrack }: TopListProps): JSX.Element {
  const most = Math.max(...best.map(({ value }) => value), 0);
  return (
    <ol class="hs-top">
      {best.map(({ id, text, value, logit }, i) => (
        <li key={id}>
          <span class="hs-top-rank">{i + 1}</span>
          <button
            type="button"
            class="hs-token-button"
            aria-pressed={tracked === id}
            disabled={!live}
            title={live ? "Track this token over the read-outs" : "Tracking needs a live kernel"}
            onClick={() => onTrack(id)}
          >
            <span class="hs-token">{tokenGlyphs(text, LONG)}</span>
          </button>
          <i class="hs-meter" style={{ "--share": most ? value / most : 0 }} />
          <span class="hs-top-number" title="Probability">
            {formatNumber(value, 4)}
          </span>
          <span class="hs-top-number hs-muted" title="Logit">
            {logit === null ? "" : `logit ${logit.toFixed(2)}`}
          </span>
        </li>
      ))}
    </ol>
  );
}
