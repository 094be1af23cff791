// The view of a `CircuitGraph`: circuits of components, attribution graphs.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { CircuitGraph } from "../wire/types";
import type { ViewProps } from "./contract";
import { useAsking } from "./graph/ask";
import { pointAt } from "./graph/circuits";
import { Count } from "./graph/count";
import { CurvePanel } from "./graph/curve";
import { Detail } from "./graph/detail";
import { EdgeDetail } from "./graph/edge-card";
import { type EdgeKey, findLink, keyOfLink } from "./graph/edge-key";
import { Faithfulness } from "./graph/faithfulness";
import { subjectOf, useFollow } from "./graph/follow";
import { GroupBar } from "./graph/group-bar";
import { makePicture } from "./graph/groups";
import { IntervenePanel } from "./graph/intervene";
import { layoutPicture } from "./graph/layout";
import { GraphLegend } from "./graph/legend";
import { drawnLinks } from "./graph/links";
import { EdgeList } from "./graph/list";
import { countElsewhere, useMarks } from "./graph/marks";
import { MinimalityPanel } from "./graph/minimality";
import { readGraph } from "./graph/model";
import { rankNodes } from "./graph/order";
import { makePruner, onlyNodes, type Threshold, withPinned } from "./graph/prune";
import { SearchBox } from "./graph/search-box";
import { Suggestions } from "./graph/suggestions";
import { ThresholdSliders } from "./graph/threshold";
import { Viewport } from "./graph/viewport";
import { describe } from "./graph/words";
import { Button, Toggle } from "./parts/controls";

export { default as graphCss } from "./graph/graph.css?inline";

