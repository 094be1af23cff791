// Around the map of a patching analysis: what it is computed on top of, the pinned cell's runs, cells
// patched together, estimates against exact values.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Cell } from "../draw/hit";
import { formatNumber } from "../draw/text";
import { tokenGlyphs } from "../state/tokens";
import type { Grid, Provenance, Term } from "../wire/types";
import { Sums } from "./attribution";
import type { ViewProps } from "./contract";
import { AxisLabel } from "./heatmap/card";
import type { Slice } from "./heatmap/slice";
import { EXACT, NOT_APPLICABLE } from "./heatmap/states";
import { useAnswer } from "./lens/ask";
import { Button } from "./parts/controls";
import { Agreement } from "./patching/scatter";

export { default as patchingCss } from "./patching/patching.css?inline";

/** Glyphs of a pinned intervention's name. */
const LONG = 60;
/** Most tokens of the three runs, and the least share that is shown as more than zero. */
const MAX_TOKENS = 10;
const LEAST = 5e-4;
const KEEP = "Stays patched: the map is computed on top of it";

export type Order = (what: string, params: Record<string, unknown>) => Promise<boolean>;

/** Sends changes to the kernel; `problem`: why it refused the last one, until a newer job. */
export function useOrders({ ask, job }: Pick<ViewProps, "ask" | "job">): {
  order: Order;
  problem: string | null;
} {
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => setProblem(null), [job]);
  const order: Order = async (what, params) => {
    try {
      await ask(what, params);
      setProblem(null);
      return true;
    } catch (refusal) {
      setProblem((refusal as Error).message);
      return false;
    }
  };
  return { order, problem };
}

interface OrderButtonProps {
  label: string;
  help?: string;
  live: boolean;
  onClick(): unknown;
  children?: ComponentChildren;
}

function OrderButton({ help, live, ...props }: OrderButtonProps): JSX.Element {
  return <Button {...props} title={live ? help : "Needs a live kernel"} disabled={!live} />;
}

/** Names of the interventions that everything is computed on top of. */
export function pinnedOf({ parameters }: Provenance): string[] {
  try {
    const pinned: unknown = JSON.parse(String(parameters.pinned));
    return Array.isArray(pinned) ? pinned.map(({ label }) => String(label)) : [];
  } catch {
    return [];
  }
}

/** What a cell's row and column stand for: another place, another cell. */
export function placeOf({ prompts, parameters }: Provenance): string {
  const { site, over, head, layer } = parameters;
  return JSON.stringify([prompts.map(({ token_ids }) => token_ids), site, over, head, layer]);
}

interface PinnedProps extends ViewProps<Grid> {
  order: Order;
}

export function Pinned({ result, live, order }: PinnedProps): JSX.Element | null {
  const pinned = pinnedOf(result.provenance);
  if (pinned.length === 0) return null;
  const remove = (label: string, params: Record<string, unknown>, text?: string): JSX.Element => (
    <OrderButton label={label} live={live} onClick={() => order("unpin", params)}>
      {text}
    </OrderButton>
  );
  return (
    <div class="hs-row hs-pinned">
      <span>Computed on top of</span>
      {pinned.map((label, index) => (
        <span class="hs-row" key={index}>
          <span class="hs-token">{tokenGlyphs(label, LONG)}</span>
          {remove(`Remove ${label}`, { index }, "×")}
        </span>
      ))}
      {pinned.length > 1 && remove("Remove all", {})}
    </div>
  );
}

export interface PatchingProps extends ViewProps<Grid> {
  slice: Slice;
  /** As `placeOf`. */
  place: string;
  /** Index on each axis before the last two. */
  chosen: readonly number[];
  /** The pinned cell and those taken together, as drawn. */
  cell: Cell | null;
  group: readonly Cell[];
  setGroup(cells: readonly Cell[]): void;
  onPin(cell: Cell): void;
  /** Shows one of several experiments. */
  onOpen(): void;
  order: Order;
}

/** Whether patches can be pinned and taken together, rather than looked at one by one. */
export const isPinnable = ({ provenance }: Grid): boolean =>
  provenance.analysis === "activation_patching";

export function Patching(props: PatchingProps): JSX.Element {
  const { slice, cell, group, theme, onPin, place, job, resultId } = props;
  const { provenance, alignment } = slice.grid;
  // Partial results are of the same subject. A job is shown from its first result on.
  const subject = useMemo(
    () => JSON.stringify([place, provenance.parameters, [...(alignment?.source.data ?? [])], job]),
    [resultId],
  );
  return (
    <>
      {(cell || group.length > 0) && (
        <div class="hs-panel">
          {cell && <CellRuns {...props} cell={cell} subject={subject} />}
          {group.length > 0 && <Together {...props} subject={subject} />}
        </div>
      )}
      <Agreement slice={slice} cell={cell} theme={theme} onPin={onPin} />
    </>
  );
}

function indexOf({ chosen, slice }: PatchingProps, { row, column }: Cell): number[] {
  return [...chosen, slice.dataRow(row), column];
}

type PerRun = Record<"clean" | "corrupted" | "patched", number>;

type Interval = readonly number[] | null | undefined;

interface CellAnswer {
  metric: PerRun;
  effect: { exact: number; estimate: number | null };
  interval: { exact: Interval; estimate: Interval };
  distributions: { tokens: (PerRun & { token_id: number; text: string })[] };
}

