/** How long after an automatic reload another one would only loop, ms. */
const AGAIN_MS = 60_000;
const KEY = "pizzapi.reloaded";

/**
 * After a deployment an open page may ask for a part that no longer exists. One reload brings the new page; drafts and the
 * outbox survive it. A second failure within a minute is left to the error screen.
 */
export function recoverFromMissingParts(): void {
  addEventListener("vite:preloadError", (event) => {
    if (reloadOnce()) event.preventDefault();
  });
}

/** Reload unless that was just tried. */
export function reloadOnce(): boolean {
  const last = Number(sessionStorage.getItem(KEY) ?? 0);
  if (Date.now() - last < AGAIN_MS) return false;
  sessionStorage.setItem(KEY, String(Date.now()));
  location.reload();
  return true;
}

/** Forget everything this browser stored for the app, then load it anew. */
export async function resetAppData(): Promise<void> {
  localStorage.clear();
  sessionStorage.clear();
  const names = (await indexedDB.databases?.()) ?? [];
  await Promise.all(names.map(({ name }) => (name ? new Promise((done) => (indexedDB.deleteDatabase(name).onsuccess = done)) : undefined)));
  const workers = (await navigator.serviceWorker?.getRegistrations()) ?? [];
  await Promise.all(workers.map((worker) => worker.unregister()));
  for (const name of await caches.keys()) await caches.delete(name);
  location.replace("/");
}
