import { useEffect, useMemo, useState } from "react";
import { useSession } from "@/data/hub";
import { useRunner } from "@/data/runners";
import { api, url } from "@/net/api";
import { list, object, words } from "@/transcript/json";
import { useFacts, useOpenSession } from "../context";
import { BUILT_INS } from "./commands";
import { match, type Asked } from "./picker";

export interface Choice {
  readonly id: string;
  readonly label: string;
  /** What may follow. */
  readonly hint?: string;
  readonly description: string | null;
  readonly group: string;
  /** What takes the place of what was typed. */
  readonly insert: string;
  /** Run at once instead of inserting. */
  readonly runs: boolean;
}

const DEBOUNCE_MS = 120;
const MOST = 50;

/** What to offer for the text at the caret. */
export function useChoices(asked: Asked | null): { choices: readonly Choice[]; note: string | null } {
  const { model, sessionId } = useOpenSession();
  const commands = useFacts(model, (facts) => facts.commands);
  const files = useFiles(asked?.kind === "mention" ? asked.query : null, sessionId);
  return useMemo(() => {
    if (!asked) return { choices: [], note: null };
    if (asked.kind === "mention") return files;
    if (asked.kind === "argument") {
      const command = commands.find((entry) => entry.name === asked.command);
      const choices = match(command?.completions ?? [], asked.query, (entry) => entry.label)
        .slice(0, MOST)
        .map((entry): Choice => ({ id: entry.value, label: entry.label, description: entry.description, group: `/${asked.command}`, insert: entry.value, runs: false }));
      return { choices, note: null };
    }
    const own = match(BUILT_INS, asked.query, (entry) => entry.name).map(
      (entry): Choice => ({ id: `own:${entry.name}`, label: `/${entry.name}`, ...(entry.hint ? { hint: entry.hint } : {}), description: entry.description, group: "Session", insert: `/${entry.name} `, runs: entry.hint === null }),
    );
    const known = new Set(BUILT_INS.map((entry) => entry.name));
    const theirs = match(
      commands.filter((entry) => !known.has(entry.name)),
      asked.query,
      (entry) => entry.name,
    ).map(
      (entry): Choice => ({ id: `cmd:${entry.name}`, label: `/${entry.name}`, ...(entry.argumentHint ? { hint: entry.argumentHint } : {}), description: entry.description, group: GROUPS[entry.source ?? ""] ?? "From the agent", insert: `/${entry.name} `, runs: false }),
    );
    return { choices: [...own, ...theirs].slice(0, MOST), note: null };
  }, [asked, commands, files]);
}

const GROUPS: Record<string, string> = { extension: "From plugins", plugin: "From plugins", prompt: "Templates", template: "Templates", skill: "Skills", builtin: "From the agent" };

/** Files of the session's folder that match; the last list stays while the next one loads. */
function useFiles(query: string | null, sessionId: string): { choices: readonly Choice[]; note: string | null } {
  const row = useSession(sessionId);
  const { model } = useOpenSession();
  const cwd = useFacts(model, (facts) => facts.cwd) ?? row?.info.cwd ?? null;
  const runner = useRunner(row?.info.runnerId);
  const runnerId = runner?.online ? runner.id : null;
  const [files, setFiles] = useState<readonly string[]>([]);
  useEffect(() => {
    if (query === null || !runnerId || !cwd) return undefined;
    const cancel = new AbortController();
    const timer = setTimeout(
      () => {
        const search =
          query === ""
            ? api.post<unknown>(url(["api", "runners", runnerId, "files"]), { path: cwd }, { signal: cancel.signal })
            : api.post<unknown>(url(["api", "runners", runnerId, "search-files"]), { cwd, query, limit: MOST }, { signal: cancel.signal });
        search.then(
          (answer) => setFiles(fileNames(answer, cwd)),
          () => undefined,
        );
      },
      query === "" ? 0 : DEBOUNCE_MS,
    );
    return () => {
      clearTimeout(timer);
      cancel.abort();
    };
  }, [query, runnerId, cwd]);
  return useMemo(() => {
    if (query === null) return { choices: [], note: null };
    if (!runnerId) return { choices: [], note: "Files need the machine to be online." };
    const choices = files.map((path): Choice => ({ id: path, label: path.split("/").at(-1) || path, description: path.includes("/") ? path : null, group: "Files", insert: `@${path}${path.endsWith("/") ? "" : " "}`, runs: false }));
    return { choices, note: null };
  }, [query, files, runnerId]);
}

/** Names relative to `cwd`, from either shape the machine answers with. */
export function fileNames(answer: unknown, cwd: string): string[] {
  const raw = object(answer);
  return list(raw?.["files"] ?? raw?.["entries"]).flatMap((entry): string[] => {
    if (typeof entry === "string") return [entry];
    const file = object(entry);
    const path = file && (words(file["relativePath"]) ?? words(file["path"]) ?? words(file["name"]));
    if (!file || !path) return [];
    const relative = path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;
    return [file["isDirectory"] === true ? `${relative}/` : relative];
  });
}