function CellRuns(props: PatchingProps & { cell: Cell; subject: string }): JSX.Element {
  const { slice, cell, live, order, subject } = props;
  const { grid } = slice;
  const { row, column } = cell;
  const index = indexOf(props, cell);
  const state = slice.state(row, column, grid.measures[0]);
  const possible = state !== NOT_APPLICABLE;
  const question = { what: "cell", params: { index }, key: `${index} ${subject}` };
  const { answer, problem } = useAnswer<CellAnswer>(props, possible ? question : null);
  const shipped = (name: string): number => {
    const measure = grid.measures.find((one) => one.name === name);
    return measure ? slice.value(row, column, measure) : NONE;
  };
  const [chooser] = grid.axes;
  const several = chooser && grid.axes.length > 2;
  const [experiment] = props.chosen;
  const ofMean = several && experiment === 0;
  const [clean, other] = grid.baselines;
  // Those of a set are its means.
  const told = (term?: Term): number => (several && !ofMean ? NONE : (term?.value ?? NONE));
  const metric: PerRun = answer?.metric ?? {
    clean: told(clean),
    corrupted: told(other),
    patched: shipped("metric"),
  };
  // An ablation has no other run.
  const runs: [keyof PerRun, string][] = [
    ["clean", "clean"],
    ...(other ? [["corrupted", other.label] as [keyof PerRun, string]] : []),
    ["patched", "patched"],
  ];
  const exact = answer?.effect.exact ?? (state === EXACT ? shipped("effect") : NONE);
  const estimate = answer?.effect.estimate ?? shipped("estimate");
  const tokens = (answer?.distributions.tokens ?? [])
    .filter((token, i) => i < 2 || Math.max(...runs.map(([run]) => token[run])) >= LEAST)
    .slice(0, MAX_TOKENS);
  return (
    <section class="hs-panel-part hs-runs">
      <h3>
        <AxisLabel axis={slice.rowAxis} index={slice.dataRow(row)} />
        <AxisLabel axis={slice.columnAxis} index={column} />
        {possible && !several && isPinnable(grid) && (
          <OrderButton
            label="Patch here"
            help={KEEP}
            live={live}
            onClick={() => order("pin", { indices: [index] })}
          />
        )}
      </h3>
      {possible ? (
        <>
          <p>
            Effect: exact <strong>{number(exact)}</strong>
            {within(answer?.interval.exact ?? [shipped("low"), shipped("high")])}
            {Number.isFinite(estimate) && (
              <>
                , estimate <strong>{number(estimate)}</strong>
                {within(answer?.interval.estimate)}
              </>
            )}
          </p>
          <table class="hs-table">
            <thead>
              <tr>
                <td />
                {runs.map(([run, title]) => (
                  <th scope="col" key={run}>
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <tr>
                <th scope="row">
                  {ofMean && "mean "}
                  {String(grid.provenance.parameters.metric)}
                </th>
                {runs.map(([run]) => (
                  <td key={run}>{number(metric[run])}</td>
                ))}
              </tr>
              {tokens.map((token) => (
                <tr key={token.token_id}>
                  <th scope="row">
                    <span class="hs-token">{tokenGlyphs(token.text)}</span>
                  </th>
                  {runs.map(([run]) => (
                    <td key={run}>
                      {token[run].toFixed(3)}
                      <i class="hs-meter" style={{ "--share": token[run] }} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          {several && (
            <p class="hs-muted">
              {ofMean
                ? `Mean of ${chooser.labels.length - 1}. Next-token distributions are those of one ${chooser.name}. `
                : `${chooser.name} ${chooser.labels[experiment ?? 0]}`}
              {ofMean && <Button label={`Open ${chooser.name} 1`} onClick={props.onOpen} />}
            </p>
          )}
          {!live && !ofMean && (
            <p class="hs-muted">The next-token distributions need a live kernel.</p>
          )}
        </>
      ) : (
        <p class="hs-muted">Nothing of the other run meets this place: it cannot be patched.</p>
      )}
      {problem && <p role="alert">{problem}</p>}
    </section>
  );
}

const NONE = Number.NaN;

function within(interval: Interval): string {
  if (!interval?.every(Number.isFinite)) return "";
  return ` (95 % interval ${interval.map((end) => number(end)).join(" to ")})`;
}

const number = (value: number): string => (Number.isFinite(value) ? formatNumber(value) : "–");

interface JointAnswer {
  joint: number;
  sum: number;
  single: number[];
}

function Together(props: PatchingProps & { subject: string }): JSX.Element {
  const { slice, group, setGroup, live, order, theme, subject } = props;
  const indices = group.map((cell) => indexOf(props, cell));
  const several = group.length > 1;
  const question = { what: "joint", params: { indices }, key: `${indices.join()} ${subject}` };
  const { answer, problem } = useAnswer<JointAnswer>(props, several ? question : null);
  const effect = slice.grid.measures[0];
  const terms = group.map(({ row, column }, i) => ({
    label: `${slice.rowLabel(row)} ${slice.columnAxis.tokens ? column : ""} ${slice.columnLabel(column)}`,
    value: answer?.single[i] ?? slice.value(row, column, effect),
  }));
  const sum = answer?.sum ?? terms.reduce((total, { value }) => total + value, 0);
  const totals: Term[] = [{ label: "Sum of single effects", value: sum }];
  if (answer) totals.push({ label: "Patched together", value: answer.joint });
  return (
    <section class="hs-panel-part">
      <h3>
        Patched together
        <OrderButton
          label="Patch these"
          help={KEEP}
          live={live}
          onClick={() => order("pin", { indices })}
        />
        <Button label="Clear" onClick={() => setGroup([])} />
      </h3>
      <Sums terms={terms} totals={totals} theme={theme} />
      {!several && <p class="hs-muted">Shift-click (or Shift+Enter) adds more cells.</p>}
      {!live && <p class="hs-muted">Their joint effect needs a live kernel.</p>}
      {problem && <p role="alert">{problem}</p>}
    </section>
  );
}
