// What one item is: what it stands for, its numbers, its strongest inputs and outputs.
import type { ComponentChildren, JSX } from "preact";
import { useMemo } from "preact/hooks";
import { tokenGlyphs } from "../../state/tokens";
import type { Item, Picture } from "./groups";
import { edgesOf } from "./model";
import {
  linkInput,
  type Naming,
  nodeFacts,
  PRUNED,
  percent,
  ranked,
  shortLabel,
  signed,
  textOf,
  tokenAt,
} from "./words";

export interface CardProps {
  naming: Naming;
  picture: Picture;
  item: number;
  /** Links of a kind that are listed. */
  most: number;
  /** Makes the listed ends into buttons. */
  onGo?: ((item: number) => void) | undefined;
  /** What stands at the end of a link's row. */
  action?: ((link: number) => JSX.Element | null) | undefined;
  /** What comes before the links. */
  children?: ComponentChildren;
}

export function ItemHead({ naming, item }: { naming: Naming; item: Item }): JSX.Element {
  const { graph, labels, groups } = naming;
  const group = groups[item.group];
  const text = group ? undefined : textOf(graph, item.node);
  const label = group ? group.label : labels[item.key];
  const position = graph.position[item.node] ?? -1;
  const token = tokenAt(graph, position);
  return (
    <div class="hs-graph-head">
      <strong>{group ? tokenGlyphs(group.label, 60) : item.key}</strong>
      {group && <span class="hs-muted">group of {item.members.length}</span>}
      {!group && label && <span>{tokenGlyphs(label, 60)}</span>}
      {text !== undefined && <span class="hs-token">{tokenGlyphs(text, 60)}</span>}
      {!group && token !== undefined && graph.kinds[item.node] !== "token" && (
        <span class="hs-muted">
          at {position} <span class="hs-token">{tokenGlyphs(token)}</span>
        </span>
      )}
    </div>
  );
}

export function ItemCard(props: CardProps): JSX.Element | null {
  const { naming, picture } = props;
  const item = picture.items[props.item];
  if (!item) return null;
  const facts = item.group < 0 ? nodeFacts(naming.graph, item.node) : [];
  return (
    <>
      <ItemHead naming={naming} item={item} />
      {facts.length > 0 && (
        <p class="hs-graph-facts">
          {facts.map(({ title, value }) => (
            <span key={title}>
              <span class="hs-muted">{title}</span> {value}
            </span>
          ))}
        </p>
      )}
      {props.children}
      <Links {...props} into={true} />
      <Links {...props} into={false} />
    </>
  );
}

function Links(props: CardProps & { into: boolean }): JSX.Element {
  const { naming, picture, item, most, onGo, action, into } = props;
  const all = useMemo(
    () => ranked(picture, edgesOf(into ? picture.incoming : picture.outgoing, item)),
    [picture, item, into],
  );
  const ends = into ? picture.source : picture.target;
  const shown = all.slice(0, most);
  const [measure] = naming.graph.result.measures;
  const hasPruned = shown.some((link) => picture.outside[link]);
  return (
    <div class="hs-graph-links">
      <h3>
        {into ? "Inputs" : "Outputs"}{" "}
        <span class="hs-muted">
          {shown.length < all.length ? `${shown.length} of ${all.length}, ` : ""}
          {into ? "share of all that flows in" : "share of the target's inflow"}, {measure?.unit}
        </span>
      </h3>
      {all.length === 0 && <p class="hs-muted">none shown</p>}
      <table class="hs-table">
        <tbody>
          {shown.map((link) => {
            const end = ends[link] ?? 0;
            const other = picture.items[end];
            if (!other) return null;
            const name = `${other.key}${into ? "" : linkName(naming, picture, link)}`;
            const label = shortLabel(naming, other);
            return (
              <tr key={link}>
                <td>
                  {onGo ? (
                    <button type="button" class="hs-graph-link" onClick={() => onGo(end)}>
                      {name}
                    </button>
                  ) : (
                    name
                  )}
                  {into && linkName(naming, picture, link)}
                </td>
                <td class="hs-graph-text">{label === other.key ? "" : label}</td>
                {hasPruned && <td class="hs-muted">{picture.outside[link] === 1 && PRUNED}</td>}
                <td class="hs-graph-number">{signed(picture.weight[link] ?? 0)}</td>
                <td class="hs-graph-share">
                  <Bar share={picture.share[link] ?? 0} />
                </td>
                <td class="hs-graph-number">{percent(picture.share[link] ?? 0)}</td>
                {action && <td>{action(link)}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** The q, k or v of the reader. */
function linkName(naming: Naming, picture: Picture, link: number): string {
  const input = linkInput(naming.graph, picture, link);
  return input && ` (${input})`;
}

function Bar({ share }: { share: number }): JSX.Element {
  const sign = share < 0 ? "negative" : "positive";
  const width = `${Math.round(Math.min(1, Math.abs(share)) * 100)}%`;
  return <i class={`hs-graph-bar hs-graph-${sign}`} style={{ width }} />;
}
