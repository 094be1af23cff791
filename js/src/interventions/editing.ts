// Changes of a list of interventions: pure, each gives a new list.
import type { InterventionData } from "../wire/types";

export type Items = readonly InterventionData[];

export const without = (items: Items, index: number): Items => items.filter((_, i) => i !== index);

export function moved(items: Items, index: number, to: number): Items {
  const item = items[index];
  if (!item || to < 0 || to >= items.length) return items;
  const others = without(items, index);
  return [...others.slice(0, to), item, ...others.slice(to)];
}

/** `change` must be of fields that the item has. */
export const changed = (items: Items, index: number, change: object): Items =>
  items.map((item, i) => (i === index ? ({ ...item, ...change } as InterventionData) : item));

/** Fields in one order: the kernel's may be another. */
const ordered = (_: string, value: unknown): unknown =>
  value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([p], [q]) => (p < q ? -1 : 1)))
    : value;

export const same = (one: Items, other: Items): boolean =>
  one === other || JSON.stringify(one, ordered) === JSON.stringify(other, ordered);

/** The one number that says how much an intervention does. */
export interface Amount {
  field: "factor" | "value" | "strength" | "times";
  title: string;
  value: number;
  low: number;
  high: number;
  step: number;
}

const RANGES = {
  factor: { title: "Factor", low: -2, high: 2, step: 0.05 },
  value: { title: "Value", low: -10, high: 10, step: 0.1 },
  strength: { title: "Strength", low: -10, high: 10, step: 0.1 },
  times: { title: "Times", low: 2, high: 8, step: 1 },
} as const;

/** Null where an intervention has none. Beyond its usual range the slider's grows. */
export function amountOf(item: InterventionData): Amount | null {
  const found = numberOf(item);
  if (!found) return null;
  const [field, value] = found;
  const { low, high, ...range } = RANGES[field];
  const most = high * 2 ** Math.ceil(Math.log2(Math.max(1, Math.abs(value) / high)));
  return { ...range, field, value, low: low < 0 ? -most : low, high: most };
}

function numberOf(item: InterventionData): [Amount["field"], number] | null {
  switch (item.kind) {
    case "scale":
      return ["factor", item.factor];
    case "clamp":
      return ["value", item.value];
    case "steer":
      return ["strength", item.strength];
    case "repeat":
      return ["times", item.times];
    default:
      return null;
  }
}

/** Positions as typed, "2, -1"; null for all, which is also what nothing typed means. Undefined: they
 * are none. */
export function readPositions(text: string): number[] | null | undefined {
  const parts = text.split(/[\s,]+/).filter(Boolean);
  if (parts.length === 0 || (parts.length === 1 && parts[0] === "all")) return null;
  return parts.every((part) => /^-?\d+$/.test(part)) ? parts.map(Number) : undefined;
}
