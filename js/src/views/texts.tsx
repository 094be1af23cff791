// A grid as texts side by side, each token shaded by a measure: generation with and without a change.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { makeRamp, type Ramp } from "../draw/colour";
import { formatNumber } from "../draw/text";
import { tokenGlyphs, visible } from "../state/tokens";
import type { Grid } from "../wire/types";
import type { ViewProps } from "./contract";
import { CellCard } from "./heatmap/card";
import { Legend } from "./heatmap/legend";
import { type HeatmapOption, optionName, readOptions } from "./heatmap/options";
import { type Slice, sliceOf } from "./heatmap/slice";
import { Table } from "./heatmap/table";
import { copyText } from "./parts/clipboard";
import { Button, Segmented, Toggle } from "./parts/controls";
import { type Anchor, Tooltip } from "./parts/tooltip";
import { type Piece, partingOf, prose, type Run, runsOf } from "./texts/runs";

export { default as textsCss } from "./texts/texts.css?inline";

/** From this width texts stand side by side. */
const WIDE = 620;
const TIP = 290;
const LEGEND_WIDTH = 220;

export function TextsView(props: ViewProps<Grid>): JSX.Element {
  const { result: grid, theme, width, announce } = props;
  const options = readOptions(props.options, grid);
  const set = (key: HeatmapOption, value: unknown): void => props.setOption(optionName(key), value);
  const [hover, setHover] = useState<{ piece: Piece; anchor: Anchor } | null>(null);
  const slice = useMemo(
    () => sliceOf(grid, { measure: options.measure, chosen: [], upward: false }),
    [grid, options.measure],
  );
  const ramp = useMemo(() => makeRamp(slice.measure.scale, theme), [slice.measure, theme]);
  const runs = useMemo(() => runsOf(grid), [grid]);
  const parting = useMemo(() => partingOf(runs), [runs]);
  const pinned = options.cell && (runs[options.cell.row]?.pieces[options.cell.column] ?? null);

  const pin = (piece: Piece | null): void => {
    const same = piece?.row === pinned?.row && piece?.step === pinned?.step;
    set("cell", piece && !same ? [piece.row, piece.step] : null);
    announce(piece && !same ? `Pinned: ${inWords(slice, piece)}` : "Unpinned");
  };
  return (
    <div class="hs-texts">
      <div class="hs-toolbar">
        {grid.measures.length > 1 && (
          <Segmented
            label="Shade"
            options={grid.measures.map(({ name, title, definition }) => ({
              value: name,
              title,
              help: definition,
            }))}
            value={slice.measure.name}
            onChange={(name) => set("measure", name)}
          />
        )}
        <Toggle label="Table" checked={options.table} onChange={(on) => set("table", on)} />
      </div>
      <Legend slice={slice} theme={theme} width={Math.min(LEGEND_WIDTH, width)} />
      {runs.length > 1 && <Parting runs={runs} parting={parting} />}
      {options.table ? (
        <Table slice={slice} />
      ) : (
        <div class="hs-texts-columns" data-wide={runs.length > 1 && width >= WIDE}>
          {runs.map((run) => (
            <Text
              key={run.label}
              run={run}
              prompt={grid.provenance.prompts[0]?.tokens ?? []}
              slice={slice}
              ramp={ramp}
              parting={parting}
              pinned={pinned}
              pin={pin}
              onHover={setHover}
              announce={announce}
            />
          ))}
        </div>
      )}
      <Tooltip anchor={hover?.anchor ?? null} width={TIP}>
        {hover && <CellCard slice={slice} cell={cellOf(hover.piece)} ramp={ramp} />}
      </Tooltip>
      {pinned && <Pinned slice={slice} piece={pinned} ramp={ramp} />}
    </div>
  );
}

const cellOf = ({ row, step }: Piece) => ({ row, column: step });

function inWords(slice: Slice, { row, step, text }: Piece): string {
  const values = slice.grid.measures.map(
    (measure) => `${measure.title} ${formatNumber(slice.value(row, step, measure))}`,
  );
  return [
    `${slice.rowLabel(row)}, token ${slice.columnLabel(step)} “${visible(text)}”`,
    ...values,
  ].join(", ");
}

