import { QueryClient, queryOptions } from "@tanstack/react-query";
import { api, ApiError, url } from "@/net/api";
import { runnersChannel } from "@/net/manager";
import type { Health, Model, PersistedSession, RunnerPlugin } from "@/protocol/wire";
import { isObject } from "./storage";

/** Lists and forms that the relay answers over HTTP. Keys start with the runner or session they belong to. */

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      gcTime: 10 * 60_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
});

/** What may have changed while the link was away is asked for again; a changed runner refreshes its lists. */
export function watchQueries(): () => void {
  const stops = [
    runnersChannel.onConnect(() => void queryClient.invalidateQueries()),
    runnersChannel.on("runner_updated", ({ runnerId }) => void queryClient.invalidateQueries({ queryKey: ["runner", runnerId] })),
  ];
  return () => stops.forEach((stop) => stop());
}

/** The runner's answers come wrapped as `{ok, …}` or bare. */
function unwrap(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}
function listOf<T>(value: unknown, check: (entry: unknown) => entry is T): T[] {
  return Array.isArray(value) ? value.filter(check) : [];
}
const isNamed = (value: unknown): value is { name: string; description: string; filePath: string } => isObject(value) && typeof value["name"] === "string";

export type RunnerModel = Model;
const isModel = (value: unknown): value is RunnerModel => isObject(value) && typeof value["provider"] === "string" && typeof value["id"] === "string";

export const modelsQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "models"],
    queryFn: async ({ signal }) => listOf(unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "models"]), { signal }))["models"], isModel),
  });

export const recentFoldersQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "recent-folders"],
    queryFn: async ({ signal }) =>
      listOf(unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "recent-folders"]), { signal }))["folders"], (entry): entry is string => typeof entry === "string"),
  });

export interface Directory {
  name: string;
  path: string;
}
const isDirectory = (value: unknown): value is Directory => isObject(value) && typeof value["name"] === "string" && typeof value["path"] === "string";

export const browseQuery = (runnerId: string, path: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "browse", path],
    queryFn: async ({ signal }) => listOf(unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "browse"], { path }), { signal }))["directories"], isDirectory),
    staleTime: 10_000,
  });

export interface ProviderInfo {
  id: string;
  name: string;
  types: string[];
  configured: boolean;
}
const isProvider = (value: unknown): value is ProviderInfo => isObject(value) && typeof value["id"] === "string" && Array.isArray(value["types"]);

export const providersQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "providers"],
    queryFn: async ({ signal }) =>
      listOf(unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "providers"]), { signal }))["providers"], isProvider).map((provider) => ({ ...provider, name: provider.name || provider.id, configured: provider.configured === true })),
  });

export type LoginStep =
  | { state: "prompt"; loginId: string; prompt: { type: string; message: string; placeholder?: string; options?: { id: string; label: string }[] }; authUrl?: string; info?: string[] }
  | { state: "waiting"; loginId?: string; authUrl?: string; info?: string[] }
  | { state: "done"; providerId?: string }
  | { state: "error"; message: string };

/** A step of a provider's sign-in, wherever in the answer it stands. */
export function loginStep(value: unknown): LoginStep {
  const body = unwrap(value);
  const step = isObject(body["step"]) ? body["step"] : body;
  const loginId = typeof step["loginId"] === "string" ? step["loginId"] : undefined;
  const info = listOf(step["info"], (line): line is string => typeof line === "string");
  const authUrl = typeof step["authUrl"] === "string" && /^https?:\/\//.test(step["authUrl"]) ? step["authUrl"] : undefined;
  const common = { ...(authUrl ? { authUrl } : {}), ...(info.length > 0 ? { info } : {}) };
  if (step["state"] === "prompt" && loginId && isObject(step["prompt"])) {
    const { type, message, placeholder, options } = step["prompt"];
    return {
      state: "prompt",
      loginId,
      prompt: {
        type: typeof type === "string" ? type : "text",
        message: typeof message === "string" ? message : "",
        ...(typeof placeholder === "string" ? { placeholder } : {}),
        ...(Array.isArray(options) ? { options: listOf(options, (option): option is { id: string; label: string } => isObject(option) && typeof option["id"] === "string" && typeof option["label"] === "string") } : {}),
      },
      ...common,
    };
  }
  if (step["state"] === "waiting") return { state: "waiting", ...(loginId ? { loginId } : {}), ...common };
  if (step["state"] === "done") return { state: "done", ...(typeof step["providerId"] === "string" ? { providerId: step["providerId"] } : {}) };
  const message = step["message"] ?? body["error"] ?? body["message"];
  return { state: "error", message: typeof message === "string" ? message : "The sign-in did not work." };
}

