import { lazy, Suspense } from "react";
import { Page } from "@/app/Page";
import { Link, to, type SettingsPage } from "@/app/routes";
import { SkeletonRows } from "@/ui/bits";
import { cx } from "@/ui/cx";
import { Account } from "./Account";
import { Appearance } from "./Appearance";

const Notifications = lazy(() => import("./Notifications").then((part) => ({ default: part.Notifications })));
const HiddenModels = lazy(() => import("./HiddenModels").then((part) => ({ default: part.HiddenModels })));
const Keys = lazy(() => import("@/features/keys/Keys").then((part) => ({ default: part.Keys })));
const Devices = lazy(() => import("./Devices").then((part) => ({ default: part.Devices })));
const Shortcuts = lazy(() => import("./shortcuts").then((part) => ({ default: part.Shortcuts })));
const About = lazy(() => import("./About").then((part) => ({ default: part.About })));

const PAGES: Record<SettingsPage, { label: string; show: () => React.ReactNode }> = {
  account: { label: "Account", show: () => <Account /> },
  appearance: { label: "Appearance", show: () => <Appearance /> },
  notifications: { label: "Notifications", show: () => <Notifications /> },
  models: { label: "Models", show: () => <HiddenModels /> },
  keys: { label: "Keys", show: () => <Keys /> },
  devices: { label: "Devices", show: () => <Devices /> },
  shortcuts: { label: "Shortcuts", show: () => <Shortcuts /> },
  about: { label: "About", show: () => <About /> },
};
const ORDER = Object.keys(PAGES) as SettingsPage[];

export function SettingsScreen({ page }: { page: SettingsPage }) {
  return (
    <Page title="Settings">
      <div className="flex flex-col gap-8 m:flex-row m:gap-10">
        <nav aria-label="Settings" className="-mx-4 flex shrink-0 gap-0.5 overflow-x-auto px-4 [scrollbar-width:none] m:mx-0 m:w-36 m:flex-col m:px-0">
          {ORDER.map((id) => (
            <Link
              key={id}
              href={to.settings(id)}
              replace
              aria-current={page === id ? "page" : undefined}
              className={cx("flex h-8 shrink-0 items-center rounded-ctl px-2.5 text-ui whitespace-nowrap pointer-coarse:h-11", page === id ? "bg-press font-medium text-text" : "text-text-2 hover:bg-hover hover:text-text")}
            >
              {PAGES[id].label}
            </Link>
          ))}
        </nav>
        <div className="min-w-0 flex-1">
          <Suspense fallback={<SkeletonRows rows={4} />}>{PAGES[page].show()}</Suspense>
        </div>
      </div>
    </Page>
  );
}
