// Saves and copies what is shown: as a picture, as numbers, and through the kernel as a PDF.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Theme } from "../draw/colour";
import { exportsOf } from "../figure/exports";
import { figureSvg, PLAIN, recordOf } from "../figure/svg";
import { toCsv, toTsv } from "../figure/table";
import type { Host } from "../host/contract";
import type { Exports } from "../views/exports";
import type { Island } from "../views/island";
import { copyText } from "../views/parts/clipboard";
import type { Result } from "../wire/types";
import { codeOf } from "./code";
import { errorInfo } from "./error-box";
import { Menu, type MenuItem } from "./menu";
import { NEEDS_KERNEL } from "./notes";
import { rasterised, saveFile } from "./save";

interface ExportMenuProps {
  host: Host;
  result: Result;
  islands: readonly Island[];
  announce(text: string): void;
}

/** What is done, and the words that say so. */
type Deed = () => Promise<string>;

export function ExportMenu({ host, result, islands, announce }: ExportMenuProps): JSX.Element {
  const [news, setNews] = useState("");
  const { state } = host;
  const kind = (): Exports => exportsOf(result, islands);

  const whole = async (): Promise<Result> =>
    (host.live && (await kind().completed?.(result, state, host.ask))) || result;
  const svg = async (): Promise<string> => {
    const shown = await whole();
    const draw = (theme: Theme, width: number) => kind().figure(shown, state, theme, width);
    return figureSvg(draw, result.provenance, PLAIN);
  };
  const png = async () => rasterised(await svg(), recordOf(result.provenance));
  const numbers = async () => kind().table(await whole(), state);
  const save = (
    content: string | Uint8Array<ArrayBuffer>,
    suffix: string,
    type: string,
  ): string => {
    const name = `${state.widget}.${suffix}`;
    saveFile(content, name, type);
    return `Saved ${name}`;
  };

  const copy = async (text: string, what: string): Promise<string> =>
    (await copyText(text)) ? `Copied ${what}` : "The browser refused to copy";

  const item = (title: string, deed: Deed, reason?: string): MenuItem => ({
    title,
    reason,
    choose() {
      const tell = (text: string): void => {
        setNews(text);
        announce(text);
      };
      setNews("");
      deed().then(tell, (failure: unknown) => tell(errorInfo(failure).message));
    },
  });
  const items = [
    item("SVG", async () => save(await svg(), "svg", "image/svg+xml")),
    item("PNG", async () => save(await png(), "png", "image/png")),
    item(
      "PDF",
      async () => {
        const [file] = (await host.ask("figure", {})).arrays;
        return save(new Uint8Array(file?.data ?? []), "pdf", "application/pdf");
      },
      host.live ? undefined : NEEDS_KERNEL.toLowerCase(),
    ),
    item("CSV", async () => save(toCsv(await numbers()), "csv", "text/csv")),
    item("Copy table", async () => copy(toTsv(await numbers()), "the table")),
    item("Copy as code", () => copy(codeOf(state, result), "the Python call")),
  ];
  return (
    <span class="hs-row">
      {news && <span class="hs-muted">{news}</span>}
      <Menu label="Export" items={items} />
    </span>
  );
}
