// What the shell watches: the host, JupyterLab's theme, the width it has, whether it is in sight.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useReducer, useState } from "preact/hooks";
import type { Theme } from "../draw/colour";
import type { Host, HostState } from "../host/contract";

export function useHost(host: Host): HostState {
  const [state, setState] = useState(host.state);
  useLayoutEffect(() => {
    const update = (): void => setState(host.state);
    update();
    return host.subscribe(update);
  }, [host]);
  return state;
}

function currentTheme(): Theme {
  const { jpThemeLight } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "true" ? "light" : "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** JupyterLab's theme where there is one, the system's otherwise. */
export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => {
    const update = (): void => setTheme(currentTheme());
    const observer = new MutationObserver(update);
    observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", update);
    return () => {
      observer.disconnect();
      system.removeEventListener("change", update);
    };
  }, []);
  return theme;
}

/** Width of the element's content box in whole CSS pixels; 0 while it is unknown or hidden. */
export function useWidth(ref: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  const [, renderAgain] = useReducer((count: number) => count + 1, 0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    setWidth(Math.floor(element.getBoundingClientRect().width));
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.floor(entry.contentRect.width));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  // The page can lose its layout between two observations, as when JupyterLab swaps the style sheet
  // of its theme. What is drawn into a box without width stays blank.
  const collapsed = width > 0 && ref.current?.clientWidth === 0;
  useEffect(() => {
    if (!collapsed) return;
    const frame = requestAnimationFrame(() => renderAgain(null));
    return () => cancelAnimationFrame(frame);
  }, [collapsed]);
  return collapsed ? 0 : width;
}

/** How far beyond the edge of the page counts as in sight, so that scrolling meets a drawn view. */
const MARGIN = "300px";

/** Whether there is something to draw for: a place in sight, or paper. */
export function useInSight(ref: RefObject<HTMLElement | null>): boolean {
  const [inSight, setInSight] = useState(false);
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const change = ({ type }: Event): void => setPrinting(type === "beforeprint");
    const types = ["beforeprint", "afterprint"];
    for (const type of types) addEventListener(type, change);
    return () => {
      for (const type of types) removeEventListener(type, change);
    };
  }, []);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new IntersectionObserver(
      (entries) => setInSight(entries.some((entry) => entry.isIntersecting)),
      { rootMargin: MARGIN },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return inSight || printing;
}
