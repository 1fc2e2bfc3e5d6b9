import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";
import { api, ApiError, onUnauthorized } from "@/net/api";
import { isObject, load, onStored, save } from "./storage";

export interface Person {
  id: string;
  name: string;
  email: string;
}

export interface AuthState {
  /** checking: first look; out: sign in; in: go; unreachable: no relay to ask. */
  status: "checking" | "out" | "in" | "unreachable";
  person: Person | undefined;
  /** The login ran out while the app was in use: ask again over the current screen. */
  expired: boolean;
}

export const auth = createStore<AuthState>(() => ({ status: "checking", person: undefined, expired: false }));

function decodePerson(value: unknown): Person | undefined {
  if (!isObject(value)) return undefined;
  const user = isObject(value["user"]) ? value["user"] : value;
  const { id, name, email } = user;
  return typeof id === "string" && typeof email === "string" ? { id, email, name: typeof name === "string" && name !== "" ? name : email } : undefined;
}

/** Called when another person signed in where somebody else's data is still around. */
let onOtherPerson: () => Promise<void> = () => Promise.resolve();
export function whenPersonChanges(handler: () => Promise<void>): void {
  onOtherPerson = handler;
}

/** Who used this browser last. */
function remembered(): Person | undefined {
  return load("person", decodePerson);
}

async function enter(person: Person): Promise<void> {
  const last = remembered();
  if (last !== undefined && last.id !== person.id) await onOtherPerson();
  save("person", person);
  auth.setState({ status: "in", person, expired: false });
}

/** Who is signed in? Settles the state; never throws. */
export async function checkSession(): Promise<void> {
  try {
    const person = decodePerson(await api.get<unknown>("/api/auth/get-session", { expectUnauthorized: true, timeoutMs: 10_000 }));
    if (person) await enter(person);
    else auth.setState({ status: "out", person: undefined });
  } catch (error) {
    if (error instanceof ApiError && !error.unreachable && error.status < 500) auth.setState({ status: "out", person: undefined });
    else if (auth.getState().status !== "in") {
      // Nobody to ask: whoever was here last finds the last content and their drafts. The sockets ask again, and a login
      // that is over then is asked for over it.
      const last = remembered();
      auth.setState(last ? { status: "in", person: last } : { status: "unreachable" });
    }
  }
}

/** Is signing up offered, and is there nobody yet? When nobody can say, it is offered: the first person must be able to. */
export async function signupStatus(): Promise<{ open: boolean; first: boolean }> {
  try {
    const answer = await api.get<{ signupEnabled?: unknown; firstAccount?: unknown }>("/api/signup-status", { expectUnauthorized: true });
    return { open: answer.signupEnabled !== false, first: answer.firstAccount === true };
  } catch {
    return { open: true, first: false };
  }
}

export async function signIn(email: string, password: string): Promise<void> {
  const answer = await api.post<unknown>("/api/auth/sign-in/email", { email, password, rememberMe: true }, { expectUnauthorized: true });
  await entered(answer);
}

export async function signUp(name: string, email: string, password: string): Promise<void> {
  const answer = await api.post<unknown>("/api/auth/sign-up/email", { name, email, password }, { expectUnauthorized: true });
  await entered(answer);
}

async function entered(answer: unknown): Promise<void> {
  const person = decodePerson(answer);
  if (person) await enter(person);
  else await checkSession();
  save("signal", { kind: "in", at: Date.now() });
}

/** End the login, tell the other tabs, and leave nothing of this person behind. */
export async function signOut(clean: () => Promise<void>): Promise<void> {
  await api.post("/api/auth/sign-out", {}, { expectUnauthorized: true });
  save("signal", { kind: "out", at: Date.now() });
  await clean();
  auth.setState({ status: "out", person: undefined, expired: false });
}

export function expire(): void {
  if (auth.getState().status === "in") auth.setState({ expired: true });
}

/** React to refusals anywhere and to sign-ins and sign-outs in other tabs. */
export function watchAuth(onSignedOutElsewhere: () => void): () => void {
  const stops = [
    onUnauthorized(expire),
    onStored("signal", () => {
      const kind = load("signal", (value) => (isObject(value) ? value["kind"] : undefined));
      if (kind === "out" && auth.getState().status === "in") onSignedOutElsewhere();
      if (kind === "in") void checkSession();
    }),
  ];
  return () => stops.forEach((stop) => stop());
}

export function useAuth(): AuthState {
  return useStore(auth);
}
