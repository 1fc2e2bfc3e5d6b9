import { useEffect, useState } from "react";
import { navigate, to } from "@/app/routes";
import { drafts } from "@/data/drafts";
import { baseName, duration, shortPath } from "@/data/format";
import { forgetStarting, type StartingSession as Starting } from "@/data/hub";
import { Button } from "@/ui/Button";
import { Banner } from "@/ui/bits";
import { StatusMark } from "@/ui/StatusMark";
import { Spinner } from "@/ui/Spinner";

/** After this the page says that it takes long, ms. */
const SLOW_MS = 20_000;

/** Between "start" and the session's first sign of life: the person's words are already there. */
export function StartingSession({ session }: { session: Starting }) {
  const [age, setAge] = useState(() => Date.now() - session.since);
  useEffect(() => {
    const timer = setInterval(() => setAge(Date.now() - session.since), 1_000);
    return () => clearInterval(timer);
  }, [session.since]);
  const slow = age > SLOW_MS;
  const machine = session.runnerName ?? "the machine";
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <header className="flex h-[var(--header)] shrink-0 items-center gap-2.5 border-b border-line px-5 pt-[var(--safe-top)]">
        <StatusMark status={session.failed ? "failed" : "starting"} />
        <h1 className="truncate text-ui font-semibold">{session.prompt.trim().split("\n")[0] || `Session in ${baseName(session.cwd)}`}</h1>
        <span className="truncate text-meta text-text-3">{shortPath(session.cwd)}</span>
      </header>
      <div className="mx-auto flex w-full max-w-measure flex-col gap-4 px-5 pt-8">
        {session.prompt.trim() && <div className="ml-auto max-w-[85%] rounded-card bg-press px-4 py-2.5 text-body whitespace-pre-wrap">{session.prompt}</div>}
        {session.failed ? (
          <Banner tone="fail" role="alert">
            {session.failed}
          </Banner>
        ) : (
        <p role="status" className="flex items-center gap-2 text-ui text-text-2">
          <Spinner size={14} />
          {slow ? `${machine} is slow to answer. Waiting for ${duration(age)}.` : `Starting on ${machine}…`}
        </p>
        )}
        {(slow || session.failed) && (
          <div className="flex gap-2">
            <Button
              onClick={() => {
                if (session.prompt) drafts.set("new", { text: session.prompt, attachments: [] });
                forgetStarting(session.sessionId);
                navigate(to.home({ runner: session.runnerId, cwd: session.cwd }), { replace: true });
              }}
            >
              Back to the form
            </Button>
          </div>
        )}
      </div>
    </div>
  );
}
