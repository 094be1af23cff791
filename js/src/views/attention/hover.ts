// What the pointer is on, shared between panels without rendering any.

export class Hover<T> {
  #value: T | null = null;
  #listeners = new Set<() => void>();

  get value(): T | null {
    return this.#value;
  }

  set(value: T | null): void {
    if (value === this.#value) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
