import { DEFAULT_PREFS, setPref, usePref } from "@/data/prefs";
import { spell } from "@/app/hotkeys";
import { Section } from "@/ui/bits";
import { Segmented, Switch } from "@/ui/Choice";
import { Setting } from "./Setting";

export function Appearance() {
  const theme = usePref("theme");
  const contrast = usePref("contrast");
  const density = usePref("density");
  const motion = usePref("motion");
  const textSize = usePref("textSize");
  const sendKey = usePref("sendKey");
  const thinking = usePref("thinking");
  const diff = usePref("diff");
  const deliverAs = usePref("deliverAs");
  const showAllRows = usePref("showAllRows");
  return (
    <div className="flex flex-col gap-8">
      <Section title="Look">
        <div className="divide-y divide-line">
          <Setting label="Theme">
            <Segmented
              label="Theme"
              value={theme}
              onChange={(value) => setPref("theme", value)}
              options={[
                { value: "system", label: "System" },
                { value: "light", label: "Light" },
                { value: "dark", label: "Dark" },
              ]}
            />
          </Setting>
          <Setting label="Density">
            <Segmented
              label="Density"
              value={density}
              onChange={(value) => setPref("density", value)}
              options={[
                { value: "compact", label: "Compact" },
                { value: "normal", label: "Normal" },
                { value: "relaxed", label: "Relaxed" },
              ]}
            />
          </Setting>
          <Setting label="Text size">
            <Segmented
              label="Text size"
              value={String(textSize)}
              onChange={(value) => setPref("textSize", Number(value) || DEFAULT_PREFS.textSize)}
              options={["90", "100", "112", "125"].map((value) => ({ value, label: `${value} %` }))}
            />
          </Setting>
          <Setting label="Stronger contrast" hint="Also follows the system's setting.">
            <Switch label="Stronger contrast" checked={contrast === "more"} onChange={(on) => setPref("contrast", on ? "more" : "system")} />
          </Setting>
          <Setting label="Less motion" hint="Also follows the system's setting.">
            <Switch label="Less motion" checked={motion === "less"} onChange={(on) => setPref("motion", on ? "less" : "system")} />
          </Setting>
        </div>
      </Section>
      <Section title="Conversation">
        <div className="divide-y divide-line">
          <Setting label="Send with" hint="The other one makes a new line.">
            <Segmented
              label="Send with"
              value={sendKey}
              onChange={(value) => setPref("sendKey", value)}
              options={[
                { value: "enter", label: "Enter" },
                { value: "mod-enter", label: spell("Mod+Enter") },
              ]}
            />
          </Setting>
          <Setting label="While the agent works" hint="Queue waits for the end of the run; steer reaches it at the next step.">
            <Segmented
              label="While the agent works"
              value={deliverAs}
              onChange={(value) => setPref("deliverAs", value)}
              options={[
                { value: "followUp", label: "Queue" },
                { value: "steer", label: "Steer" },
              ]}
            />
          </Setting>
          <Setting label="Thinking">
            <Segmented
              label="Thinking"
              value={thinking}
              onChange={(value) => setPref("thinking", value)}
              options={[
                { value: "folded", label: "Folded" },
                { value: "open", label: "Open" },
                { value: "hidden", label: "Hidden" },
              ]}
            />
          </Setting>
          <Setting label="Diffs">
            <Segmented
              label="Diffs"
              value={diff}
              onChange={(value) => setPref("diff", value)}
              options={[
                { value: "unified", label: "One column" },
                { value: "split", label: "Side by side" },
              ]}
            />
          </Setting>
          <Setting label="Keep all rows on the page" hint="For the browser's own search and some screen readers. Slower in long conversations.">
            <Switch label="Keep all rows on the page" checked={showAllRows} onChange={(on) => setPref("showAllRows", on)} />
          </Setting>
        </div>
      </Section>
    </div>
  );
}