export const skillsQuery = (runnerId: string, kind: "skills" | "agents") =>
  queryOptions({
    queryKey: ["runner", runnerId, kind],
    queryFn: async ({ signal }) => listOf(unwrap(await api.get<unknown>(url(["api", "runners", runnerId, kind]), { signal }))[kind], isNamed),
  });

export const skillQuery = (runnerId: string, kind: "skills" | "agents", name: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, kind, name],
    queryFn: async ({ signal }) => {
      const body = unwrap(await api.get<unknown>(url(["api", "runners", runnerId, kind, name]), { signal }));
      return typeof body["content"] === "string" ? body["content"] : "";
    },
  });

export const pluginsQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "plugins"],
    queryFn: async ({ signal }) =>
      listOf(unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "plugins"]), { signal }))["plugins"], (entry): entry is RunnerPlugin => isNamed(entry)),
  });

export const runnerSettingsQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "settings"],
    queryFn: async ({ signal }) => {
      const body = unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "settings"]), { signal }));
      return { config: unwrap(body["config"]), tuiSettings: unwrap(body["tuiSettings"]), agentsMd: typeof body["agentsMd"] === "string" ? body["agentsMd"] : "" };
    },
  });

export const sandboxQuery = (runnerId: string) =>
  queryOptions({
    queryKey: ["runner", runnerId, "sandbox"],
    queryFn: async ({ signal }) => unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "sandbox-status"]), { signal })),
  });

export type UsageRange = "7d" | "30d" | "90d" | "all";

export const usageQuery = (runnerId: string, range: UsageRange) =>
  queryOptions({
    queryKey: ["runner", runnerId, "usage", range],
    queryFn: async ({ signal }) => {
      const body = unwrap(await api.get<unknown>(url(["api", "runners", runnerId, "usage"], { range }), { signal, timeoutMs: 40_000 }));
      return isObject(body["data"]) ? body["data"] : body;
    },
    staleTime: 60_000,
  });

export interface HistoryPage {
  persistedSessions: PersistedSession[];
  nextCursor: string | null;
}

export async function historyPage(params: { q?: string; runnerId?: string; cursor?: string }, signal: AbortSignal): Promise<HistoryPage> {
  const body = unwrap(await api.get<unknown>(url(["api", "sessions"], { limit: 40, ...params }), { signal }));
  const persistedSessions = listOf(body["persistedSessions"], (entry): entry is PersistedSession => isObject(entry) && typeof entry["sessionId"] === "string");
  return { persistedSessions, nextCursor: typeof body["nextCursor"] === "string" ? body["nextCursor"] : null };
}

export interface ApiKeyRow {
  id: string;
  name: string | null;
  start: string | null;
  prefix: string | null;
  createdAt: string;
  expiresAt: string | null;
  lastRequest: string | null;
  enabled: boolean;
}

export const keysQuery = () =>
  queryOptions({
    queryKey: ["keys"],
    queryFn: async ({ signal }) => {
      const body = await api.get<unknown>("/api/auth/api-key/list", { signal });
      return listOf(Array.isArray(body) ? body : unwrap(body)["apiKeys"], (entry): entry is ApiKeyRow => isObject(entry) && typeof entry["id"] === "string");
    },
  });

export interface LoginRow {
  id: string;
  token: string;
  createdAt: string;
  updatedAt: string;
  expiresAt: string;
  ipAddress: string | null;
  userAgent: string | null;
}

export const loginsQuery = () =>
  queryOptions({
    queryKey: ["logins"],
    queryFn: async ({ signal }) => listOf(await api.get<unknown>("/api/auth/list-sessions", { signal }), (entry): entry is LoginRow => isObject(entry) && typeof entry["token"] === "string"),
  });

export const hiddenModelsQuery = () =>
  queryOptions({
    queryKey: ["hidden-models"],
    queryFn: async ({ signal }) => listOf(unwrap(await api.get<unknown>("/api/settings/hidden-models", { signal }))["hiddenModels"], (entry): entry is string => typeof entry === "string"),
  });

export interface Capabilities {
  webPush: boolean;
  features: readonly string[];
  attachmentBytes: number | undefined;
}

/** What this relay offers, so that nothing is shown that cannot work. */
export const capabilitiesQuery = () =>
  queryOptions({
    queryKey: ["capabilities"],
    queryFn: async ({ signal }): Promise<Capabilities> => {
      const body = unwrap(await api.get<unknown>("/api/capabilities", { signal }));
      const limit = unwrap(body["limits"])["attachmentBytes"];
      return {
        webPush: unwrap(body["push"])["web"] === true,
        features: listOf(body["features"], (entry): entry is string => typeof entry === "string"),
        attachmentBytes: typeof limit === "number" ? limit : undefined,
      };
    },
    staleTime: 10 * 60_000,
  });

export const healthQuery = () =>
  queryOptions({
    queryKey: ["health"],
    queryFn: async ({ signal }) => api.get<Health>("/health", { signal }),
    staleTime: 60_000,
  });
