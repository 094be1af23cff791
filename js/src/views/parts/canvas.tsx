// A scene on the page.
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { paint } from "../../draw/canvas";
import type { Scene } from "../../draw/scene";

interface SceneCanvasProps {
  scene: Scene;
  /** What it shows, for screen readers; without it the canvas is decoration. */
  label?: string | undefined;
}

export function SceneCanvas({ scene, label }: SceneCanvasProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current) paint(canvas.current, scene, window.devicePixelRatio);
  }, [scene]);
  return (
    <canvas
      ref={canvas}
      class="hs-canvas"
      {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}
    />
  );
}
