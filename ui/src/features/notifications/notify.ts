import { navigate, to } from "@/app/routes";
import { decisionsOf, REASON } from "@/data/attention";
import { hub } from "@/data/hub";
import { prefs } from "@/data/prefs";
import { unread } from "@/data/unread";
import { titleOf } from "@/features/sessions/grouping";
import { announce } from "@/ui/announce";

type Kind = "finished" | "needs" | "failed";

function words(id: string, kind: Kind): { title: string; body: string } | undefined {
  const row = hub.getState().sessions.get(id);
  if (!row) return undefined;
  const title = titleOf(row);
  if (kind === "finished") return { title, body: "Finished" };
  if (kind === "failed") return { title, body: row.failed ?? "Stopped with an error" };
  const decision = decisionsOf(id, row.meta)[0];
  return { title, body: decision ? `${REASON[decision.kind]}: ${decision.title}` : "Needs you" };
}

/** One notification per session and kind, replaced rather than stacked. */
function show(id: string, kind: Kind): void {
  // The row is updated in the same tick as the event that leads here.
  queueMicrotask(() => {
    const text = words(id, kind);
    if (!text) return;
    if (!unread.isVisible(id)) announce(`${text.title}: ${text.body}`);
    if (document.visibilityState === "visible" || !prefs.getState().notify || typeof Notification === "undefined" || Notification.permission !== "granted") return;
    const shown = new Notification(text.title, { body: text.body, tag: `${id}:${kind}`, icon: "/icons/icon-192.png" });
    shown.onclick = () => {
      window.focus();
      navigate(to.session(id));
      shown.close();
    };
  });
}

export function startNotifications(): () => void {
  return unread.observe(show);
}

/** Asked only from a press. */
export async function askPermission(): Promise<NotificationPermission> {
  if (typeof Notification === "undefined") return "denied";
  return Notification.permission === "default" ? Notification.requestPermission() : Notification.permission;
}
