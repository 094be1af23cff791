// The view of a result: chosen by its kind, kept from work while out of sight, its failure contained.
import type { VNode } from "preact";
import { useEffect, useErrorBoundary, useRef } from "preact/hooks";
import { viewOf } from "../views";
import type { ViewProps } from "../views/contract";
import type { Island } from "../views/island";
import { ErrorBox, errorInfo } from "./error-box";

interface ResultViewProps extends ViewProps {
  inSight: boolean;
  islands: readonly Island[];
}

export function ResultView({ inSight, islands, ...props }: ResultViewProps) {
  const drawn = useRef<VNode | null>(null);
  const [failure, retry] = useErrorBoundary();
  useEffect(() => {
    if (failure) retry();
  }, [props.resultId]);
  if (failure) return <ErrorBox error={errorInfo(failure)} />;
  // Handing back the same node makes Preact skip it.
  if (inSight && props.width > 0) {
    const View = viewOf(props.result, islands);
    drawn.current = <View {...props} />;
  }
  return drawn.current ?? <div class="hs-unseen" />;
}
