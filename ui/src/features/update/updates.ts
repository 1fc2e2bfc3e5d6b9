import { createStore } from "zustand/vanilla";
import { api } from "@/net/api";
import type { Health } from "@/protocol/wire";
import { hubChannel, PROTOCOL_VERSION } from "@/net/manager";

/** How often the relay is asked while the page is looked at, ms. */
const EVERY_MS = 15 * 60_000;
/** Two looks in a row must agree before "slow" is said; this far apart, ms. */
const AGAIN_MS = 5_000;

export interface UpdateState {
  /** The relay serves a newer page than this one. */
  available: boolean;
  /** Which side speaks an older protocol. */
  mismatch: "page" | "relay" | undefined;
  degraded: boolean;
}

export const updates = createStore<UpdateState>(() => ({ available: false, mismatch: undefined, degraded: false }));

/** The build the relay had when this page first saw it. */
let first: string | undefined;
let strikes = 0;

async function look(): Promise<void> {
  try {
    const health = await api.get<Health>("/health", { expectUnauthorized: true });
    const build = `${health.version.server}|${health.version.buildTimestamp ?? ""}`;
    first ??= build;
    const theirs = health.version.socketProtocol;
    updates.setState({
      available: build !== first,
      mismatch: theirs > PROTOCOL_VERSION ? "page" : theirs < PROTOCOL_VERSION ? "relay" : undefined,
    });
    if (health.status === "degraded") {
      strikes++;
      if (strikes === 1) setTimeout(() => void look(), AGAIN_MS);
      else updates.setState({ degraded: true });
    } else {
      strikes = 0;
      updates.setState({ degraded: false });
    }
  } catch {
    // The connection bar speaks for a relay that does not answer.
  }
}

export function startUpdates(): () => void {
  const timer = setInterval(() => document.visibilityState === "visible" && void look(), EVERY_MS);
  const stop = hubChannel.onConnect(() => void look());
  return () => {
    clearInterval(timer);
    stop();
  };
}
