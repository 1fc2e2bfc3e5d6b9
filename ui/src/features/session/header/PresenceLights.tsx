import { useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { duration } from "@/data/format";
import { useSession } from "@/data/hub";
import { useRunner } from "@/data/runners";
import { secondTicker } from "@/net/clock";
import { connection } from "@/net/connection";
import { Popover, cx } from "@/ui";
import type { Light, Lights, LightState } from "@/protocol/generated";
import { useFacts, useOpenSession } from "../context";
import { usePresence } from "../presence";

/** Without word for this long a leg counts as slow, then as dead, ms. */
const SLOW_MS = 15_000;
const DEAD_MS = 35_000;

interface Leg {
  readonly name: string;
  readonly explains: string;
  readonly state: LightState;
  readonly heardAt: number | null;
}

const COLOURS: Record<LightState, string> = { up: "bg-done", slow: "bg-wait", down: "bg-fail", off: "bg-line-strong/50", unknown: "bg-line-strong/50" };
const WORDS: Record<LightState, string> = { up: "there", slow: "slow to answer", down: "not answering", off: "nothing to hear from", unknown: "not known" };

function aged(heardAt: number | null, now: number): LightState {
  if (heardAt === null) return "unknown";
  const age = now - heardAt;
  return age < SLOW_MS ? "up" : age < DEAD_MS ? "slow" : "down";
}

/** The relay's word about a leg; an answer that grew old while the relay itself was away says nothing any more. */
function told(light: Light | undefined, fallback: Leg): Leg {
  if (!light || light.state === "unknown") return fallback;
  // The relay tells of changes; a leg that is up has been heard since.
  return { ...fallback, state: light.state, heardAt: light.state === "up" ? Math.max(light.heardAt ?? 0, fallback.heardAt ?? 0) || null : light.heardAt };
}

/** Two feeds tell of the same lights; the one that heard of the relay last is the newer. */
function newest(a: Lights | null | undefined, b: Lights | null | undefined): Lights | undefined {
  if (!a || !b) return a ?? b ?? undefined;
  return (b.relay.heardAt ?? 0) > (a.relay.heardAt ?? 0) ? b : a;
}

function useLegs(): readonly Leg[] {
  const { sessionId, model } = useOpenSession();
  const now = useSyncExternalStore(secondTicker.subscribe, secondTicker.get);
  const link = useStore(connection);
  const row = useSession(sessionId);
  const runner = useRunner(row?.info.runnerId);
  const heardAt = useFacts(model, (facts) => facts.heardAt);
  const presence = usePresence(sessionId);
  const lights = newest(presence?.lights, row?.info.lights);
  const reachable = link.phase === "connected";
  const relay: Leg = { name: "Relay", explains: "This page and the relay", state: reachable ? "up" : "down", heardAt: link.heardAt || null };
  const machine: Leg = told(lights?.machine, {
    name: "Machine",
    explains: row?.info.runnerName ?? "The session's machine",
    state: row?.info.runnerId ? (runner ? (runner.online ? "up" : "down") : "unknown") : "off",
    heardAt: runner?.seenAt ?? null,
  });
  const agent: Leg = told(lights?.agent, { name: "Agent", explains: "The session's process", state: presence && presence.presence !== "online" && presence.presence !== "starting" ? "down" : aged(heardAt, now), heardAt });
  const model_: Leg = told(lights?.model, { name: "Model", explains: "The provider's last byte", state: "off", heardAt: null });
  return reachable ? [relay, machine, agent, model_] : [relay, ...[machine, agent, model_].map((leg): Leg => ({ ...leg, state: "unknown" }))];
}

/** Four lights: who is really there, from answers through the whole chain. */
export function PresenceLights() {
  const { sessionId } = useOpenSession();
  const legs = useLegs();
  const now = useSyncExternalStore(secondTicker.subscribe, secondTicker.get);
  const presence = usePresence(sessionId);
  const worst = legs.find((leg) => leg.state === "down") ?? legs.find((leg) => leg.state === "slow");
  const label = worst ? `${worst.name} ${WORDS[worst.state]}${worst.heardAt === null ? "" : `, heard ${duration(now - worst.heardAt)} ago`}` : "All there";
  return (
    <Popover
      align="start"
      label="Presence"
      className="w-72 p-3"
      trigger={
        <button type="button" className="lights" aria-label={`Presence: ${label}`}>
          {legs.map((leg) => (
            <span key={leg.name} aria-hidden="true" className={cx("size-1.5 rounded-full", COLOURS[leg.state])} />
          ))}
          {worst && worst.state === "down" && <span className="ml-1 truncate text-fail">{presence?.presence === "reconnecting" && worst.name === "Agent" ? "Agent reconnecting" : label}</span>}
        </button>
      }
    >
      <ul className="flex flex-col gap-2.5">
        {legs.map((leg) => (
          <li key={leg.name} className="flex items-center gap-3">
            <span aria-hidden="true" className={cx("size-2 rounded-full", COLOURS[leg.state])} />
            <span className="min-w-0 flex-1">
              <span className="block text-ui font-medium text-text">{leg.name}</span>
              <span className="block truncate text-meta text-text-3">{leg.explains}</span>
            </span>
            <span className="text-right text-meta text-text-2">
              <span className="block">{WORDS[leg.state]}</span>
              {leg.heardAt !== null && leg.state !== "off" && <span className="block tnum text-text-3">heard {duration(Math.max(0, now - leg.heardAt))} ago</span>}
            </span>
          </li>
        ))}
      </ul>
      {presence?.viewers != null && presence.viewers > 1 && <p className="mt-3 border-t border-line pt-2 text-meta text-text-3">{presence.viewers} people or tabs are watching</p>}
    </Popover>
  );
}
