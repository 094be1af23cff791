// Buttons that act on what is selected.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { HostState } from "../host/contract";
import { tokenGlyphs, visible } from "../state/tokens";
import { Button, Toggle } from "../views/parts/controls";
import type { InterventionData } from "../wire/types";
import { type Offers, offersOf } from "./offers";
import { MeanOver, Steering } from "./steering";

interface ActionsProps {
  state: HostState;
  onAdd(item: InterventionData): void;
}

export function Actions({ state, onAdd }: ActionsProps): JSX.Element {
  const [here, setHere] = useState(false);
  const { selection } = state;
  const at = selection.token ?? selection.dest;
  const only = here && at !== null ? [at] : null;
  const groups = offersOf(state, only);
  const token = at === null ? undefined : state.ran?.provenance.prompts[0]?.tokens[at];
  return (
    <div class="hs-iv-actions">
      {groups.length === 0 && (
        <p class="hs-note">
          Select a head, a layer, a component or a feature in any view to act on it.
        </p>
      )}
      {groups.map((group) => (
        <Group key={group.subject} group={group} onAdd={onAdd} />
      ))}
      {groups.length > 0 && at !== null && (
        <Toggle
          label={`Only at token ${at}${token === undefined ? "" : ` ${tokenGlyphs(token)}`}`}
          title="Components, neurons and features: new interventions act there alone"
          checked={here}
          onChange={setHere}
        />
      )}
      {selection.component && selection.component !== "logits" && (
        <MeanOver component={selection.component} positions={only} onAdd={onAdd} />
      )}
      <Steering layer={selection.layer} positions={only} onAdd={onAdd} />
    </div>
  );
}

function Group({ group, onAdd }: { group: Offers; onAdd(item: InterventionData): void }) {
  const subject = visible(group.subject);
  return (
    <fieldset class="hs-row" aria-label={`Act on ${subject}`}>
      <span class="hs-label">
        Act on <strong>{subject}</strong>
      </span>
      {group.offers.map(({ title, item, help }) => (
        <Button
          key={title}
          label={title}
          title={help}
          disabled={item === null}
          onClick={() => item && onAdd(item)}
        />
      ))}
    </fieldset>
  );
}
