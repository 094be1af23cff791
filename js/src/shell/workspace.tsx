// What stands above several views of one prompt: the prompt, what comes next, steps back and forth.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Host, HostState, StepName } from "../host/contract";
import { visible } from "../state/tokens";
import type { Lend } from "../views/island";
import { EffectChoice } from "./effect";
import { ErrorBox } from "./error-box";
import { Fields } from "./fields";
import { InterventionsSection } from "./interventions";
import { NextTokens } from "./next-tokens";
import { liveTitle } from "./notes";
import { PromptInput } from "./prompt";
import { Status } from "./status";

interface HeadProps {
  host: Host;
  state: HostState;
  lend: Lend;
}

export function WorkspaceHead({ host, state, lend }: HeadProps): JSX.Element {
  const [editing, setEditing] = useState(false);
  const { ran, steps } = state;
  const second = state.fields.find(({ type }) => type === "text");
  const outdated = editing || state.status.state !== "done";
  return (
    <div class="hs-workspace">
      <header class="hs-row hs-head">
        <h2 class="hs-title">
          {state.widget}
          {ran && (
            <span class="hs-muted">
              {" "}
              {visible(ran.provenance.model)} · {visible(ran.provenance.dtype)}
            </span>
          )}
        </h2>
        {steps && (
          <span class="hs-row hs-steps">
            <Step host={host} name="undo" count={steps.undo} keys="Ctrl+Z" />
            <Step host={host} name="redo" count={steps.redo} keys="Ctrl+Shift+Z" />
          </span>
        )}
        <Status host={host} state={state} />
      </header>
      <PromptInput host={host} state={state} label={second && "Clean"} onEditing={setEditing} />
      {second && <PromptInput host={host} state={state} field={second} label={second.title} />}
      <Fields host={host} state={state} />
      {ran && (
        <NextTokens
          host={host}
          tokens={ran.next_tokens}
          shifts={state.shifts}
          outdated={outdated}
        />
      )}
      <EffectChoice host={host} state={state} />
      <InterventionsSection host={host} state={state} lend={lend} />
      {state.notes.map((note) => (
        <p class="hs-note" key={note}>
          {note}
        </p>
      ))}
      {state.error && <ErrorBox error={state.error} />}
    </div>
  );
}

const SIGNS = { undo: "↶", redo: "↷" };
const WORDS = { undo: "Undo", redo: "Redo" };

interface StepProps {
  host: Host;
  name: StepName;
  count: number;
  keys: string;
}

function Step({ host, name, count, keys }: StepProps): JSX.Element {
  // A kernel that is gone has its steps still: none can be taken, and none are kept here.
  const gone = !host.live && host.state.kernel !== "none";
  const what = host.live
    ? "a selection or an intervention"
    : "a selection; interventions need a live kernel";
  return (
    <button
      type="button"
      class="hs-button"
      aria-label={WORDS[name]}
      title={liveTitle(!gone, `${WORDS[name]} ${what} (${keys})`)}
      disabled={gone || count === 0}
      onClick={() => host.step(name)}
    >
      {SIGNS[name]}
    </button>
  );
}

const TYPED =
  "input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable]";

/** Steps by key, unless somebody types, or a view has an undo of its own. */
export function stepByKey(host: Host, event: KeyboardEvent): void {
  if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  const [target] = event.composedPath();
  if (event.defaultPrevented || (target instanceof Element && target.matches(TYPED))) return;
  event.preventDefault();
  event.stopPropagation();
  host.step(event.shiftKey ? "redo" : "undo");
}
