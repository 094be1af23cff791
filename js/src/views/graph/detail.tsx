// The panel of the item that the keyboard or a click is on: label, group, links, exact values.
import type { Asking } from "./ask";
import { ItemCard } from "./card";
import { Exact } from "./exact";
import type { Picture } from "./groups";
import type { Naming } from "./words";

interface DetailProps {
  asking: Asking;
  naming: Naming;
  picture: Picture;
  item: number;
  onGo(item: number): void;
  onLabel(name: string, label: string): void;
}

const MOST = 12;

export function Detail({ asking, naming, picture, item, onGo, onLabel }: DetailProps) {
  const shown = picture.items[item];
  if (!shown) return null;
  const label = naming.labels[shown.key] ?? "";
  return (
    <section class="hs-graph-detail" aria-label="Selected node">
      <ItemCard
        naming={naming}
        picture={picture}
        item={item}
        most={MOST}
        onGo={onGo}
        action={(link) => <Exact asking={asking} naming={naming} picture={picture} link={link} />}
      />
      {shown.group < 0 && (
        <label class="hs-control hs-graph-label">
          <span class="hs-label">Label</span>
          <input
            class="hs-input"
            value={label}
            placeholder="your own name for it"
            onChange={(event) => onLabel(shown.key, event.currentTarget.value.trim())}
          />
        </label>
      )}
    </section>
  );
}
