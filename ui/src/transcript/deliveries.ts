/** What became of the commands of this session. A receipt that overtook another never takes a command back. */

import { object, text } from "./json";

export type DeliveryState = "accepted" | "delivered" | "consumed" | "rejected" | "expired" | "cancelled" | "unknown";

export interface Delivery {
  readonly state: DeliveryState;
  readonly code: string | null;
  readonly message: string | null;
  readonly by: string | null;
}

const DELIVERY_STATES: readonly DeliveryState[] = ["accepted", "delivered", "consumed", "rejected", "expired", "cancelled", "unknown"];

const RANK: Record<DeliveryState, number> = { accepted: 0, delivered: 1, unknown: 2, consumed: 3, rejected: 3, expired: 3, cancelled: 3 };

export class Deliveries {
  readonly #known = new Map<string, Delivery>();

  of(commandId: string): Delivery | undefined {
    return this.#known.get(commandId);
  }

  /** Take a `command_status`. Answers whose it is when that changed something. */
  apply(value: unknown): string | null {
    const raw = object(value);
    const id = raw && text(raw["commandId"]);
    const state = DELIVERY_STATES.find((known) => known === raw?.["state"]);
    if (!raw || !id || !state) return null;
    const before = this.#known.get(id);
    if (before && RANK[before.state] > RANK[state]) return null;
    this.#known.set(id, { state, code: text(raw["code"]), message: text(raw["message"]), by: text(raw["by"]) });
    return id;
  }
}
