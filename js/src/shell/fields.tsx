// The request's fields, from their specification: a new analysis needs no code here.
import { useState } from "preact/hooks";
import type { Host, HostState } from "../host/contract";
import { tokenGlyphs } from "../state/tokens";
import { Segmented, Select, Toggle } from "../views/parts/controls";
import type { FieldSpec } from "../wire/types";
import { NEEDS_KERNEL } from "./notes";
import { Token } from "./token";

/** The widest that a line's box gets, in characters. */
const LONGEST = 36;

/** What side by side has room for, in characters; more is a menu. */
const SIDE_BY_SIDE = 50;

/** The fields that have an effect, given the others; of an error any field may be the cause. */
export function fieldsInUse({ fields, values, error }: HostState): FieldSpec[] {
  const holds = (condition: Record<string, string[]>): boolean =>
    Object.entries(condition).every(([name, these]) => these.includes(String(values[name])));
  return fields.filter(({ when }) => error || !when.length || when.some(holds));
}

export function Fields({ host, state }: { host: Host; state: HostState }) {
  // Text is a prompt, and stands with the other one.
  const fields = fieldsInUse(state).filter(({ type }) => type !== "text");
  if (!fields.length) return null;
  return (
    <div class="hs-toolbar">
      {fields.map((spec) => (
        <Field
          key={spec.name}
          spec={spec}
          value={state.values[spec.name]}
          taken={state.result?.provenance.parameters[spec.name]}
          live={host.live}
          onChange={(value) => host.setField(spec.name, value)}
        />
      ))}
    </div>
  );
}

interface FieldProps {
  spec: FieldSpec;
  value: unknown;
  /** What the result was computed with. */
  taken: unknown;
  live: boolean;
  onChange(value: unknown): void;
}

function Field(props: FieldProps) {
  const { spec, value, live, onChange } = props;
  const title = live ? spec.help : NEEDS_KERNEL;
  switch (spec.type) {
    case "choice": {
      const characters = spec.choices.reduce((sum, { title }) => sum + title.length, 0);
      const Control = characters <= SIDE_BY_SIDE ? Segmented : Select;
      return (
        <Control
          label={spec.title}
          options={spec.choices}
          value={String(value)}
          disabled={!live}
          title={title}
          onChange={onChange}
        />
      );
    }
    case "flag":
      return (
        <Toggle
          label={spec.title}
          checked={value === true}
          disabled={!live}
          title={title}
          onChange={onChange}
        />
      );
    default:
      return <TextField {...props} title={title} />;
  }
}

/** A token, names or a whole number: taken on Enter and on leaving; Esc restores the value in force. */
function TextField({ spec, value, taken, live, onChange, title }: FieldProps & { title: string }) {
  const [draft, setDraft] = useState<string | null>(null);
  const text = draft ?? (value === null || value === undefined ? "" : String(value));
  const number = spec.type === "integer";
  const invalid = number && !/^-?\d+$/.test(text);

  const commit = (): void => {
    if (draft === null) return;
    setDraft(null);
    if (!invalid) onChange(number ? Number(text) : text);
  };

  return (
    <div class="hs-control" title={title}>
      <label class="hs-control">
        <span class="hs-label">{spec.title}</span>
        <input
          class={number ? "hs-input hs-number" : "hs-input hs-mono"}
          inputMode={number ? "numeric" : "text"}
          size={number ? 4 : Math.min(LONGEST, Math.max(14, text.length))}
          spellcheck={false}
          autocomplete="off"
          aria-invalid={draft !== null && invalid}
          value={text}
          placeholder={spec.type === "token" && taken ? tokenGlyphs(String(taken)) : ""}
          disabled={!live}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onBlur={commit}
          onKeyDown={(event) => {
            if (event.isComposing) return;
            if (event.key === "Enter") commit();
            if (event.key === "Escape" && draft !== null) {
              event.preventDefault();
              setDraft(null);
            }
          }}
        />
      </label>
      {spec.type === "token" && text !== "" && <Token text={text} />}
    </div>
  );
}
