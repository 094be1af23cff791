// The view of a result: chosen by its kind, kept from work while out of sight, its failure contained.
import type { ComponentType, VNode } from "preact";
import { useEffect, useErrorBoundary, useRef } from "preact/hooks";
import { VIEWS } from "../views";
import type { ViewProps } from "../views/contract";
import { ErrorBox, errorInfo } from "./error-box";

interface ResultViewProps extends ViewProps {
  inSight: boolean;
}

export function ResultView({ inSight, ...props }: ResultViewProps) {
  const drawn = useRef<VNode | null>(null);
  const [failure, retry] = useErrorBoundary();
  useEffect(() => {
    if (failure) retry();
  }, [props.resultId]);
  if (failure) return <ErrorBox error={errorInfo(failure)} />;
  // Handing back the same node makes Preact skip it.
  if (inSight && props.width > 0) {
    // The table pairs each kind with its own view, which the type of a lookup cannot say.
    const View = VIEWS[props.result.kind] as ComponentType<ViewProps>;
    drawn.current = <View {...props} />;
  }
  return drawn.current ?? <div class="hs-unseen" />;
}
