import { CloudOff, Plug } from "lucide-react";
import { useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { duration } from "@/data/format";
import { secondTicker } from "@/net/clock";
import { connection, GRACE_MS, LONG_MS, reconnectNow } from "@/net/connection";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { Spinner } from "@/ui/Spinner";

const noTicks = () => () => undefined;

/** Says that the link is down, once it is worth saying. The only part of the page that does. */
export function ConnectionBar() {
  const { phase, since, everConnected } = useStore(connection);
  const down = phase === "interrupted" || phase === "offline" || phase === "connecting";
  // Ticks only while there is something to count.
  useSyncExternalStore(down ? secondTicker.subscribe : noTicks, secondTicker.get);
  const age = Date.now() - since;
  if (!down || (phase !== "offline" && age < GRACE_MS)) return null;
  return (
    <div role="status" className="flex min-h-9 shrink-0 items-center justify-center gap-2.5 border-b border-line bg-wait-tint px-4 py-1 text-code text-text">
      {phase === "offline" ? (
        <>
          <Icon icon={CloudOff} size={14} />
          <span>No internet. What you send is kept and goes out when you're back.</span>
        </>
      ) : (
        <>
          {age >= LONG_MS ? <Icon icon={Plug} size={14} /> : <Spinner size={14} />}
          <span className="tnum">
            {age >= LONG_MS ? "The relay hasn't answered for " : everConnected ? "Reconnecting… " : "Connecting… "}
            {duration(age)}
          </span>
          {age >= LONG_MS && (
            <Button size="sm" kind="accent" onClick={reconnectNow}>
              Try now
            </Button>
          )}
        </>
      )}
    </div>
  );
}
