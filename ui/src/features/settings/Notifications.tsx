import { BellOff } from "lucide-react";
import { useState } from "react";
import { setPref, usePref } from "@/data/prefs";
import { askPermission } from "@/features/notifications";
import { Banner, Section } from "@/ui/bits";
import { Switch } from "@/ui/Choice";
import { Setting } from "./Setting";

export function Notifications() {
  const notify = usePref("notify");
  const supported = typeof Notification !== "undefined";
  const [permission, setPermission] = useState(supported ? Notification.permission : "denied");
  const set = async (on: boolean) => {
    if (!on) return setPref("notify", false);
    const answer = await askPermission();
    setPermission(answer);
    setPref("notify", answer === "granted");
    return undefined;
  };
  return (
    <Section title="Notifications" description="While this page is open in a tab you are not looking at.">
      <Setting label="Notify me" hint="When a session needs you, finishes or fails. One per session, replaced rather than piled up.">
        <Switch label="Notify me" checked={notify && permission === "granted"} onChange={(on) => void set(on)} disabled={!supported} />
      </Setting>
      {!supported && <Banner icon={BellOff}>This browser can't show notifications here. On a phone, install the app to the home screen first.</Banner>}
      {supported && permission === "denied" && (
        <Banner icon={BellOff} tone="wait">
          The browser blocks notifications from this page. Allow them in its site settings (the icon beside the address), then switch this on again.
        </Banner>
      )}
    </Section>
  );
}
