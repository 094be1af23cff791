// Type to find a node; the best matches as buttons.
import type { JSX, RefObject } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Picture } from "./groups";
import { search } from "./search";
import { describe, type Naming } from "./words";

interface SearchProps {
  input: RefObject<HTMLInputElement | null>;
  naming: Naming;
  picture: Picture;
  onGo(item: number): void;
}

const MOST = 8;

export function SearchBox({ input, naming, picture, onGo }: SearchProps): JSX.Element {
  const [query, setQuery] = useState("");
  const found = useMemo(() => search(naming, picture, query), [naming, picture, query]);
  const go = (item: number): void => {
    setQuery("");
    onGo(item);
  };
  return (
    <div class="hs-control hs-graph-search">
      <input
        ref={input}
        class="hs-input"
        type="search"
        aria-label="Search nodes"
        placeholder="Search nodes (/)"
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          const [first] = found;
          if (event.key === "Enter" && first !== undefined) go(first);
          if (event.key === "Escape") setQuery("");
        }}
      />
      {query.trim() && (
        <ul class="hs-graph-found" aria-label={`${found.length} found`}>
          {found.length === 0 && <li class="hs-muted">Nothing found</li>}
          {found.slice(0, MOST).map((at) => {
            const item = picture.items[at];
            return (
              item && (
                <li key={item.key}>
                  <button type="button" class="hs-graph-link" onClick={() => go(at)}>
                    {describe(naming, item)}
                  </button>
                </li>
              )
            );
          })}
        </ul>
      )}
    </div>
  );
}
