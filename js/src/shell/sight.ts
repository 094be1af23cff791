// Which panes are in sight, told to a kernel that computes those first.
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import type { Host } from "../host/contract";

/** `key` changes when there are other panes, or they are elsewhere; empty: nobody wants to know. */
export function useSight(root: RefObject<HTMLElement | null>, host: Host, key: string): void {
  useEffect(() => {
    if (!root.current || !key) return;
    const seen = new Set<Element>();
    let told = "";
    const observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) seen.add(target);
        else seen.delete(target);
      }
      const names = panes.filter((pane) => seen.has(pane)).map(({ dataset }) => dataset.pane);
      if (!host.live || names.join() === told) return;
      told = names.join();
      host.ask("sight", { names }).catch(() => {});
    });
    const panes = [...root.current.querySelectorAll<HTMLElement>("[data-pane]")];
    for (const pane of panes) observer.observe(pane);
    return () => observer.disconnect();
  }, [host, key]);
}
