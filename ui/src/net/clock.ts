/** Wall time of the relay and the page's two timers. Everything that shows durations goes through here. */

let offset = 0;

/** Adjust to the relay's clock from a response's `Date` header (whole seconds; small differences are noise). */
export function noteServerTime(header: string | null): void {
  if (!header) return;
  const at = Date.parse(header);
  if (!Number.isFinite(at)) return;
  const difference = at + 500 - Date.now();
  offset = Math.abs(difference) > 2_000 ? difference : 0;
}

/** Now, in the relay's time, Unix ms. */
export function serverNow(): number {
  return Date.now() + offset;
}

export interface Ticker {
  subscribe: (listener: () => void) => () => void;
  /** Relay time at the last tick. */
  get: () => number;
}

/** Runs only while somebody listens; the value comes from the wall clock, so a sleeping tab is right again at once. */
function ticker(periodMs: number): Ticker {
  const listeners = new Set<() => void>();
  let value = serverNow();
  let timer: ReturnType<typeof setInterval> | undefined;
  const tick = () => {
    value = serverNow();
    for (const listener of listeners) listener();
  };
  return {
    subscribe(listener) {
      listeners.add(listener);
      if (timer === undefined) {
        value = serverNow();
        timer = setInterval(tick, periodMs);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && timer !== undefined) {
          clearInterval(timer);
          timer = undefined;
        }
      };
    },
    get() {
      // Without listeners nothing ticks; a first read must still be right.
      if (timer === undefined && serverNow() - value > periodMs) value = serverNow();
      return value;
    },
  };
}

export const secondTicker = ticker(1_000);
export const minuteTicker = ticker(20_000);
