import { Check, CircleSlash, Laptop, TimerOff } from "lucide-react";
import { useEffect, useState } from "react";
import { Link, to } from "@/app/routes";
import { useAuth } from "@/data/auth";
import { api, ApiError, messageOf } from "@/net/api";
import { Card, EmptyState, ErrorState, Skeleton } from "@/ui/bits";
import { Button, buttonClass } from "@/ui/Button";
import { Icon } from "@/ui/Icon";

type State =
  | { at: "reading" }
  | { at: "asking"; label: string | undefined }
  | { at: "approved"; label: string | undefined }
  | { at: "already" }
  | { at: "expired" }
  | { at: "unknown" }
  | { at: "failed"; words: string };

/** A machine asks to be let in. Approving is one explicit press; reading the request consumes nothing. */
export function ClaimPage({ token }: { token: string | undefined }) {
  const { person } = useAuth();
  const [state, setState] = useState<State>({ at: "reading" });
  const [attempt, setAttempt] = useState(0);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (!token) {
      setState({ at: "unknown" });
      return undefined;
    }
    let current = true;
    api
      .get<{ status?: unknown; label?: unknown }>(`/api/setup-claim-info/${encodeURIComponent(token)}`)
      .then((info) => {
        if (!current) return;
        const label = typeof info.label === "string" && info.label ? info.label : undefined;
        if (info.status === "pending") setState({ at: "asking", label });
        else if (info.status === "approved" || info.status === "redeemed") setState({ at: "already" });
        else setState({ at: "expired" });
      })
      .catch((error: unknown) => {
        if (!current) return;
        setState(error instanceof ApiError && error.status === 404 ? { at: "unknown" } : { at: "failed", words: messageOf(error) });
      });
    return () => {
      current = false;
    };
  }, [token, attempt]);

  const approve = async (label: string | undefined) => {
    if (!token) return;
    setBusy(true);
    try {
      await api.post(`/api/setup-claim/${encodeURIComponent(token)}/approve`);
      setState({ at: "approved", label });
    } catch (error) {
      setState(error instanceof ApiError && error.status === 410 ? { at: "expired" } : { at: "failed", words: messageOf(error) });
    }
    setBusy(false);
  };

  return (
    <div className="grid min-h-0 flex-1 place-items-center overflow-y-auto p-5">
      <Card className="w-full max-w-md p-6">
        {state.at === "reading" && <Skeleton className="h-40" />}
        {state.at === "asking" && (
          <div className="flex flex-col gap-5">
            <div className="flex items-center gap-3.5">
              <span className="flex size-11 items-center justify-center rounded-card bg-press text-text-2">
                <Icon icon={Laptop} size={22} />
              </span>
              <div>
                <h1 className="text-section font-semibold">{state.label ? `Connect “${state.label}”?` : "Connect this machine?"}</h1>
                <p className="text-ui text-text-2">to {person?.email}</p>
              </div>
            </div>
            <div className="text-ui text-text-2">
              <p>It gets a key of its own and can then:</p>
              <ul className="mt-1.5 list-disc space-y-1 pl-5">
                <li>run agents and terminals for you</li>
                <li>show you its files and changes</li>
                <li>send events into your sessions</li>
              </ul>
              <p className="mt-3">Approve only if you started this yourself, just now. You can revoke the key at any time.</p>
            </div>
            <div className="flex gap-2">
              <Link href={to.home()} className={buttonClass("outline", "lg", "flex-1")}>
                Not me
              </Link>
              <Button kind="ink" size="lg" className="flex-1" busy={busy} onClick={() => void approve(state.label)}>
                Approve
              </Button>
            </div>
          </div>
        )}
        {state.at === "approved" && (
          <EmptyState className="py-4" icon={Check} title={`${state.label ?? "The machine"} is connected`} action={<Link href={to.home()} className={buttonClass("ink")}>Start a session</Link>}>
            Go back to its terminal; it carries on by itself.
          </EmptyState>
        )}
        {state.at === "already" && (
          <EmptyState className="py-4" icon={Check} title="This was approved already" action={<Link href={to.runners()} className={buttonClass("outline")}>Machines</Link>}>
            If that wasn't you, revoke the key under Settings → Keys.
          </EmptyState>
        )}
        {state.at === "expired" && (
          <EmptyState className="py-4" icon={TimerOff} title="This request has expired">
            They are good for ten minutes. Start the runner again for a new link.
          </EmptyState>
        )}
        {state.at === "unknown" && (
          <EmptyState className="py-4" icon={CircleSlash} title="No machine is waiting under this link">
            Check that you opened the whole link, on the relay the machine uses.
          </EmptyState>
        )}
        {state.at === "failed" && (
          <ErrorState
            title="That didn't work"
            detail={state.words}
            onRetry={() => {
              setState({ at: "reading" });
              setAttempt(attempt + 1);
            }}
          />
        )}
      </Card>
    </div>
  );
}
