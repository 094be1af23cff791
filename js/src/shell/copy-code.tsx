// Copies the Python that makes the widget as it is shown.
import { useState } from "preact/hooks";
import type { HostState } from "../host/contract";
import { copyText } from "../views/parts/clipboard";
import { Button } from "../views/parts/controls";
import type { Result } from "../wire/types";
import { codeOf } from "./code";

const COPIED_MS = 1500;

interface CopyCodeProps {
  state: HostState;
  result: Result;
  announce(text: string): void;
}

export function CopyCode({ state, result, announce }: CopyCodeProps) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    const done = await copyText(codeOf(state, result));
    announce(done ? "Copied the Python call" : "The browser refused to copy");
    if (!done) return;
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return (
    <Button
      title="The Python call that makes this view, with its selection, options and marks"
      onClick={() => void copy()}
    >
      {copied ? "Copied" : "Copy as code"}
    </Button>
  );
}
