// What can be done with what is selected: whatever view it was selected in.
import type { HostState } from "../host/contract";
import type { InterventionData, Selection } from "../wire/types";

export interface Offer {
  title: string;
  /** Null where an ingredient lacks. */
  item: InterventionData | null;
  /** What it does; of one that lacks an ingredient, which. */
  help: string;
}

/** Offers on one subject, such as "L2H1". */
export interface Offers {
  subject: string;
  offers: Offer[];
}

const HEAD = /^L\d+H\d+/;
const UNIT = /^L\d+[NF]\d+$/;
/** What a new slider begins with: a change that is seen, and in reach of none. */
const HALF = 0.5;

export function offersOf(state: HostState, positions: number[] | null): Offers[] {
  const { selection } = state;
  const { component, feature, layer } = selection;
  const groups: Offers[] = [];
  const add = (subject: string, offers: Offer[]): void => {
    groups.push({ subject, offers });
  };
  if (component !== null && component !== "logits") {
    add(component, ofComponent(component, state, positions));
  }
  if (feature !== null) add(feature, [clamp(feature, positions)]);
  const head = HEAD.exec(component ?? "")?.[0];
  if (head) add(`attention of ${head}`, ofHead(head, state));
  if (layer !== null) add(`layer ${layer}`, ofLayer(layer));
  return groups;
}

function ofComponent(component: string, state: HostState, positions: number[] | null): Offer[] {
  const other = otherPrompt(state);
  return [
    {
      title: "zero",
      item: { kind: "zero", on: true, component, positions },
      help: "Zero ablation",
    },
    {
      title: "mean over the prompt",
      item: { kind: "mean", on: true, component, prompts: [ownPrompt(state)], positions },
      help: "Its mean over the tokens of this prompt, the first left out",
    },
    {
      title: "resample from the other prompt",
      item:
        other === null ? null : { kind: "patch", on: true, component, prompt: other, positions },
      help: other === null ? NO_OTHER : "Its values on the other prompt, where tokens meet",
    },
    {
      title: "scale",
      item: { kind: "scale", on: true, component, factor: HALF, positions },
      help: "Times a factor, from a slider in the list",
    },
    ...(UNIT.test(component) ? [clamp(component, positions)] : []),
  ];
}

const clamp = (unit: string, positions: number[] | null): Offer => ({
  title: "clamp",
  item: { kind: "clamp", on: true, unit, value: 0, positions },
  help: "A value, from a slider in the list",
});

function ofHead(head: string, state: HostState): Offer[] {
  const { dest, src } = state.selection;
  const other = otherPrompt(state);
  const freeze = (prompt: Text): InterventionData => ({
    kind: "freeze_pattern",
    on: true,
    head,
    prompt,
  });
  const edge = dest !== null || src !== null;
  return [
    {
      title: edge ? `cut the edge ${edgeWords(state.selection)}` : "cut an edge",
      item: edge ? { kind: "knock_out", on: true, head, dest, src } : null,
      help: edge
        ? "The head's attention goes to the other tokens"
        : "Select a token that looks, or one that is looked at, in the attention view",
    },
    {
      title: "freeze pattern",
      item: freeze(ownPrompt(state)),
      help: "It attends as in the plain model, whatever else is changed",
    },
    {
      title: "pattern of the other prompt",
      item: other === null ? null : freeze(other),
      help: other === null ? NO_OTHER : "It attends as on the other prompt, which must be as long",
    },
  ];
}

const edgeWords = ({ dest, src }: Selection): string => `${dest ?? "any"} ← ${src ?? "any"}`;

function ofLayer(layer: number): Offer[] {
  const skip = (part: "block" | "attn" | "mlp", title: string): Offer => ({
    title: `skip ${title}`,
    item: { kind: "skip", on: true, layers: [layer], part },
    help: `Layer ${layer} without ${title === "block" ? "all that it does" : `its ${title}`}`,
  });
  return [
    skip("block", "block"),
    skip("attn", "attention"),
    skip("mlp", "MLP"),
    {
      title: "repeat",
      item: { kind: "repeat", on: true, layer, times: 2 },
      help: "The block runs twice",
    },
    {
      title: "swap with next",
      item: { kind: "swap", on: true, first: layer, second: layer + 1 },
      help: `Layers ${layer} and ${layer + 1} in each other's place`,
    },
  ];
}

const NO_OTHER = "There is no other prompt: this widget has no corrupted one, or it is empty";

/** A prompt as the kernel runs it: ids that were given as such need not be what their text is cut into. */
type Text = string | number[];

const ownPrompt = ({ prompt, arguments: given }: HostState): Text =>
  idsOr(given.prompt, prompt ?? "");

/** The second prompt of a pair. */
export function otherPrompt({ values, arguments: given }: HostState): Text | null {
  const { corrupted } = values;
  const text = typeof corrupted === "string" ? corrupted : "";
  return text === "" ? null : idsOr(given.corrupted, text);
}

const idsOr = (given: unknown, text: string): Text =>
  Array.isArray(given) ? (given as number[]) : text;
