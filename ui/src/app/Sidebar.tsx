import { History, Laptop, Plus, Settings } from "lucide-react";
import type { CSSProperties, ReactNode } from "react";
import { useAuth } from "@/data/auth";
import { useHub } from "@/data/hub";
import { runnerName, useRunners } from "@/data/runners";
import { SessionList } from "@/features/sessions";
import { buttonClass } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/Icon";
import { Tooltip } from "@/ui/Tooltip";
import { Kbd } from "@/ui/Kbd";
import { spell } from "./hotkeys";
import { Logo } from "./Logo";
import { Link, to, useRoute } from "./routes";

/** The list with what stands above and below it. `full` fills its container (phone, overlay). */
export function Sidebar({ style, full = false, onSearch, edge }: { style?: CSSProperties; full?: boolean; onSearch: () => void; edge?: ReactNode }) {
  const stale = useHub((state) => state.phase === "stale");
  return (
    <nav aria-label="Sessions" style={style} className={cx("relative flex min-h-0 flex-col bg-sunken", full ? "flex-1" : "shrink-0")}>
      <div className="flex h-[calc(var(--header)+4px)] shrink-0 items-center gap-2 pr-3 pl-5">
        <Link href={to.home()} className="flex items-center gap-2 rounded-ctl text-text" aria-label="PizzaPi, home">
          <Logo size={20} />
          <span className="text-ui font-semibold tracking-[-0.01em]">PizzaPi</span>
        </Link>
        <span role="status" className="min-w-0 flex-1 truncate text-meta text-text-3">
          {stale && "Updating…"}
        </span>
        <button type="button" onClick={onSearch} className="flex h-7 items-center gap-1 rounded-ctl px-2 text-meta text-text-3 hover:bg-hover hover:text-text pointer-coarse:hidden" aria-label="Commands">
          <Kbd keys={spell("Mod+K")} />
        </button>
        <Link href={to.history()} aria-label="History" className={buttonClass("quiet", "md", "w-[var(--control)] px-0 m:hidden")}>
          <Icon icon={History} size={18} />
        </Link>
        <Tooltip text="New session" keys={spell("Mod+Shift+O")}>
          <Link href={to.home({ new: "1" })} className={buttonClass("ink", "sm", "pl-2 max-m:hidden")}>
            <Icon icon={Plus} />
            New
          </Link>
        </Tooltip>
      </div>
      <SessionList />
      {!full && <Footer />}
      {full && <Footer compact />}
      {edge}
    </nav>
  );
}

function Footer({ compact = false }: { compact?: boolean }) {
  const { list } = useRunners();
  const { person } = useAuth();
  const route = useRoute();
  const online = list.filter((machine) => machine.online);
  const only = list[0];
  const words = list.length === 0 ? "Connect a machine" : list.length === 1 && only ? runnerName(only.info) : `${online.length} of ${list.length} machines`;
  const item = "flex h-9 items-center gap-2 rounded-ctl px-2.5 text-code text-text-2 hover:bg-hover hover:text-text aria-[current]:bg-press aria-[current]:text-text pointer-coarse:h-11";
  return (
    <div className={cx("flex shrink-0 items-center gap-0.5 border-t border-line px-2 py-1.5", compact && "max-m:hidden")}>
      <Link href={to.runners()} aria-current={route.name === "runners" || route.name === "runner" ? "page" : undefined} className={cx(item, "min-w-0 flex-1")}>
        <span className="relative">
          <Icon icon={Laptop} />
          <span aria-hidden="true" className={cx("absolute -right-0.5 -bottom-0.5 size-2 rounded-full border-2 border-sunken", online.length > 0 ? "bg-done" : "bg-text-3")} />
        </span>
        <span className="truncate">{words}</span>
        <span className="sr-only">{online.length > 0 ? "online" : "offline"}</span>
      </Link>
      <Tooltip text="History" keys={spell("Mod+Shift+H")} side="top">
        <Link href={to.history()} aria-label="History" aria-current={route.name === "history" ? "page" : undefined} className={cx(item, "w-9 justify-center px-0")}>
          <Icon icon={History} />
        </Link>
      </Tooltip>
      <Tooltip text={person ? `Settings · ${person.email}` : "Settings"} side="top">
        <Link href={to.settings()} aria-label="Settings" aria-current={route.name === "settings" ? "page" : undefined} className={cx(item, "w-9 justify-center px-0")}>
          <Icon icon={Settings} />
        </Link>
      </Tooltip>
    </div>
  );
}

