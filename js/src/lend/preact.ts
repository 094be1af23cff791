// All of Preact that views use, to be lent to those in bundles of their own.
import { Fragment, h } from "preact";
import {
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "preact/hooks";

export const preact = {
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
};

export type Preact = typeof preact;
