import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useStore } from "zustand";
import { resetAppData } from "@/app/recover";
import { duration } from "@/data/format";
import { hub } from "@/data/hub";
import { outbox } from "@/data/outbox";
import { healthQuery } from "@/data/queries";
import { checkLink, connection } from "@/net/connection";
import { transportName } from "@/net/manager";
import { Section } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/confirm";
import { RelativeTime } from "@/ui/time";

/** Versions, and how the link is doing. What to look at, and to copy, when something is odd. */
export function About() {
  const health = useQuery({ ...healthQuery(), refetchInterval: 15_000 });
  const link = useStore(connection);
  const sessions = useStore(hub, (state) => state.sessions.size);
  const [trip, setTrip] = useState<string | undefined>();
  const measure = async () => {
    const start = performance.now();
    const alive = await checkLink();
    setTrip(alive ? `${Math.round(performance.now() - start)} ms` : "no answer");
  };
  const version = health.data?.version;
  return (
    <div className="flex flex-col gap-10">
      <Section title="Versions">
        <Facts
          rows={[
            ["This page", [__APP_VERSION__, __APP_COMMIT__].filter(Boolean).join(" · ")],
            ["Relay", version ? [version.server, version.buildTimestamp].filter(Boolean).join(" · ") : "not reachable"],
            ["Relay is up for", health.data ? duration(health.data.uptime * 1_000) : "–"],
            ["State", health.data ? (health.data.status === "ok" ? "All well" : "Degraded") : "–"],
          ]}
        />
      </Section>
      <Section title="Connection" actions={<Button size="sm" onClick={() => void measure()}>Measure</Button>}>
        <Facts
          rows={[
            ["Link", link.phase],
            ["Transport", transportName() ?? "–"],
            ["Round trip", trip ?? "–"],
            ["Last heard", link.heardAt ? <RelativeTime at={link.heardAt} /> : "–"],
            ["Sessions known", String(sessions)],
            ["Messages not delivered", String(outbox.count())],
          ]}
        />
      </Section>
      <Section title="This browser" description="Drafts, unsent messages, cached conversations and preferences live here.">
        <div>
          <Button
            kind="danger"
            onClick={() =>
              void confirm({ title: "Reset app data?", body: "Drafts, unsent messages and preferences on this device are deleted. Your sessions are not touched.", action: "Reset", danger: true }).then((yes) => (yes ? resetAppData() : undefined))
            }
          >
            Reset app data
          </Button>
        </div>
      </Section>
    </div>
  );
}

function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[minmax(9rem,auto)_1fr] gap-x-6 gap-y-2 text-ui">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-text-3">{name}</dt>
          <dd className="min-w-0 break-words select-text tnum">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
