import { navigate } from "./routes";

/** Register the service worker of a built page, and follow the notifications it is pressed on. */
export function startWorker(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register("/sw.js").catch((error: unknown) => console.warn("the service worker was not accepted", error));
  navigator.serviceWorker.addEventListener("message", (event: MessageEvent<unknown>) => {
    const message = event.data;
    if (typeof message === "object" && message !== null && "kind" in message && message.kind === "navigate" && "path" in message && typeof message.path === "string" && message.path.startsWith("/")) navigate(message.path);
  });
}
