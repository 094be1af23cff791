// The Python that makes a widget as it is shown. The kernel's twin is `headscope/widgets/code.py`.
import type { HostState } from "../host/contract";
import { glyph, visible } from "../state/tokens";
import type { Result } from "../wire/types";

const ESCAPES: Record<string, string> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  " ": " ",
};
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]*)?$/;
const PAIR = ["corrupted", "answer", "wrong"];

/** A call, and what is assigned after it. */
export function codeOf(state: HostState, result: Result): string {
  const assigned = Object.entries({ view: state.view, ...state.marks }).filter(
    ([, value]) => Object.keys(value as object).length,
  );
  const lines = [
    "import headscope as hs",
    "",
    ...comments(state, result),
    `widget = hs.${state.widget}(`,
    ...argumentsOf(state, result).map((argument) => `    ${argument},`),
    ")",
    ...(state.effect === "with" ? [] : [`widget.effect = ${literal(state.effect)}`]),
    ...assigned.map(([name, value]) => `widget.${name} = ${literal(value)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** A Python literal. */
export function literal(value: unknown): string {
  if (typeof value === "string") return `"${[...value].map(escaped).join("")}"`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "object") {
    const items = Object.entries(value).map(([key, of]) => `${literal(key)}: ${literal(of)}`);
    return `{${items.join(", ")}}`;
  }
  return String(value);
}

function comments({ prompt, arguments: besides }: HostState, result: Result): string[] {
  if (prompt === null) {
    const noun = still(result);
    const readers = noun === "graph" ? "hs.load_result or hs.load_graph" : "hs.load_result";
    return [`# ${noun}: ${visible(result.title)}, as ${readers} reads it`];
  }
  const { model, architecture, dtype, processed_weights, revision } = result.provenance;
  const parts = [
    visible(model),
    visible(architecture),
    visible(dtype),
    processed_weights ? "processed weights" : "weights as trained",
    ...(revision ? [`revision ${visible(revision)}`] : []),
  ];
  const { transcoders } = besides;
  return [
    `# model: ${parts.join(", ")}`,
    ...(transcoders === undefined ? [] : [`# transcoders: ${visible(String(transcoders))}`]),
  ];
}

/** What a widget with no model is made of. */
const still = ({ kind }: Result): string => (kind === "circuit_graph" ? "graph" : "result");

function argumentsOf(state: HostState, result: Result): string[] {
  if (state.prompt === null) return [still(result)];
  const { pairs, prompt = state.prompt, transcoders, ...besides } = state.arguments;
  const given = Array.isArray(pairs)
    ? `[${pairs.map((pair) => `hs.Pair(${literal(pair).slice(1, -1)})`).join(", ")}]`
    : literal(prompt);
  const found = ["model", given, ...(transcoders === undefined ? [] : ["transcoders=transcoders"])];
  for (const { name, type } of state.fields) {
    const value = name in besides ? besides[name] : state.values[name];
    delete besides[name];
    if (value === null || value === "" || (pairs && PAIR.includes(name))) continue;
    const plain = type === "line" && typeof value === "string" && NUMBER.test(value);
    found.push(`${name}=${plain ? value : literal(value)}`);
  }
  for (const [name, value] of Object.entries(besides)) found.push(`${name}=${literal(value)}`);
  if (state.interventions?.length) found.push(`interventions=${literal(state.interventions)}`);
  const selected = Object.entries(state.selection).filter(([, at]) => at !== null);
  if (selected.length) found.push(`selection=${literal(Object.fromEntries(selected))}`);
  return found;
}

function escaped(character: string): string {
  const known = ESCAPES[character];
  if (known) return known;
  if (glyph(character) === character) return character;
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return code > 0xffff ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`;
}
