import { noteServerTime } from "./clock";

/** A refusal or failure of the relay's HTTP interface, in a form a screen can decide on. */
export class ApiError extends Error {
  override name = "ApiError";
  /** HTTP status; 0 when the relay could not be reached. */
  readonly status: number;
  /** Closed set of the relay, when it gave one. */
  readonly code: string | undefined;
  /** Seconds until another attempt makes sense. */
  readonly retryAfter: number | undefined;
  readonly body: unknown;

  constructor(message: string, status: number, code?: string, retryAfter?: number, body?: unknown) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.body = body;
  }

  get unreachable(): boolean {
    return this.status === 0;
  }
}

/** What to tell a person about `error`. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError && error.unreachable) return "The relay can't be reached.";
  return error instanceof Error && error.message ? error.message : "Something went wrong.";
}

export interface RequestOptions {
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** Give up after this long, ms. */
  timeoutMs?: number;
  /** A 401 is an ordinary answer here (sign-in itself), not an expired login. */
  expectUnauthorized?: boolean;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const unauthorized = new Set<() => void>();

/** Called whenever a request is refused for lack of a login. */
export function onUnauthorized(listener: () => void): () => void {
  unauthorized.add(listener);
  return () => unauthorized.delete(listener);
}

export function notifyUnauthorized(): void {
  for (const listener of unauthorized) listener();
}

function member(body: unknown, key: string): unknown {
  return typeof body === "object" && body !== null ? Reflect.get(body, key) : undefined;
}

function textMember(body: unknown, key: string): string | undefined {
  const value = member(body, key);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** An `ApiError` from a refused response. Both error shapes of the relay are understood: `{error, code}` and `{message, code}`. */
export function refusal(status: number, header: (name: string) => string | null, text: string): ApiError {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const words = textMember(body, "error") ?? textMember(body, "message") ?? (text.length > 0 && text.length < 300 && !text.startsWith("<") ? text : undefined);
  const wait = Number(header("retry-after") ?? header("x-retry-after"));
  return new ApiError(words ?? fallback(status), status, textMember(body, "code"), Number.isFinite(wait) && wait > 0 ? wait : undefined, body);
}

function fallback(status: number): string {
  if (status === 401) return "You're signed out.";
  if (status === 403) return "You don't have access to this.";
  if (status === 404) return "Not found.";
  if (status === 413) return "That's too large.";
  if (status === 429) return "Too many attempts. Wait a moment.";
  if (status >= 500) return "The relay had a problem.";
  return `The relay refused the request (${status}).`;
}

async function request<T>(method: string, path: string, body: unknown, options: RequestOptions): Promise<T> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }), ...options.headers },
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(timeout.aborted ? "No answer in time." : "The relay can't be reached.", 0, timeout.aborted ? "timeout" : "unreachable");
  }
  noteServerTime(response.headers.get("date"));
  if (!response.ok) {
    if (response.status === 401 && !options.expectUnauthorized) notifyUnauthorized();
    throw refusal(response.status, (name) => response.headers.get(name), text);
  }
  // The caller names the shape; bodies come from our own relay and are checked against its schema in tests.
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** Upload with progress, which `fetch` does not report. */
function upload<T>(path: string, files: readonly { name: string; blob: Blob }[], onProgress?: (fraction: number) => void, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const file of files) form.append("files", file.blob, file.name);
    const xhr = new XMLHttpRequest();
    xhr.open("POST", path);
    xhr.setRequestHeader("accept", "application/json");
    xhr.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    xhr.onload = () => {
      if (xhr.status >= 200 && xhr.status < 300) return resolve(JSON.parse(xhr.responseText) as T);
      if (xhr.status === 401) notifyUnauthorized();
      return reject(refusal(xhr.status, (name) => xhr.getResponseHeader(name), xhr.responseText));
    };
    xhr.onerror = () => reject(new ApiError("The relay can't be reached.", 0, "unreachable"));
    xhr.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    signal?.addEventListener("abort", () => xhr.abort());
    xhr.send(form);
  });
}

export const api = {
  get: <T>(path: string, options: RequestOptions = {}) => request<T>("GET", path, undefined, options),
  post: <T>(path: string, body: unknown = {}, options: RequestOptions = {}) => request<T>("POST", path, body, options),
  put: <T>(path: string, body: unknown = {}, options: RequestOptions = {}) => request<T>("PUT", path, body, options),
  patch: <T>(path: string, body: unknown = {}, options: RequestOptions = {}) => request<T>("PATCH", path, body, options),
  del: <T>(path: string, body?: unknown, options: RequestOptions = {}) => request<T>("DELETE", path, body, options),
  upload,
};

/** A path from parts, each encoded; query members that are undefined or empty are left out. */
export function url(parts: readonly string[], query: Record<string, string | number | boolean | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== "") search.set(key, String(value));
  const tail = search.toString();
  return `/${parts.map(encodeURIComponent).join("/")}${tail ? `?${tail}` : ""}`;
}
