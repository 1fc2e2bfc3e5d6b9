import { api, url } from "@/net/api";
import { flag, list, number, object, text, words } from "@/transcript/json";

export interface FileEntry {
  readonly name: string;
  readonly path: string;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
  readonly size: number | null;
}

export interface FileContent {
  readonly content: string | null;
  readonly truncated: boolean;
  readonly size: number | null;
}

export function parseEntries(answer: unknown): FileEntry[] {
  const raw = object(answer);
  return list(raw?.["files"] ?? raw?.["entries"]).flatMap((entry): FileEntry[] => {
    const file = object(entry);
    const name = file && words(file["name"]);
    const path = file && words(file["path"]);
    if (!file || !name || !path) return [];
    return [{ name, path, isDirectory: flag(file["isDirectory"]) ?? false, isSymlink: flag(file["isSymlink"]) ?? false, size: number(file["size"]) }];
  });
}

export async function listFolder(runnerId: string, path: string, signal?: AbortSignal): Promise<FileEntry[]> {
  return parseEntries(await api.post(url(["api", "runners", runnerId, "files"]), { path }, signal ? { signal } : {}));
}

export async function readText(runnerId: string, path: string, signal?: AbortSignal): Promise<FileContent> {
  const raw = object(await api.post(url(["api", "runners", runnerId, "read-file"]), { path }, signal ? { signal } : {}));
  return { content: text(raw?.["content"]), truncated: flag(raw?.["truncated"]) ?? false, size: number(raw?.["size"]) };
}

/** The whole file as base64, for pictures and films. Too large ones come without content. */
export async function readBinary(runnerId: string, path: string, signal?: AbortSignal): Promise<FileContent> {
  const raw = object(await api.post(url(["api", "runners", runnerId, "read-file"]), { path, encoding: "base64", rejectTruncated: true }, signal ? { signal } : {}));
  return { content: text(raw?.["content"]), truncated: flag(raw?.["truncated"]) ?? false, size: number(raw?.["size"]) };
}

const PICTURES: Record<string, string> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", avif: "image/avif", bmp: "image/bmp", svg: "image/svg+xml", ico: "image/x-icon" };
const FILMS: Record<string, string> = { mp4: "video/mp4", webm: "video/webm", mov: "video/quicktime" };

export function mediaOf(path: string): { kind: "picture" | "film"; mime: string } | null {
  const ending = path.split(".").at(-1)?.toLowerCase() ?? "";
  const picture = PICTURES[ending];
  if (picture) return { kind: "picture", mime: picture };
  const film = FILMS[ending];
  return film ? { kind: "film", mime: film } : null;
}

/** Text with control characters that no text has. */
export function looksBinary(content: string): boolean {
  const head = content.slice(0, 8_000);
  let odd = 0;
  for (let index = 0; index < head.length; index += 1) {
    const code = head.charCodeAt(index);
    if (code === 0) return true;
    if (code < 9 || (code > 13 && code < 27) || code === 0xfffd) odd += 1;
  }
  return odd > head.length / 20;
}

export function join(folder: string, name: string): string {
  if (/^(\/|[A-Za-z]:[\\/]|~)/.test(name)) return name;
  return `${folder.replace(/[\\/]$/, "")}/${name}`;
}
