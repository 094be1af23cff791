// Widgets of a group share what is selected: layers, components and features, and positions where the prompts are the same.
import type { Selection } from "../wire/types";
import type { Ran } from "./contract";

interface Member {
  ran(): Ran | null;
  take(patch: Partial<Selection>): void;
}

interface Group {
  members: Set<Member>;
  /** All that was selected so far, and of what: who is drawn later takes it too. */
  told: { patch: Partial<Selection>; of: Ran | null }[];
}

const groups = new Map<string, Group>();

/** Joins `group`, an empty one of which has no members. Returns what tells the others of a selection. */
export function join(group: string, member: Member): (patch: Partial<Selection>) => void {
  const { members, told } = groups.get(group) ?? { members: new Set(), told: [] };
  if (group) groups.set(group, { members: members.add(member), told });
  for (const { patch, of } of told) pass(patch, of, member);
  return (patch) => {
    const of = member.ran();
    told.push({ patch, of });
    for (const other of members) if (other !== member) pass(patch, of, other);
  };
}

function pass(patch: Partial<Selection>, of: Ran | null, to: Member): void {
  const { dest, src, token, ...shared } = patch;
  to.take(samePrompt(of, to.ran()) ? patch : shared);
}

function samePrompt(one: Ran | null, other: Ran | null): boolean {
  const ids = one?.provenance.prompts[0]?.token_ids;
  return ids !== undefined && ids.join() === other?.provenance.prompts[0]?.token_ids.join();
}
