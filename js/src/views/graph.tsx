// The view of a `CircuitGraph`: circuits of components, attribution graphs.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { toSvg } from "../draw/svg";
import { formatNumber } from "../draw/text";
import type { CircuitGraph } from "../wire/types";
import type { ViewProps } from "./contract";
import { useAsking } from "./graph/ask";
import { CurvePanel } from "./graph/curve";
import { Detail } from "./graph/detail";
import { Faithfulness } from "./graph/faithfulness";
import { GroupBar } from "./graph/group-bar";
import { makePicture } from "./graph/groups";
import { IntervenePanel } from "./graph/intervene";
import { layoutPicture } from "./graph/layout";
import { GraphLegend } from "./graph/legend";
import { EdgeList } from "./graph/list";
import { useMarks } from "./graph/marks";
import { MinimalityPanel } from "./graph/minimality";
import { readGraph } from "./graph/model";
import { rankNodes } from "./graph/order";
import { makePruner, onlyNodes, type Threshold, withPinned } from "./graph/prune";
import { baseScene, drawnLinks } from "./graph/scene";
import { SearchBox } from "./graph/search-box";
import { Suggestions } from "./graph/suggestions";
import { ThresholdSliders } from "./graph/threshold";
import { Viewport } from "./graph/viewport";
import { describe } from "./graph/words";
import { Button, Toggle } from "./parts/controls";

export { default as graphCss } from "./graph/graph.css?inline";

