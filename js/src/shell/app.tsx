// The frame around every view: title, prompt, fields, status, result, provenance.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Host, HostState } from "../host/contract";
import { visible } from "../state/tokens";
import type { Island, Lend } from "../views/island";
import { viewName } from "../views/name";
import type { Provenance, Result } from "../wire/types";
import { EffectChoice } from "./effect";
import { ErrorBox } from "./error-box";
import { ExportMenu } from "./export-menu";
import { Fields, fieldsInUse } from "./fields";
import { useHost, useInSight, useTheme, useWidth } from "./hooks";
import { InterventionsSection } from "./interventions";
import { NextTokens } from "./next-tokens";
import { KERNEL_NOTES } from "./notes";
import { PromptInput } from "./prompt";
import { ProvenanceDetails } from "./provenance";
import { ResultView } from "./result";
import { Status } from "./status";

/** What the first prompt is called where there is a second one. */
const CLEAN = "Clean";

/** What is written in the place of a prompt, by widget. */
const WRITTEN: Readonly<Record<string, string>> = {
  NearestTokens: "Direction",
  TaskVectors: "Examples",
};

/** Whether it is part of another widget: of one that has the prompt, the next tokens and the
 * interventions, or of one that leaves them to its parts. */
export type Embedded = boolean | "prompted";

interface AppProps {
  host: Host;
  islands: readonly Island[];
  embedded?: Embedded;
  lend: Lend;
}

export function App({ host, islands, embedded = false, lend }: AppProps) {
  const state = useHost(host);
  const theme = useTheme();
  const stage = useRef<HTMLDivElement>(null);
  const width = useWidth(stage);
  const inSight = useInSight(stage);
  const [editing, setEditing] = useState(false);
  const [spoken, announce] = useState("");
  useAnnouncedStatus(state, announce);

  const setOption = useCallback(
    (name: string, value: unknown) => host.setView({ [name]: value }),
    [host],
  );
  const { result, status } = state;
  const running = host.live && status.state === "running";
  // What is shown is then of an older prompt or of other fields.
  const partial = usePartial(state);
  const superseded = status.state !== "done" && !partial;
  const hasPrompt = state.prompt !== null;
  const whole = embedded !== true;
  const prompted = hasPrompt && whole;
  const second = fieldsInUse(state).find(({ type }) => type === "text");

  return (
    <article
      class={embedded ? "hs-root hs-embedded" : "hs-root"}
      data-theme={theme}
      aria-label={visible(result?.title ?? state.widget)}
    >
      <header class="hs-row hs-head">
        <Title state={state} brief={!whole} />
        {result && superseded ? <Previous result={result} /> : <span class="hs-spacer" />}
        {hasPrompt && (host.live || whole) && <Status host={host} state={state} />}
      </header>
      {prompted && (
        <PromptInput
          host={host}
          state={state}
          name={WRITTEN[state.widget]}
          label={WRITTEN[state.widget] ?? (second && CLEAN)}
          onEditing={setEditing}
        />
      )}
      {second && prompted && (
        <PromptInput host={host} state={state} field={second} label={second.title} />
      )}
      {result && prompted && !(state.widget in WRITTEN) && (
        <NextTokens
          host={host}
          tokens={result.next_tokens}
          shifts={state.shifts}
          outdated={superseded || editing}
        />
      )}
      <Fields host={host} state={state} />
      {whole && <EffectChoice host={host} state={state} />}
      {whole && (
        <InterventionsSection
          host={host}
          state={state}
          lend={lend}
          open={state.widget === "Intervene"}
        />
      )}
      {state.notes.map((note) => (
        <p class="hs-note" key={note}>
          {note}
        </p>
      ))}
      {state.error && <ErrorBox error={state.error} />}
      <div
        ref={stage}
        class={running && !partial ? "hs-stage hs-outdated" : "hs-stage"}
        aria-busy={running}
      >
        {result ? (
          <ResultView
            key={viewName(result)}
            result={result}
            resultId={state.resultId}
            job={status.job}
            selection={state.selection}
            select={host.setSelection}
            options={state.view}
            setOption={setOption}
            marks={state.marks}
            setMark={host.setMark}
            ask={host.ask}
            live={host.live && (hasPrompt || state.asks.length > 0)}
            theme={theme}
            width={width}
            announce={announce}
            asks={state.asks}
            missing={state.missing}
            islands={islands}
            inSight={inSight}
          />
        ) : (
          !state.error && <p class="hs-empty">No result yet</p>
        )}
      </div>
      {result && (
        <footer class="hs-foot">
          <ProvenanceDetails provenance={result.provenance} />
          <ExportMenu host={host} result={result} islands={islands} announce={announce} />
        </footer>
      )}
      <div class="hs-hidden" role="status" aria-live="polite">
        {spoken}
      </div>
    </article>
  );
}

/** `brief`: of which model it is is said elsewhere. */
function Title({ state, brief }: { state: HostState; brief: boolean }) {
  const provenance = state.result?.provenance;
  return (
    <h2 class="hs-title">
      {visible(state.result?.title ?? state.widget)}
      {provenance && !brief && (
        <span class="hs-muted">
          {" "}
          {[
            visible(provenance.model),
            // A file of another tool does not say these.
            ...(provenance.dtype ? [provenance.dtype, weights(provenance)] : []),
          ].join(" · ")}
        </span>
      )}
    </h2>
  );
}

const weights = ({ processed_weights }: Provenance): string =>
  processed_weights ? "processed weights" : "weights as trained";

/** Says of which prompt the picture is that is still shown. */
function Previous({ result }: { result: Result }) {
  const ran = result.provenance.prompts[0];
  // There is no text where token ids were given.
  const prompt = visible(ran?.text || ran?.tokens.join("") || "");
  return (
    <span class="hs-previous hs-late" title={prompt}>
      Still shows <span class="hs-mono">{prompt}</span>
    </span>
  );
}

/** Whether what is shown is of the current job, as far as it has come: then it is not outdated. */
function usePartial({ result, resultId, status }: HostState): boolean {
  const streams = result?.kind === "grid" && result.states !== null;
  const before = useRef({ job: status.job, resultId });
  if (before.current.job !== status.job) before.current = { job: status.job, resultId };
  return streams && resultId !== before.current.resultId;
}

function useAnnouncedStatus(state: HostState, announce: (text: string) => void): void {
  const { job, state: now } = state.status;
  const note = KERNEL_NOTES[state.kernel];
  const first = useRef(true);
  useEffect(() => {
    // What was there before the view opened is no news.
    if (!first.current && now === "done") announce("The result is up to date");
    if (!first.current && now === "cancelled") announce("Cancelled");
    first.current = false;
  }, [job, now]);
  const was = useRef(state.kernel);
  useEffect(() => {
    if (state.kernel !== was.current) announce(note || "The kernel answers again");
    was.current = state.kernel;
  }, [note]);
}
