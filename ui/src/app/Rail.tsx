import { History, Laptop, PanelLeftOpen, Plus, Search, Settings } from "lucide-react";
import { useHub } from "@/data/hub";
import { useList } from "@/features/sessions/useList";
import { titleOf } from "@/features/sessions";
import { buttonClass } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Sheet } from "@/ui/Dialog";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { StatusMark, STATUS } from "@/ui/StatusMark";
import { Tooltip } from "@/ui/Tooltip";
import { spell } from "./hotkeys";
import { Link, to, useRoute } from "./routes";
import { Sidebar } from "./Sidebar";

/** Middle widths: the list folded to its marks, and the whole of it over the page on demand. */
export function Middle({ open, onOpen, onSearch }: { open: boolean; onOpen: (open: boolean) => void; onSearch: () => void }) {
  return (
    <>
      <Rail onOpen={() => onOpen(true)} onSearch={onSearch} />
      <Sheet open={open} onClose={() => onOpen(false)} side="left" title="Sessions" hideTitle className="bg-sunken">
        <Sidebar full onSearch={onSearch} />
      </Sheet>
    </>
  );
}

function Rail({ onOpen, onSearch }: { onOpen: () => void; onSearch: () => void }) {
  const { groups } = useList("", "all", false);
  const starting = useHub((state) => state.starting);
  const route = useRoute();
  const selected = route.name === "session" ? route.id : undefined;
  const seen = new Set<string>();
  const entries = groups.flatMap((group) => group.entries).filter((entry) => !seen.has(entry.id) && seen.add(entry.id));
  const link = buttonClass("quiet", "md", "size-10 px-0");
  return (
    <nav aria-label="Sessions" className="flex w-14 shrink-0 flex-col items-center gap-1 border-r border-line bg-sunken py-2">
      <IconButton icon={PanelLeftOpen} label="Show sessions" side="right" size="lg" onClick={onOpen} />
      <Tooltip text="New session" side="right">
        <Link href={to.home({ new: "1" })} aria-label="New session" className={buttonClass("ink", "md", "size-10 px-0")}>
          <Icon icon={Plus} />
        </Link>
      </Tooltip>
      <IconButton icon={Search} label="Search and commands" keys={spell("Mod+K")} side="right" size="lg" onClick={onSearch} />
      <div className="my-1 h-px w-7 bg-line" />
      <div className="flex min-h-0 w-full flex-1 flex-col items-center gap-0.5 overflow-y-auto [scrollbar-width:none]">
        {[...starting.values()].map((session) => (
          <Link key={session.sessionId} href={to.session(session.sessionId)} aria-label="Starting session" className={link}>
            <StatusMark status="starting" />
          </Link>
        ))}
        {entries.map((entry) => (
          <Tooltip key={entry.id} side="right" text={`${titleOf(entry.row)} · ${entry.reason ?? STATUS[entry.status].text}`}>
            <Link
              href={to.session(entry.id)}
              data-row={entry.id}
              aria-label={`${titleOf(entry.row)}, ${entry.reason ?? STATUS[entry.status].text}`}
              aria-current={selected === entry.id ? "page" : undefined}
              className={cx(link, "shrink-0 aria-[current]:bg-press")}
            >
              <StatusMark status={entry.status} hidden />
            </Link>
          </Tooltip>
        ))}
      </div>
      <Tooltip text="Machines" side="right">
        <Link href={to.runners()} aria-label="Machines" className={link}>
          <Icon icon={Laptop} />
        </Link>
      </Tooltip>
      <Tooltip text="History" side="right">
        <Link href={to.history()} aria-label="History" className={link}>
          <Icon icon={History} />
        </Link>
      </Tooltip>
      <Tooltip text="Settings" side="right">
        <Link href={to.settings()} aria-label="Settings" className={link}>
          <Icon icon={Settings} />
        </Link>
      </Tooltip>
    </nav>
  );
}
