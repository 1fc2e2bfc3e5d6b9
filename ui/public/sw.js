// The app's service worker: the shell opens without a network, hashed files come from the cache, and everything that
// talks to the relay is left alone. Kept as plain script so that its address and content are the same in every build.
const SHELL = "pizzapi-shell-1";
const PARTS = "pizzapi-parts-1";
/** A slow network must not keep people from their last shell, ms. */
const PATIENCE_MS = 3_000;
/** Hashed files of this many are kept; the oldest go. */
const PARTS_KEEP = 120;
const NEVER = /^\/(api|socket\.io|health|status|metrics|livez|readyz|_tunnel|tunnel|ws)(\/|$)/;

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const response = await fetch("/", { cache: "no-cache" });
      if (!response.ok) return;
      const shell = await caches.open(SHELL);
      await shell.put("/", response.clone());
      const names = [...(await response.text()).matchAll(/(?:src|href)="(\/assets\/[^"]+|\/boot\.js|\/favicon\.svg)"/g)].map((match) => match[1]);
      const parts = await caches.open(PARTS);
      await Promise.all(names.map((name) => parts.add(name).catch(() => undefined)));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("pizzapi-") && name !== SHELL && name !== PARTS) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

async function page(request) {
  const shell = await caches.open(SHELL);
  const cached = await shell.match("/");
  const fresh = fetch(request).then(async (response) => {
    // Every address serves the same document, so one copy stands for all.
    if (response.ok && response.headers.get("content-type")?.includes("text/html")) await shell.put("/", response.clone());
    return response;
  });
  if (!cached) return fresh;
  const patience = new Promise((resolve) => setTimeout(() => resolve(cached), PATIENCE_MS));
  return Promise.race([fresh.catch(() => cached), patience]);
}

async function part(request) {
  const parts = await caches.open(PARTS);
  const cached = await parts.match(request);
  if (cached) return cached;
  const response = await fetch(request);
  if (response.ok) {
    await parts.put(request, response.clone());
    const known = await parts.keys();
    for (const old of known.slice(0, Math.max(0, known.length - PARTS_KEEP))) await parts.delete(old);
  }
  return response;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || NEVER.test(url.pathname)) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(part(request));
});

self.addEventListener("push", (event) => {
  let message = {};
  try {
    message = event.data?.json() ?? {};
  } catch {
    message = { body: event.data?.text() };
  }
  const data = message.data ?? {};
  const sessionId = message.sessionId ?? data.sessionId;
  event.waitUntil(
    self.registration.showNotification(message.title ?? "PizzaPi", {
      body: message.body ?? "",
      tag: message.tag ?? sessionId ?? "pizzapi",
      icon: "/icons/icon-192.png",
      badge: "/icons/icon-192.png",
      data: { ...data, sessionId, url: message.url ?? data.url },
      actions: message.actions ?? [],
    }),
  );
});

/** Open the place a notification speaks of, in a tab that is there already if possible. */
async function open(path) {
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const tab = tabs.find((one) => one.visibilityState === "visible") ?? tabs[0];
  if (!tab) return self.clients.openWindow(path);
  tab.postMessage({ kind: "navigate", path });
  return tab.focus();
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { sessionId, toolCallId, url } = event.notification.data ?? {};
  const path = typeof url === "string" && url.startsWith("/") ? url : sessionId ? `/session/${encodeURIComponent(sessionId)}` : "/";
  const text = event.reply || event.action;
  if (!text || !sessionId || !toolCallId) {
    event.waitUntil(open(path));
    return;
  }
  event.waitUntil(
    fetch("/api/push/answer", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ sessionId, toolCallId, text }) })
      .then((response) => (response.ok ? undefined : open(path)))
      .catch(() => open(path)),
  );
});