export function GraphView(props: ViewProps<CircuitGraph>): JSX.Element {
  const { result, theme, width, options, setOption, select, announce } = props;
  const marks = useMarks(props);
  const asking = useAsking(props);
  const [preview, setPreview] = useState<Threshold | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<readonly string[]>([]);
  const searchBox = useRef<HTMLInputElement>(null);

  const graph = useMemo(() => readGraph(result), [result]);
  const rank = useMemo(() => rankNodes(graph), [graph]);
  const pruner = useMemo(() => makePruner(graph), [graph]);
  const computed = useMemo(() => pruner.prune({}).edgeCount, [pruner]);
  const threshold = preview ?? marks.threshold;
  const left = useMemo(() => pruner.prune(threshold), [pruner, threshold.nodes, threshold.edges]);
  const kept = useMemo(
    () => withPinned(graph, left, new Set(marks.pinned)),
    [graph, left, marks.pinned],
  );
  const onlyPinned = options.graph_only_pinned === true && marks.pinned.length > 0;
  const pruned = useMemo(
    () => (onlyPinned ? onlyNodes(graph, kept, new Set(marks.pinned)) : kept),
    [graph, kept, onlyPinned, marks.pinned],
  );
  const picture = useMemo(
    () => makePicture(graph, pruned, marks.groups, new Set(open)),
    [graph, pruned, marks.groups, open],
  );
  const layout = useMemo(
    () => layoutPicture(graph, picture, rank, marks.places, width),
    [graph, picture, rank, marks.places, width],
  );
  const naming = useMemo(
    () => ({ graph, labels: marks.labels, groups: marks.groups }),
    [graph, marks.labels, marks.groups],
  );
  const itemIndex = useMemo(
    () => new Map(picture.items.map(({ key }, item) => [key, item])),
    [picture],
  );
  const pinnedKeys = useMemo(() => {
    const names = new Set(marks.pinned);
    const isPinned = (node: number): boolean => names.has(graph.names[node] ?? "");
    return new Set(
      picture.items.filter((item) => item.members.every(isPinned)).map(({ key }) => key),
    );
  }, [graph, picture, marks.pinned]);
  const selected = useMemo(
    () => new Set(chosen.map((key) => itemIndex.get(key) ?? -1).filter((item) => item >= 0)),
    [chosen, itemIndex],
  );
  useEffect(() => setPreview(null), [marks.threshold]);

  const at = cursor === null ? -1 : (itemIndex.get(cursor) ?? -1);
  const keyOf = (item: number): string => picture.items[item]?.key ?? "";
  const namesOf = (item: number): string[] =>
    (picture.items[item]?.members ?? []).map((node) => graph.names[node] ?? "");

  function pin(item: number): void {
    const names = namesOf(item);
    const found = picture.items[item];
    if (!found) return;
    const rest = marks.pinned.filter((name) => !names.includes(name));
    const pinning = !pinnedKeys.has(found.key);
    marks.change({ pinned: pinning ? [...rest, ...names] : rest });
    announce(`${describe(naming, found)}, ${pinning ? "pinned" : "unpinned"}`);
    if (!pinning || found.group >= 0) return;
    const position = graph.position[found.node] ?? -1;
    const isHead = graph.kinds[found.node] === "head";
    if (isHead) select({ layer: graph.layer[found.node] ?? 0, head: graph.unit[found.node] ?? 0 });
    if (position >= 0) select({ token: position });
  }

  /** What an intervention changes. */
  function subjects(): readonly string[] {
    if (selected.size) return [...selected].flatMap(namesOf);
    const active = namesOf(at);
    return active.length > 1 || !marks.pinned.length ? active : marks.pinned;
  }

  function choose(items: readonly number[], add: boolean): void {
    const keys = items.map(keyOf);
    const [only = ""] = keys;
    const off = add && keys.length === 1 && chosen.includes(only);
    const more = [...new Set([...chosen, ...keys])];
    setChosen(off ? chosen.filter((key) => key !== only) : add ? more : keys);
  }

  function move(item: number, dx: number, dy: number): void {
    const node = graph.names[picture.items[item]?.node ?? 0] ?? "";
    const was = marks.places.find((place) => place.node === node);
    const place = { node, x: (was?.x ?? 0) + dx, y: (was?.y ?? 0) + dy };
    marks.change({ places: [...marks.places.filter((other) => other.node !== node), place] });
  }

  function onKey(event: KeyboardEvent): void {
    const key = event.key.toLowerCase();
    if (event.key === "/") searchBox.current?.focus();
    else if (event.key === "Escape") setChosen([]);
    else if ((event.ctrlKey || event.metaKey) && key === "z") {
      (event.shiftKey ? marks.redo : marks.undo)?.();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function goTo(name: string): void {
    const item = picture.itemOf[graph.index.get(name) ?? -1] ?? -1;
    if (item >= 0) setCursor(keyOf(item));
  }

  const isCircuit = result.family === "components";
  const asTable = options.graph_table === true;
  const links = picture.links;
  const drawn = useMemo(() => drawnLinks(picture).length, [picture]);
  const all = Math.max(result.edges_in_all, graph.edges);
  return (
    <div class="hs-graph">
      <div class="hs-toolbar">
        <ThresholdSliders
          graph={graph}
          computed={computed}
          value={threshold}
          onPreview={setPreview}
          onChange={(value) => marks.change({ threshold: value })}
        />
        {isCircuit && (
          <Faithfulness
            asking={asking}
            threshold={marks.threshold}
            known={result.faithfulness.find(
              ({ requested, kept }) =>
                kept === pruned.edgeCount && requested === (threshold.edges ?? requested),
            )}
            moving={preview !== null}
          />
        )}
        <SearchBox
          input={searchBox}
          naming={naming}
          picture={picture}
          onGo={(item) => setCursor(keyOf(item))}
        />
        <Button label="Undo" disabled={!marks.undo} onClick={() => marks.undo?.()} />
        <Button label="Redo" disabled={!marks.redo} onClick={() => marks.redo?.()} />
        <Toggle
          label="Pinned only"
          checked={onlyPinned}
          disabled={marks.pinned.length === 0}
          title="Only the pinned nodes and the edges between them"
          onChange={(on) => setOption("graph_only_pinned", on)}
        />
        <Toggle
          label="Table"
          checked={asTable}
          title="The edges as a table"
          onChange={(on) => setOption("graph_table", on)}
        />
        <Suggestions asking={asking} marks={marks} />
        <Button
          label="Save SVG"
          title="The figure as it is shown"
          onClick={() => {
            const size = { width: layout.width, height: layout.height };
            const look = { theme, ...size, view: { x: 0, y: 0, k: 1 } };
            const scene = baseScene(
              { picture, layout, naming, look },
              drawnLinks(picture),
              pinnedKeys,
            );
            saveFile(toSvg(scene), "graph.svg");
          }}
        />
      </div>
      <GroupBar
        marks={marks}
        selected={[...selected].flatMap(namesOf)}
        open={open}
        onOpen={setOpen}
        onDone={() => setChosen([])}
      />
      <p class="hs-graph-count hs-muted" role="status">
        Showing {formatNumber(pruned.nodeCount)} of{" "}
        {formatNumber(Math.max(result.nodes_in_all, graph.nodes))} nodes,{" "}
        {formatNumber(pruned.edgeCount)} of {formatNumber(all)} edges
        {all > graph.edges && ` (${formatNumber(graph.edges)} were sent)`}
        {drawn < links && `; the strongest ${formatNumber(drawn)} are drawn`}.
        {result.scores.map(({ label, value }) => ` ${label} ${formatNumber(value)}.`)}
      </p>
      {asTable ? (
        <EdgeList
          graph={result}
          kept={[...pruned.edges.keys()].filter((edge) => pruned.edges[edge])}
        />
      ) : (
        <Viewport
          naming={naming}
          picture={picture}
          layout={layout}
          theme={theme}
          width={width}
          pinned={pinnedKeys}
          selected={selected}
          cursor={at}
          onCursor={(item) => setCursor(keyOf(item))}
          onPin={pin}
          onSelect={choose}
          onMove={move}
          onKey={onKey}
          announce={announce}
        />
      )}
      {!asTable && <GraphLegend graph={graph} picture={picture} theme={theme} />}
      <div class="hs-graph-panels">
        {isCircuit ? (
          <>
            <CurvePanel asking={asking} theme={theme} width={width} />
            <MinimalityPanel asking={asking} threshold={marks.threshold} onGo={goTo} />
          </>
        ) : (
          <IntervenePanel asking={asking} nodes={subjects()} labels={marks.labels} />
        )}
      </div>
      <Detail
        asking={asking}
        naming={naming}
        picture={picture}
        item={at}
        theme={theme}
        looking={options.graph_examples === true}
        onLook={(on) => setOption("graph_examples", on)}
        onGo={(item) => setCursor(keyOf(item))}
        onLabel={(name, label) => {
          const { [name]: _, ...rest } = marks.labels;
          marks.change({ labels: label ? { ...rest, [name]: label } : rest });
        }}
      />
    </div>
  );
}

function saveFile(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
