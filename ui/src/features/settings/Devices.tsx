import { useQuery } from "@tanstack/react-query";
import { Monitor, Smartphone } from "lucide-react";
import { useState } from "react";
import { loginsQuery, queryClient, type LoginRow } from "@/data/queries";
import { api, messageOf } from "@/net/api";
import { Card, ErrorState, Section, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { confirm } from "@/ui/confirm";
import { Icon } from "@/ui/Icon";
import { RelativeTime } from "@/ui/time";
import { toast } from "@/ui/toast";

/** "Firefox on Linux" from a user agent, as far as it can be told. */
export function describeAgent(agent: string | null): string {
  if (!agent) return "Unknown browser";
  const browser = /Edg\//.test(agent) ? "Edge" : /Firefox\//.test(agent) ? "Firefox" : /Chrome\//.test(agent) ? "Chrome" : /Safari\//.test(agent) ? "Safari" : (agent.split("/")[0] ?? "Browser");
  const system = /Android/.test(agent) ? "Android" : /iPhone|iPad/.test(agent) ? "iOS" : /Windows/.test(agent) ? "Windows" : /Mac OS/.test(agent) ? "macOS" : /Linux/.test(agent) ? "Linux" : undefined;
  return system ? `${browser} on ${system}` : browser;
}

export function Devices() {
  const logins = useQuery(loginsQuery());
  const [busy, setBusy] = useState<string | undefined>();
  const end = async (login: LoginRow) => {
    setBusy(login.id);
    try {
      await api.post("/api/auth/revoke-session", { token: login.token });
      await queryClient.invalidateQueries({ queryKey: loginsQuery().queryKey });
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
    setBusy(undefined);
  };
  const endOthers = async () => {
    if (!(await confirm({ title: "Sign out everywhere else?", body: "Every other browser has to sign in again. Machines with their own key are not affected.", action: "Sign out others", danger: true }))) return;
    try {
      await api.post("/api/auth/revoke-other-sessions");
      await queryClient.invalidateQueries({ queryKey: loginsQuery().queryKey });
      toast("Only this browser is signed in now");
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
  };
  return (
    <Section
      title="Signed-in browsers"
      description="Machines use keys instead; those are under Keys."
      actions={
        (logins.data?.length ?? 0) > 1 && (
          <Button size="sm" onClick={() => void endOthers()}>
            Sign out others
          </Button>
        )
      }
    >
      {logins.isPending && <SkeletonRows rows={3} />}
      {logins.error && <ErrorState title="The list couldn't be read" detail={messageOf(logins.error)} onRetry={() => void logins.refetch()} />}
      {logins.data && (
        <Card className="divide-y divide-line">
          {logins.data.map((login) => (
            <div key={login.id} className="flex min-h-14 items-center gap-3 px-4 py-2">
              <Icon icon={/Android|iPhone|iPad|Mobile/.test(login.userAgent ?? "") ? Smartphone : Monitor} size={18} className="text-text-3" />
              <span className="flex min-w-0 flex-1 flex-col">
                <span className="truncate text-ui font-medium">{describeAgent(login.userAgent)}</span>
                <span className="truncate text-meta text-text-3">
                  {login.ipAddress ?? "unknown address"} · used <RelativeTime at={login.updatedAt} />
                </span>
              </span>
              <Button size="sm" busy={busy === login.id} onClick={() => void end(login)}>
                Sign out
              </Button>
            </div>
          ))}
        </Card>
      )}
    </Section>
  );
}
