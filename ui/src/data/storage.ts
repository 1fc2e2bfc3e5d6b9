/** Small values, synchronously. Everything of ours starts with this. */
export const PREFIX = "pizzapi.";

/** Read a small stored value; anything unreadable counts as absent. */
export function load<T>(key: string, check: (value: unknown) => T | undefined): T | undefined {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text === null ? undefined : check(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Write a small value; a full or forbidden storage costs only the memory of it. */
export function save(key: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch (error) {
    console.warn(`could not remember ${key}`, error);
  }
}

/** Same-origin tabs tell each other about small values. */
export function onStored(key: string, listener: () => void): () => void {
  const onStorage = (event: StorageEvent) => {
    if (event.key === PREFIX + key || event.key === null) listener();
  };
  addEventListener("storage", onStorage);
  return () => removeEventListener("storage", onStorage);
}

/** Narrowing helpers for what storage and wire hand us. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
export function isString(value: unknown): value is string {
  return typeof value === "string";
}
