// The controls over a heatmap: which slice, how large, in which order, as a picture or a table.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { textWidth } from "../../draw/text";
import type { Choice } from "../../wire/types";
import { copyText } from "../parts/clipboard";
import { Button, type Option, Segmented, Select } from "../parts/controls";
import type { HeatmapOption, HeatmapOptions, Zoom } from "./options";
import { type Slice, shownLabel } from "./slice";
import { toTsv } from "./words";

interface ToolbarProps {
  slice: Slice;
  options: HeatmapOptions;
  zoom: Zoom;
  set(key: HeatmapOption, value: unknown): void;
  setZoom(zoom: Zoom): void;
  onZoom(factor: number): void;
  announce(text: string): void;
  width: number;
  /** Measures that are not in this page. */
  missing?: readonly Choice[];
}

const STEP = 1.25;
/** Around the text of a segment, and its size. */
const SEGMENT = { padding: 18, size: 12 };
/** Of "Colour", before the segments. */
const LABEL_WIDTH = 60;
const COPIED_MS = 1500;

export function Toolbar(props: ToolbarProps): JSX.Element {
  const { slice, options, zoom, set, setZoom, onZoom, announce } = props;
  const { grid, rowAxis, rows, columns } = slice;
  const [copied, setCopied] = useState(false);
  const measures: Option[] = [
    ...grid.measures.map(({ name, title, definition }) => ({
      value: name,
      title,
      help: definition,
    })),
    ...(props.missing ?? []).map((one) => ({
      ...one,
      help: "Needs a live kernel",
      disabled: true,
    })),
  ];
  const measuresWidth = measures.reduce(
    (sum, { title }) => sum + textWidth(title, SEGMENT.size, false) + SEGMENT.padding,
    LABEL_WIDTH,
  );
  const Measures = measuresWidth <= props.width ? Segmented : Select;
  const copy = async (): Promise<void> => {
    const done = await copyText(toTsv(slice));
    announce(done ? `Copied ${rows} rows of ${columns} columns` : "The browser refused to copy");
    if (!done) return;
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return (
    <div class="hs-toolbar">
      {measures.length > 1 && (
        <Measures
          label="Colour"
          options={measures}
          value={slice.measure.name}
          onChange={(name) => set("measure", name)}
        />
      )}
      {grid.axes.slice(0, -2).map((axis, i) => (
        <Select
          key={axis.name}
          label={axis.name}
          options={axis.labels.map((_, at) => ({ value: String(at), title: shownLabel(axis, at) }))}
          value={String(options.chosen[i] ?? 0)}
          onChange={(value) => {
            set(
              "chosen",
              options.chosen.map((was, at) => (at === i ? Number(value) : was)),
            );
          }}
        />
      ))}
      <span class="hs-row hs-heatmap-tools">
        {!options.table && (
          <fieldset class="hs-zoom">
            <legend class="hs-hidden">Zoom</legend>
            <Button
              title="Everything in sight"
              pressed={zoom === "fit"}
              onClick={() => setZoom(zoom === "fit" ? "auto" : "fit")}
            >
              Fit
            </Button>
            <Button label="Smaller cells" onClick={() => onZoom(1 / STEP)}>
              −
            </Button>
            <Button label="Larger cells" onClick={() => onZoom(STEP)}>
              +
            </Button>
            <Button
              title="Cells large enough to read"
              disabled={zoom === "auto"}
              onClick={() => setZoom("auto")}
            >
              1:1
            </Button>
          </fieldset>
        )}
        {!rowAxis.tokens && rows > 1 && (
          <Button
            title={`First ${rowAxis.name} at the bottom`}
            pressed={options.upward}
            onClick={() => set("upward", !options.upward)}
          >
            Rows ↑
          </Button>
        )}
        <Button
          title="The numbers as a table"
          pressed={options.table}
          onClick={() => set("table", !options.table)}
        >
          Table
        </Button>
        <Button title="All cells as tab-separated values" onClick={() => void copy()}>
          {copied ? "Copied" : "Copy"}
        </Button>
      </span>
    </div>
  );
}