/** Where the texts part, in a sentence. */
function Parting({ runs, parting }: { runs: readonly Run[]; parting: number | null }): JSX.Element {
  if (parting === null) {
    const growing = runs.some(({ state }) => state === "growing");
    return <p class="hs-muted">{growing ? "The same so far" : "The texts are the same"}</p>;
  }
  return (
    <p>
      The texts part at token {parting + 1}:{" "}
      {runs.map(({ label, pieces }, i) => (
        <span key={label}>
          {i > 0 && ", "}
          {label} <First piece={pieces[parting]} />
        </span>
      ))}
    </p>
  );
}

function First({ piece }: { piece: Piece | undefined }): JSX.Element {
  return piece ? <span class="hs-token">{tokenGlyphs(piece.text)}</span> : <em>ends</em>;
}

interface TextProps {
  run: Run;
  prompt: readonly string[];
  slice: Slice;
  ramp: Ramp;
  parting: number | null;
  pinned: Piece | null;
  pin(piece: Piece | null): void;
  onHover(hover: { piece: Piece; anchor: Anchor } | null): void;
  announce(text: string): void;
}

function Text(props: TextProps): JSX.Element {
  const { run, prompt, slice, ramp, parting, pinned, pin, onHover, announce } = props;
  const [copied, setCopied] = useState(false);
  const own = pinned && run.pieces[pinned.step] === pinned ? pinned : null;
  const pieceOf = (event: Event): Piece | null => {
    const found = event.target instanceof Element ? event.target.closest("[data-step]") : null;
    return found instanceof HTMLElement ? (run.pieces[Number(found.dataset.step)] ?? null) : null;
  };
  const copy = async (): Promise<void> => {
    const done = await copyText(run.pieces.map(({ text }) => text).join(""));
    setCopied(done);
    announce(done ? "Copied the text" : "The browser refused to copy");
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      const from = own?.step ?? (step > 0 ? -1 : run.pieces.length);
      const next = run.pieces[Math.max(0, Math.min(run.pieces.length - 1, from + step))];
      if (next && next !== own) pin(next);
    } else if (event.key === "Escape" && own) pin(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <section class="hs-texts-run">
      <h3>
        {run.label}
        <span class="hs-muted">{run.pieces.length} tokens</span>
        <Button label={copied ? "Copied" : "Copy text"} onClick={() => void copy()} />
      </h3>
      <div
        class="hs-texts-text"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the arrow keys
        tabIndex={0}
        data-lm-suppress-shortcuts="true"
        aria-label={`${run.label}: ${visible(run.pieces.map(({ text }) => text).join(""))}. Left and right arrow keys pin a token, Escape unpins.`}
        onKeyDown={onKeyDown}
        onClick={(event) => pin(pieceOf(event))}
        onPointerLeave={() => onHover(null)}
        onPointerMove={(event) => {
          const piece = pieceOf(event);
          const target = event.target as Element;
          onHover(piece && { piece, anchor: target.getBoundingClientRect() });
        }}
      >
        <span class="hs-muted">
          {prompt.map((text, i) => (
            <Word key={i} text={text} />
          ))}
        </span>
        {run.pieces.map((piece) => {
          const value = slice.value(piece.row, piece.step);
          const known = !Number.isNaN(value);
          return (
            <Word
              key={piece.step}
              text={piece.text}
              step={piece.step}
              parts={piece.step === parting}
              pinned={piece === own}
              style={known ? { background: ramp.css(value), color: ramp.ink(value) } : {}}
            />
          );
        })}
        {run.state === "growing" && <span class="hs-texts-caret" />}
        {run.state === "ended" && <span class="hs-badge">end of text</span>}
      </div>
    </section>
  );
}

interface WordProps {
  text: string;
  step?: number;
  /** Whether the texts part here. */
  parts?: boolean;
  pinned?: boolean;
  style?: { background?: string; color?: string };
}

function Word({ text, step, parts, pinned, style = {} }: WordProps): JSX.Element {
  return (
    <>
      <span
        class={`hs-texts-word${parts ? " hs-texts-parting" : ""}${pinned ? " hs-texts-pinned" : ""}`}
        data-step={step}
        style={style}
      >
        {prose(text)}
      </span>
      {text.endsWith("\n") && <br />}
    </>
  );
}

/** A token's numbers, and what else was likely. */
function Pinned({ slice, piece, ramp }: { slice: Slice; piece: Piece; ramp: Ramp }): JSX.Element {
  return (
    <section class="hs-panel hs-texts-card" aria-label="Pinned token">
      <div>
        <CellCard slice={slice} cell={cellOf(piece)} ramp={ramp} />
      </div>
    </section>
  );
}
