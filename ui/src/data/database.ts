import { clear, createStore, del, entries, get, set, type UseStore } from "idb-keyval";
import { PREFIX } from "./storage";

const stores = new Map<string, UseStore>();

function table(name: string): UseStore {
  let store = stores.get(name);
  if (!store) stores.set(name, (store = createStore(`pizzapi-${name}`, "entries")));
  return store;
}

/** A table of larger values in the browser's database. Failures are reported once and otherwise survived. */
export function database<T>(name: string) {
  const failed = (error: unknown): undefined => {
    console.warn(`the browser's storage of ${name} failed`, error);
    return undefined;
  };
  const usable = typeof indexedDB !== "undefined";
  return {
    get: (key: string): Promise<T | undefined> => (usable ? get<T>(key, table(name)).catch(failed) : Promise.resolve(undefined)),
    set: (key: string, value: T): Promise<void> => (usable ? set(key, value, table(name)).catch(failed) : Promise.resolve()),
    delete: (key: string): Promise<void> => (usable ? del(key, table(name)).catch(failed) : Promise.resolve()),
    all: async (): Promise<[string, T][]> => (usable ? ((await entries<string, T>(table(name)).catch(failed)) ?? []) : []),
    clear: (): Promise<void> => (usable ? clear(table(name)).catch(failed) : Promise.resolve()),
  };
}

/** Remove everything that belongs to a person from this browser. Preferences of the device stay. */
export async function forgetPerson(): Promise<void> {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX) && key !== `${PREFIX}prefs` && key !== `${PREFIX}signal`) localStorage.removeItem(key);
  } catch (error) {
    console.warn("could not clear the local storage", error);
  }
  await Promise.all(["drafts", "outbox", "tails"].map((name) => database(name).clear()));
}
