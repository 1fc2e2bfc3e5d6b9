import { lazy, Suspense, useEffect } from "react";
import { useAuth } from "@/data/auth";
import { TooltipHost } from "@/ui/Tooltip";
import { Announcer } from "@/ui/announce";
import { ConfirmHost } from "@/ui/confirm";
import { Toasts } from "@/ui/toast";
import { startServices } from "./services";
import { Shell } from "./Shell";

const ExpiredDialog = lazy(() => import("./ExpiredDialog").then((part) => ({ default: part.ExpiredDialog })));

/** Everything behind the sign-in. Mounted once per person; an expired login leaves it in place. */
export function Workspace() {
  const { expired, person } = useAuth();
  useEffect(() => (expired ? undefined : startServices()), [expired, person?.id]);
  return (
    <>
      <Shell />
      <Suspense fallback={null}>{expired && <ExpiredDialog />}</Suspense>
      <ConfirmHost />
      <TooltipHost />
      <Toasts />
      <Announcer />
    </>
  );
}
