// Stands in for "preact" and "preact/hooks" in a view's own bundle; see build.mjs.
import type { Preact } from "./preact";

export let Fragment: Preact["Fragment"];
export let h: Preact["h"];
export let useCallback: Preact["useCallback"];
export let useEffect: Preact["useEffect"];
export let useId: Preact["useId"];
export let useLayoutEffect: Preact["useLayoutEffect"];
export let useMemo: Preact["useMemo"];
export let useReducer: Preact["useReducer"];
export let useRef: Preact["useRef"];
export let useState: Preact["useState"];

export function bind(preact: Preact): void {
  ({
    Fragment,
    h,
    useCallback,
    useEffect,
    useId,
    useLayoutEffect,
    useMemo,
    useReducer,
    useRef,
    useState,
  } = preact);
}
