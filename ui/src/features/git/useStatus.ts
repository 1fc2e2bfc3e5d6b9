import { useCallback, useEffect, useRef, useState } from "react";
import { viewer } from "@/net/viewer";
import { git, gitWords, type GitStatus } from "./api";

export interface StatusState {
  readonly status: GitStatus | null;
  readonly failure: string | null;
  readonly loading: boolean;
  readonly refresh: () => void;
  /** Counts changes of the repository; open diffs read again when it moves. */
  readonly version: number;
}

/** Not more often than this after edits, ms. */
const THROTTLE_MS = 800;

/** The repository's state, read again when the machine says that it changed and after every reconnect. */
export function useGitStatus(sessionId: string, cwd: string | null, touch: unknown): StatusState {
  const [state, setState] = useState<{ status: GitStatus | null; failure: string | null; loading: boolean; version: number }>({ status: null, failure: null, loading: true, version: 0 });
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const turn = useRef(0);
  const read = useCallback(() => {
    if (!cwd) return;
    const mine = (turn.current += 1);
    git(sessionId, cwd)
      .status()
      .then(
        (status) => mine === turn.current && setState((before) => ({ status, failure: null, loading: false, version: before.version + 1 })),
        (error: unknown) => mine === turn.current && setState((before) => ({ ...before, failure: gitWords(error), loading: false })),
      );
  }, [sessionId, cwd]);
  const soon = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      read();
    }, THROTTLE_MS);
  }, [read]);
  useEffect(() => {
    const stops = [
      viewer.onConnect(read),
      viewer.on("service_message", (message) => {
        if (message.serviceId === "git" && message.type === "git_repo_changed") soon();
      }),
    ];
    return () => {
      stops.forEach((stop) => stop());
      clearTimeout(timer.current);
      timer.current = undefined;
      turn.current += 1;
    };
  }, [read, soon]);
  const first = useRef(true);
  useEffect(() => {
    if (first.current) first.current = false;
    else soon();
  }, [touch, soon]);
  return { ...state, refresh: read };
}
