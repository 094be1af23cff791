// What an intervention is, in the words of Python's `str(item)`.
import type { DirectionData, InterventionData } from "../wire/types";
import { general, repr } from "./python";

const PARTS = { block: "block", attn: "attention of", mlp: "MLP of" } as const;
/** Tokens that are written without quotes, as in Python. */
const BARE = /^ [^\s"'#+\-−*×](?:[^"+\-−*×]*[^\s"+\-−*×])?$/u;

export function wordsOf(item: InterventionData): string {
  switch (item.kind) {
    case "zero":
      return `${item.component} := 0${at(item.positions)}`;
    case "mean":
      return `${item.component} := its mean over ${count(item.prompts.length, "prompt")}${at(item.positions)}`;
    case "patch":
      return `${item.component} := from ${promptWords(item.prompt)}${at(item.positions)}`;
    case "scale":
      return `${item.component} × ${general(item.factor)}${at(item.positions)}`;
    case "knock_out":
      return `${item.head} cut from ${item.dest ?? "any"} to ${item.src ?? "any"}`;
    case "freeze_pattern":
      return `${item.head} attends as on ${promptWords(item.prompt)}`;
    case "clamp":
      return `${item.unit} := ${general(item.value)}${at(item.positions)}`;
    case "steer":
      return `L${item.layer} + ${general(item.strength)} × (${directionWords(item.direction)})${at(item.positions)}`;
    case "skip":
      return `skip ${PARTS[item.part]} ${item.layers.map((layer) => `L${layer}`).join(", ")}`;
    case "swap":
      return `swap L${item.first} and L${item.second}`;
    case "repeat":
      return `L${item.layer} ${item.times} times`;
  }
}

function directionWords(direction: DirectionData): string {
  switch (direction.kind) {
    case "means": {
      const { toward, away } = direction;
      if (toward.length === 1 && away.length === 0) return `"${toward[0]}"`;
      return `mean of ${toward.length}${away.length > 0 ? ` − mean of ${away.length}` : ""}`;
    }
    case "tokens":
      return `embedding of ${repr(direction.toward)} − ${repr(direction.away)}`;
    case "vector":
      return direction.name;
    case "token": {
      const { token, contexts } = direction;
      const bare = typeof token === "string" && BARE.test(token);
      const text = typeof token === "number" ? `#${token}` : bare ? token.slice(1) : `"${token}"`;
      return contexts.length > 0 ? `${text} in ${contexts.length} texts` : text;
    }
    case "sum": {
      const terms = direction.terms.map(([weight, term]) => {
        const words = directionWords(term);
        const factor = Math.abs(weight) === 1 ? "" : `${general(Math.abs(weight))} × `;
        return `${weight < 0 ? " − " : " + "}${factor}${words.includes(" − ") ? `(${words})` : words}`;
      });
      return terms.join("").replace(/^ \+ /, "").trimStart();
    }
  }
}

const at = (positions: readonly number[] | null): string =>
  positions === null ? "" : ` at ${positions.join(", ")}`;

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

const promptWords = (prompt: string | readonly number[]): string =>
  typeof prompt === "string" ? repr(prompt) : `${prompt.length} tokens`;