export function GraphView(props: ViewProps<CircuitGraph>): JSX.Element {
  const { result, theme, width, options, setOption, select, announce } = props;
  const graph = useMemo(() => readGraph(result), [result]);
  const marks = useMarks(props, graph);
  const { pinned, groups, labels, places } = marks.here;
  const asking = useAsking(props);
  const [preview, setPreview] = useState<Threshold | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<readonly string[]>([]);
  const [edge, setEdge] = useState<EdgeKey | null>(null);
  const searchBox = useRef<HTMLInputElement>(null);

  const rank = useMemo(() => rankNodes(graph), [graph]);
  const pruner = useMemo(() => makePruner(graph), [graph]);
  const computed = useMemo(() => pruner.prune({}).edgeCount, [pruner]);
  const threshold = preview ?? marks.threshold;
  const circuit = useMemo(
    () => pruner.prune(threshold),
    [pruner, threshold.nodes, threshold.edges],
  );
  const kept = useMemo(() => withPinned(graph, circuit, new Set(pinned)), [graph, circuit, pinned]);
  const onlyPinned = options.graph_only_pinned === true && pinned.length > 0;
  const shown = useMemo(
    () => (onlyPinned ? onlyNodes(graph, kept, new Set(pinned)) : kept),
    [graph, kept, onlyPinned, pinned],
  );
  const picture = useMemo(
    () => makePicture(graph, shown, groups, new Set(open), circuit),
    [graph, shown, groups, open, circuit],
  );
  const layout = useMemo(
    () => layoutPicture(graph, picture, rank, places, width),
    [graph, picture, rank, places, width],
  );
  const naming = useMemo(() => ({ graph, labels, groups }), [graph, labels, groups]);
  const itemIndex = useMemo(
    () => new Map(picture.items.map(({ key }, item) => [key, item])),
    [picture],
  );
  const pinnedKeys = useMemo(() => {
    const names = new Set(pinned);
    const isPinned = (node: number): boolean => names.has(graph.names[node] ?? "");
    return new Set(
      picture.items.filter((item) => item.members.every(isPinned)).map(({ key }) => key),
    );
  }, [graph, picture, pinned]);
  const selected = useMemo(
    () => new Set(chosen.map((key) => itemIndex.get(key) ?? -1).filter((item) => item >= 0)),
    [chosen, itemIndex],
  );
  useEffect(() => setPreview(null), [marks.threshold]);

  const link = useMemo(
    () => (edge ? findLink(graph, picture, itemIndex, edge) : -1),
    [graph, picture, itemIndex, edge],
  );
  const at = cursor === null ? -1 : (itemIndex.get(cursor) ?? -1);
  useFollow(graph, picture, props.selection, at, goToItem);
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
    select({ ...subjectOf(graph, found.node), ...(position < 0 ? {} : { token: position }) });
  }

  /** What an intervention changes. */
  function subjects(): readonly string[] {
    if (selected.size) return [...selected].flatMap(namesOf);
    const active = namesOf(at);
    return active.length > 1 || !pinned.length ? active : pinned;
  }

  function goToItem(item: number): void {
    setCursor(keyOf(item));
    setEdge(null);
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
    else if (event.key === "Escape") {
      setChosen([]);
      setEdge(null);
    } else if ((event.ctrlKey || event.metaKey) && key === "z") {
      (event.shiftKey ? marks.redo : marks.undo)?.();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function goTo(name: string): void {
    const item = picture.itemOf[graph.index.get(name) ?? -1] ?? -1;
    if (item >= 0) goToItem(item);
  }

  const isCircuit = result.family === "components";
  const asTable = options.graph_table === true;
  const drawn = useMemo(() => drawnLinks(picture).length, [picture]);
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
            known={pointAt(result, threshold)}
            moving={preview !== null}
          />
        )}
        <SearchBox input={searchBox} naming={naming} picture={picture} onGo={goToItem} />
        <Button label="Undo" disabled={!marks.undo} onClick={() => marks.undo?.()} />
        <Button label="Redo" disabled={!marks.redo} onClick={() => marks.redo?.()} />
        <Toggle
          label="Pinned only"
          checked={onlyPinned}
          disabled={pinned.length === 0}
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
      </div>
      <GroupBar
        marks={marks}
        groups={groups}
        selected={[...selected].flatMap(namesOf)}
        open={open}
        onOpen={setOpen}
        onDone={() => setChosen([])}
      />
      <Count
        graph={graph}
        shown={shown}
        circuit={circuit}
        links={picture.links}
        drawn={drawn}
        elsewhere={countElsewhere(marks, marks.here)}
      />
      {asTable ? (
        <EdgeList
          graph={result}
          kept={[...shown.edges.keys()].filter((edge) => shown.edges[edge])}
          circuit={circuit.edges}
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
          link={link}
          onCursor={goToItem}
          onPin={pin}
          onSelect={(items, add) => {
            choose(items, add);
            setEdge(null);
          }}
          onLink={(next) => setEdge(keyOfLink(graph, picture, next))}
          onMove={move}
          onKey={onKey}
          announce={announce}
        />
      )}
      {!asTable && <GraphLegend graph={graph} picture={picture} theme={theme} />}
      {link >= 0 && (
        <EdgeDetail
          asking={asking}
          naming={naming}
          picture={picture}
          link={link}
          onGo={goToItem}
          onClose={() => setEdge(null)}
        />
      )}
      <Detail
        asking={asking}
        naming={naming}
        picture={picture}
        item={at}
        theme={theme}
        looking={options.graph_examples === true}
        onLook={(on) => setOption("graph_examples", on)}
        onGo={goToItem}
        onLabel={(name, label) => {
          const { [name]: _, ...rest } = marks.labels;
          marks.change({ labels: label ? { ...rest, [name]: label } : rest });
        }}
      />
      <div class="hs-graph-panels">
        {isCircuit ? (
          <>
            <CurvePanel
              asking={asking}
              result={result}
              here={pointAt(result, threshold)}
              theme={theme}
              width={width}
            />
            <MinimalityPanel
              asking={asking}
              graph={graph}
              circuit={circuit}
              threshold={marks.threshold}
              onGo={goTo}
            />
          </>
        ) : (
          <IntervenePanel asking={asking} nodes={subjects()} labels={labels} />
        )}
      </div>
    </div>
  );
}
