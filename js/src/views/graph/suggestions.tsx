// Groups that the kernel suggests, each taken, renamed or left.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { tokenGlyphs } from "../../state/tokens";
import type { Group } from "../../wire/types";
import { Button } from "../parts/controls";
import { type Asking, DemandButton, Problem, useDemand } from "./ask";
import { isTaken, withGroup } from "./groups";
import type { Marking } from "./marks";

interface SuggestionsProps {
  asking: Asking;
  marks: Marking;
}

export function Suggestions({ asking, marks }: SuggestionsProps): JSX.Element {
  const demand = useDemand<{ groups: Group[] }>(asking, "suggest", {});
  const [left, setLeft] = useState<readonly Group[]>([]);
  useEffect(() => setLeft(demand.answer?.groups ?? []), [demand.answer]);
  const drop = (group: Group): void => setLeft((all) => all.filter((other) => other !== group));
  return (
    <>
      <DemandButton
        label="Suggest groups"
        help="Nodes that are alike, to be taken as one"
        demand={demand}
      />
      {demand.answer?.groups.length === 0 && <span class="hs-muted">None found.</span>}
      <Problem text={demand.problem} />
      {left.length > 0 && (
        <ul class="hs-graph-suggested" aria-label="Suggested groups">
          {left.map((group) => (
            <Suggestion
              key={group.nodes.join()}
              group={group}
              groups={marks.groups}
              onAccept={(label) => {
                marks.change({ groups: withGroup(marks.groups, { ...group, label }) });
                drop(group);
              }}
              onReject={() => drop(group)}
            />
          ))}
        </ul>
      )}
    </>
  );
}

interface SuggestionProps {
  group: Group;
  groups: readonly Group[];
  onAccept(label: string): void;
  onReject(): void;
}

function Suggestion({ group, groups, onAccept, onReject }: SuggestionProps): JSX.Element {
  const [label, setLabel] = useState(group.label);
  const wished = label.trim();
  const taken = isTaken(groups, wished);
  return (
    <li class="hs-control">
      <input
        class="hs-input"
        aria-label="Label of the suggested group"
        value={label}
        onInput={(event) => setLabel(event.currentTarget.value)}
      />
      <span class="hs-muted" title={group.nodes.join(", ")}>
        {group.nodes.slice(0, SHOWN).join(", ")}
        {group.nodes.length > SHOWN && ` and ${group.nodes.length - SHOWN} more`}
      </span>
      <Button
        label={`Accept ${tokenGlyphs(label)}`}
        title={taken ? "There is a group of this label" : "Take them as one node"}
        disabled={!wished || taken}
        onClick={() => onAccept(wished)}
      >
        Accept
      </Button>
      <Button label={`Reject ${tokenGlyphs(label)}`} onClick={onReject}>
        Reject
      </Button>
    </li>
  );
}

const SHOWN = 6;
