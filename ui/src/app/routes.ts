import { useMemo } from "react";
import { useLocation, useSearch } from "wouter";
import { navigate as go } from "wouter/use-browser-location";

/** The one module that builds and reads addresses. Panels, files and tabs live in them; drafts and scroll do not. */

export type Panel = "changes" | "files" | "tasks" | "context" | "preview" | "events";
export const PANELS: readonly Panel[] = ["changes", "files", "tasks", "context", "preview", "events"];

export const RUNNER_TABS = ["overview", "models", "skills", "agents", "plugins", "hooks", "mcp", "usage", "sandbox", "terminal"] as const;
export type RunnerTab = (typeof RUNNER_TABS)[number];

export const SETTINGS_PAGES = ["account", "appearance", "notifications", "models", "keys", "devices", "shortcuts", "about"] as const;
export type SettingsPage = (typeof SETTINGS_PAGES)[number];

export interface SessionParams {
  p?: Panel;
  f?: string;
  l?: string;
  m?: string;
  t?: "1";
}

export type Route =
  | { name: "home"; runner?: string; cwd?: string; prompt?: string; new?: string }
  | ({ name: "session"; id: string } & SessionParams)
  | { name: "history"; q?: string; runner?: string }
  | { name: "runners" }
  | { name: "runner"; id: string; tab: RunnerTab }
  | { name: "settings"; page: SettingsPage }
  | { name: "automations" }
  | { name: "sign-in"; next?: string }
  | { name: "sign-up"; next?: string }
  | { name: "setup-claim"; t?: string }
  | { name: "mobile-link"; id?: string }
  | { name: "missing"; path: string };

function query(members: Record<string, string | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(members)) if (value) search.set(key, value);
  const text = search.toString();
  return text ? `?${text}` : "";
}

export const to = {
  home: (params: { runner?: string; cwd?: string; prompt?: string; new?: "1" } = {}) => `/${query(params)}`,
  session: (id: string, params: SessionParams = {}) => `/session/${encodeURIComponent(id)}${query({ ...params })}`,
  history: (params: { q?: string; runner?: string } = {}) => `/history${query(params)}`,
  runners: () => "/runners",
  runner: (id: string, tab: RunnerTab = "overview") => `/runners/${encodeURIComponent(id)}/${tab}`,
  settings: (page: SettingsPage = "account") => `/settings/${page}`,
  automations: () => "/automations",
  signIn: (next?: string) => `/sign-in${query({ next: next === "/" ? undefined : next })}`,
  signUp: (next?: string) => `/sign-up${query({ next: next === "/" ? undefined : next })}`,
};

/** Members of the search string, only those asked for. */
function pick<K extends string>(search: URLSearchParams, keys: readonly K[]): { [key in K]?: string } {
  const found: { [key in K]?: string } = {};
  for (const key of keys) {
    const value = search.get(key);
    if (value) found[key] = value;
  }
  return found;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function parse(path: string, searchText: string): Route {
  const search = new URLSearchParams(searchText);
  const [head, first, second, ...rest] = path.split("/").filter(Boolean).map(decode);
  if (head === undefined) return { name: "home", ...pick(search, ["runner", "cwd", "prompt", "new"]) };
  if (rest.length > 0) return { name: "missing", path };
  switch (head) {
    case "session": {
      if (first === undefined || second !== undefined) break;
      const panel = PANELS.find((known) => known === search.get("p"));
      return { name: "session", id: first, ...pick(search, ["f", "l", "m"]), ...(panel ? { p: panel } : {}), ...(search.get("t") === "1" ? { t: "1" } : {}) };
    }
    case "history":
      if (first === undefined) return { name: "history", ...pick(search, ["q", "runner"]) };
      break;
    case "runners":
      if (first === undefined) return { name: "runners" };
      return { name: "runner", id: first, tab: RUNNER_TABS.find((tab) => tab === second) ?? "overview" };
    case "settings":
      return { name: "settings", page: SETTINGS_PAGES.find((page) => page === first) ?? "account" };
    case "automations":
      return { name: "automations" };
    case "sign-in":
      return { name: "sign-in", ...pick(search, ["next"]) };
    case "sign-up":
      return { name: "sign-up", ...pick(search, ["next"]) };
    case "setup-claim":
      return { name: "setup-claim", ...pick(search, ["t"]) };
    case "mobile-link":
      return { name: "mobile-link", ...pick(search, ["id"]) };
  }
  return { name: "missing", path };
}

/** Only a place inside this app may follow a sign-in. */
export function safeNext(next: string | undefined): string {
  if (!next || !next.startsWith("/") || next.startsWith("//") || next.includes("\\")) return "/";
  const url = new URL(next, location.origin);
  return url.origin === location.origin && !url.pathname.startsWith("/sign-") ? `${url.pathname}${url.search}${url.hash}` : "/";
}

export function useRoute(): Route {
  const [path] = useLocation();
  const search = useSearch();
  return useMemo(() => parse(path, search), [path, search]);
}

export function navigate(path: string, options: { replace?: boolean } = {}): void {
  if (path === `${location.pathname}${location.search}`) return;
  go(path, options);
}

/** Change members of a session's address; opening pushes, switching replaces. */
export function setSessionParams(id: string, change: { [K in keyof SessionParams]: SessionParams[K] | undefined }, options: { replace?: boolean } = {}): void {
  const route = parse(location.pathname, location.search);
  const now = route.name === "session" && route.id === id ? { p: route.p, f: route.f, l: route.l, m: route.m, t: route.t } : {};
  const next: SessionParams = {};
  for (const [key, value] of Object.entries({ ...now, ...change })) if (value !== undefined) Object.assign(next, { [key]: value });
  navigate(to.session(id, next), options);
}

export { Link } from "wouter";
