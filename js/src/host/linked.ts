// Widgets of a group share what is selected: layers, components and features, and positions where the prompts are the same.
import type { Selection } from "../wire/types";
import type { Ran } from "./contract";

interface Member {
  ran(): Ran | null;
  take(patch: Partial<Selection>): void;
}

const groups = new Map<string, Set<Member>>();

/** Joins `group`, an empty one of which has no members. Returns what tells the others of a selection. */
export function join(group: string, member: Member): (patch: Partial<Selection>) => void {
  const members = groups.get(group) ?? new Set();
  if (group) groups.set(group, members.add(member));
  return (patch) => {
    for (const other of members) if (other !== member) pass(patch, member, other);
  };
}

function pass(patch: Partial<Selection>, from: Member, to: Member): void {
  const { dest, src, token, ...shared } = patch;
  to.take(samePrompt(from.ran(), to.ran()) ? patch : shared);
}

function samePrompt(one: Ran | null, other: Ran | null): boolean {
  const ids = one?.provenance.prompts[0]?.token_ids;
  return ids !== undefined && ids.join() === other?.provenance.prompts[0]?.token_ids.join();
}
