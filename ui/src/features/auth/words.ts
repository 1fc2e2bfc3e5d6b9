import { ApiError } from "@/net/api";
import { duration } from "@/data/format";

export type Mode = "sign-in" | "sign-up";

/** A refusal of signing in or up, in words that help. */
export function authProblem(error: unknown, mode: Mode): { text: string; field?: "email" | "password" } {
  if (!(error instanceof ApiError)) return { text: "Something went wrong. Try again." };
  if (error.unreachable) return { text: "The relay isn't answering. Check that it is running, then try again." };
  if (error.status === 429) {
    const wait = error.retryAfter ? ` Wait ${duration(error.retryAfter * 1_000)}.` : " Wait a little.";
    return { text: `Too many attempts.${wait}` };
  }
  if (mode === "sign-in" && (error.status === 401 || error.code === "INVALID_EMAIL_OR_PASSWORD")) return { text: "That e-mail and password don't match an account.", field: "password" };
  if (mode === "sign-up" && error.status === 422) return { text: "An account with this e-mail exists already. Sign in instead.", field: "email" };
  if (mode === "sign-up" && error.status === 403) return { text: "New accounts are closed on this relay. Ask whoever runs it." };
  return { text: error.message };
}
