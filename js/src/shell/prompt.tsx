// A prompt: edited in place, its tokens previewed at every pause between keystrokes, run on Enter
// or when the typing rests; a second prompt, such as the corrupted one, on Enter or when it is left.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Host, HostState } from "../host/contract";
import { type Preview, readPreview } from "../state/preview";
import type { FieldSpec, Prompt } from "../wire/types";
import { liveTitle } from "./notes";
import { TokenList } from "./token";

const PREVIEW_MS = 60;
const COMMIT_MS = 600;
const MAX_ROWS = 6;

interface PromptProps {
  host: Host;
  state: HostState;
  /** The field that holds the second prompt; without it, the first. */
  field?: FieldSpec | undefined;
  /** What it is, if not a prompt. */
  name?: string | undefined;
  /** Shown beside it, where there are two. */
  label?: string | undefined;
  /** Called with true while there is text that no job has taken up yet. */
  onEditing?(editing: boolean): void;
}

export function PromptInput({ host, state, field, name, label, onEditing }: PromptProps) {
  const current = field ? String(state.values[field.name] ?? "") : (state.prompt ?? "");
  const promptOf = ({ ran }: HostState): Prompt | undefined =>
    ran?.provenance.prompts[field ? 1 : 0];
  /** What is being typed; null while the box follows the kernel's prompt. */
  const [draft, setDraft] = useState<string | null>(null);
  const [composing, setComposing] = useState(false);
  /** The job that was the latest when the prompt was last sent to run. */
  const [sentAt, setSentAt] = useState<number | null>(null);
  const unanswered = draft !== null || sentAt === state.status.job;
  const text = draft ?? current;
  const preview = usePreview(host, text);
  const refused = draft !== null && preview?.text === text ? preview.error : null;
  // What ran is what counts: token ids given in Python need not be how their text is cut.
  const last = promptOf(state);
  const counts = state.status.state === "done" || last?.text === current;
  const ran = !unanswered && counts ? last : undefined;

  const commit = (): void => {
    if (draft === null || !host.live) return;
    setDraft(null);
    if (draft === current) return;
    setSentAt(state.status.job);
    if (field) host.setField(field.name, draft);
    else host.setPrompt(draft);
  };
  const commitLater = useRef(commit);
  commitLater.current = commit;

  useEffect(() => {
    if (field || draft === null || composing || draft === "" || refused) return;
    const timer = setTimeout(() => commitLater.current(), COMMIT_MS);
    return () => clearTimeout(timer);
  }, [draft, composing, refused]);

  useEffect(() => onEditing?.(unanswered), [unanswered]);

  const keyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      commit();
    } else if (event.key === "Escape" && draft !== null) {
      event.preventDefault();
      setDraft(null);
    }
  };

  return (
    <div class="hs-prompt">
      {label && (
        <span class="hs-label" aria-hidden="true">
          {label}
        </span>
      )}
      <textarea
        class="hs-prompt-text"
        aria-label={field?.title ?? name ?? "Prompt"}
        aria-invalid={refused !== null}
        title={liveTitle(
          host.live,
          field?.help || "Enter runs, Shift+Enter is a new line, Esc goes back",
        )}
        placeholder={`Type ${(name ?? "a prompt").toLowerCase()}`}
        spellcheck={false}
        autocomplete="off"
        rows={Math.min(MAX_ROWS, text.split("\n").length)}
        value={text}
        disabled={!host.live}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={keyDown}
        onBlur={() => field && commit()}
        onCompositionStart={() => setComposing(true)}
        onCompositionEnd={() => setComposing(false)}
      />
      <Tokens shown={ran ?? preview ?? last} limit={preview?.n_ctx ?? undefined} />
      {refused && (
        <p class="hs-refused" role="alert">
          {refused.message} {refused.hint}
        </p>
      )}
    </div>
  );
}

/** The latest preview. It is kept until the next one is there, so that nothing flickers. */
function usePreview(host: Host, text: string): Preview | null {
  const [preview, setPreview] = useState<Preview | null>(null);
  useEffect(() => {
    if (!host.live || preview?.text === text) return;
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const answer = await host.ask("tokenize", { text }, controller.signal);
        setPreview(readPreview(text, answer.value));
      } catch {
        // Overtaken by a newer edit, or the kernel is gone: the last preview stays.
      }
    }, PREVIEW_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [host, text]);
  return preview;
}

interface TokensProps {
  shown: Pick<Prompt, "tokens" | "token_ids"> | undefined;
  limit: number | undefined;
}

function Tokens({ shown, limit }: TokensProps) {
  if (!shown?.tokens.length) return null;
  const count = shown.tokens.length;
  const over = limit !== undefined && count > limit;
  return (
    <div class="hs-row hs-prompt-tokens">
      <TokenList tokens={shown.tokens} ids={shown.token_ids} label={`${count} tokens`} />
      <span class={over ? "hs-count hs-over" : "hs-count"}>
        {limit === undefined ? count : `${count} / ${limit}`} tokens
      </span>
    </div>
  );
}
