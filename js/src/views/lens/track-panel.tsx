// "Track a token": its probability and rank across the read-outs, for chosen positions.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { chartScene } from "../../draw/chart";
import { tokenGlyphs } from "../../state/tokens";
import type { LensProps } from "../lens";
import { SceneCanvas } from "../parts/canvas";
import { Button, Toggle } from "../parts/controls";
import { useAsk } from "./ask";
import {
  fromAnswer,
  MAX_POSITIONS,
  positionsOf,
  readTracked,
  subjectOf,
  type Track,
  type Tracked,
  trackCharts,
} from "./track";

interface TrackPanelProps extends LensProps {
  track: Track | null;
  setTrack(track: Track | null): void;
}

const CHART_HEIGHT = 190;
const MAX_CHART_WIDTH = 420;
const GAP = 16;
/** From this width the two charts stand side by side. */
const WIDE = 440;

export function TrackPanel(props: TrackPanelProps): JSX.Element {
  const { slice, cell, live, track, setTrack, theme, options, setOption } = props;
  const { tracked, problem } = useTracked(props);
  const log = options.heatmap_track_log === true;
  const axis = slice.columnAxis;
  const share = props.width >= WIDE ? (props.width - GAP) / 2 : props.width;
  const chartWidth = Math.floor(Math.min(MAX_CHART_WIDTH, share));
  const scenes = useMemo(() => {
    const charts = tracked ? trackCharts(tracked, axis, log, theme) : [];
    return charts.map((chart) => ({
      chart,
      scene: chartScene(chart, theme, chartWidth, CHART_HEIGHT),
    }));
  }, [tracked, axis, log, theme, chartWidth]);
  const pinned = cell?.column ?? null;
  const canKeep =
    track !== null &&
    pinned !== null &&
    !track.positions.includes(pinned) &&
    track.positions.length < MAX_POSITIONS;
  return (
    <section class="hs-panel-part">
      <h3>
        <span>Track a token</span>
        {tracked && <span class="hs-token">{tokenGlyphs(tracked.text)}</span>}
        {tracked && <span class="hs-muted">id {tracked.token_id}</span>}
      </h3>
      <div class="hs-track-form">
        <TokenForm
          live={live}
          onToken={(token) => setTrack({ token, positions: track?.positions ?? [] })}
        />
        {live && canKeep && (
          <Button
            label={`Keep ${axis.name} ${pinned}`}
            title="Its line stays when another cell is pinned"
            onClick={() => setTrack({ ...track, positions: [...track.positions, pinned] })}
          />
        )}
        {tracked && (
          <Toggle
            label="log axis"
            title="Probability on a logarithmic axis"
            checked={log}
            onChange={(on) => setOption("heatmap_track_log", on)}
          />
        )}
        {live && track && <Button label="Clear" onClick={() => setTrack(null)} />}
      </div>
      {problem && <p role="alert">{problem}</p>}
      {live && !tracked && !problem && (
        <p class="hs-muted">Type a token, or choose one of the top tokens.</p>
      )}
      {tracked && (
        <ul class="hs-keys">
          {scenes[0]?.chart.series.map(({ label, colour }, i) => {
            const position = tracked.positions[i];
            const kept = track?.positions.includes(position ?? -1);
            return (
              <li key={position}>
                <i class="hs-key-line" style={{ background: colour }} />
                <span class="hs-mono">{label}</span>
                {live && track && kept && (
                  <Button
                    label={`Stop keeping ${axis.name} ${position}`}
                    onClick={() =>
                      setTrack({
                        ...track,
                        positions: track.positions.filter((p) => p !== position),
                      })
                    }
                  >
                    ×
                  </Button>
                )}
              </li>
            );
          })}
        </ul>
      )}
      <div class="hs-charts">
        {scenes.map(({ chart, scene }) => (
          <SceneCanvas key={chart.title} scene={scene} label={inWords(chart.title, tracked)} />
        ))}
      </div>
    </section>
  );
}

function inWords(title: string, tracked: Tracked | null): string {
  if (!tracked) return title;
  const values = title.startsWith("Rank") ? tracked.rank : tracked.probability;
  const ends = tracked.positions.map((position, i) => {
    const line = values[i] ?? [];
    return `position ${position}: from ${line[0]?.toPrecision(3)} to ${line.at(-1)?.toPrecision(3)}`;
  });
  return `${title} of “${tracked.text}” over ${tracked.rows.length} read-outs. ${ends.join("; ")}`;
}

function TokenForm({ live, onToken }: { live: boolean; onToken(token: string): void }) {
  const [text, setText] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    if (text) onToken(text);
  };
  // JupyterLab takes the Enter that would submit a form for a command of its own.
  return (
    <form onSubmit={submit} onKeyDown={(event) => event.key === "Enter" && submit(event)}>
      <input
        class="hs-input"
        type="text"
        size={14}
        aria-label="Token to track"
        placeholder={live ? "token, e.g. “ Paris”" : "needs a live kernel"}
        title="Exactly one token; most words begin with a space"
        disabled={!live}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" class="hs-button" disabled={!live || !text}>
        Track
      </button>
    </form>
  );
}

/** Asks again whenever the token, the positions or the result change; the answer is also kept among
 * the options, for pages without a kernel. */
function useTracked(props: TrackPanelProps): { tracked: Tracked | null; problem: string | null } {
  const { slice, cell, resultId, live, track, options, setOption } = props;
  const { provenance } = slice.grid;
  const subject = useMemo(() => subjectOf(provenance), [provenance]);
  const positions = track ? positionsOf(track, cell?.column ?? null, slice.columns) : [];
  const key = `${resultId} ${track?.token} ${positions}`;
  const question = track &&
    positions.length > 0 && { what: "track", params: { token: track.token, positions }, key };
  const problem = useAsk(props, question || null, (answer) =>
    setOption("heatmap_tracked", fromAnswer(answer, subject)),
  );
  const tracked = useMemo(() => readTracked(options, subject), [options, subject]);
  return { tracked: live && !track ? null : tracked, problem };
}
