// Groups: made from what is selected, opened, renamed, dissolved.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { tokenGlyphs } from "../../state/tokens";
import type { Group } from "../../wire/types";
import { Button } from "../parts/controls";
import { isTaken, withGroup } from "./groups";
import type { Marking } from "./marks";

interface GroupBarProps {
  marks: Marking;
  /** The groups of the graph that is shown. */
  groups: readonly Group[];
  /** Names of the selected nodes. */
  selected: readonly string[];
  /** Labels of the groups that are shown open. */
  open: readonly string[];
  onOpen(open: readonly string[]): void;
  onDone(): void;
}

export function GroupBar({
  marks,
  groups,
  selected,
  open,
  onOpen,
  onDone,
}: GroupBarProps): JSX.Element | null {
  const [label, setLabel] = useState("");
  if (!groups.length && selected.length === 0) return null;
  const taken = isTaken(marks.groups, label.trim());
  const make = (): void => {
    marks.change({
      groups: withGroup(marks.groups, { label: label.trim(), nodes: [...selected] }),
    });
    setLabel("");
    onDone();
  };
  const rename = (was: string, next: string): void => {
    if (!next || isTaken(marks.groups, next)) return;
    marks.change({
      groups: marks.groups.map((g) => (g.label === was ? { ...g, label: next } : g)),
    });
    onOpen(open.map((one) => (one === was ? next : one)));
  };
  return (
    <div class="hs-toolbar hs-graph-groups">
      {selected.length > 0 && (
        <span class="hs-control">
          <span class="hs-label">{selected.length} selected</span>
          <input
            class="hs-input"
            aria-label="Label of the new group"
            placeholder="group label"
            value={label}
            onInput={(event) => setLabel(event.currentTarget.value)}
            onKeyDown={(event) => event.key === "Enter" && label.trim() && !taken && make()}
          />
          <Button
            label="Group"
            title={taken ? "There is a group of this label" : "Take them as one node"}
            disabled={!label.trim() || taken || selected.length < 2}
            onClick={make}
          />
        </span>
      )}
      {groups.map(({ label: name, nodes }) => (
        <span class="hs-control" key={name}>
          <input
            class="hs-input"
            aria-label="Label of the group"
            title={`${nodes.length} nodes: ${nodes.join(", ")}`}
            value={name}
            size={Math.min(24, Math.max(6, name.length))}
            onChange={(event) => {
              rename(name, event.currentTarget.value.trim());
              event.currentTarget.value = name;
            }}
          />
          <Button
            label={`Open ${tokenGlyphs(name)}`}
            title="Show its nodes one by one"
            pressed={open.includes(name)}
            onClick={() =>
              onOpen(open.includes(name) ? open.filter((one) => one !== name) : [...open, name])
            }
          >
            Open
          </Button>
          <Button
            label={`Dissolve ${tokenGlyphs(name)}`}
            onClick={() =>
              marks.change({ groups: marks.groups.filter((group) => group.label !== name) })
            }
          >
            Dissolve
          </Button>
        </span>
      ))}
    </div>
  );
}
