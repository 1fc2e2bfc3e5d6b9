/** How far a session's content is with us. */

export type Phase =
  /** Never asked. */
  | "new"
  /** Asked, nothing of the answer is on screen yet. */
  | "attaching"
  | "live"
  /** Ended; what is shown is the stored copy. */
  | "replay"
  | "failed";

export interface Hydration {
  readonly phase: Phase;
  /** Why it failed or ended, in words for a person. */
  readonly reason: string | null;
  readonly retryable: boolean;
  /** The server vouches that nothing is missing. */
  readonly complete: boolean;
  /** Progress of a large conversation. */
  readonly received: number;
  readonly total: number | null;
  /** The content on screen is a stored copy that has not been confirmed yet. */
  readonly stale: boolean;
}

/** Before anything was asked. */
export const NOT_ASKED: Hydration = { phase: "new", reason: null, retryable: false, complete: false, received: 0, total: null, stale: false };
