import { Laptop, MessagesSquare, Plus, Settings, type LucideIcon } from "lucide-react";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/Icon";
import { Link, to } from "./routes";

type Place = "sessions" | "runners" | "new" | "settings";

/** The phone's way around; sessions have a composer in its place. */
export function BottomBar({ active, needs }: { active: Place; needs: number }) {
  const items: { place: Place; href: string; label: string; icon: LucideIcon }[] = [
    { place: "sessions", href: to.home(), label: "Sessions", icon: MessagesSquare },
    { place: "runners", href: to.runners(), label: "Machines", icon: Laptop },
    { place: "new", href: to.home({ new: "1" }), label: "New", icon: Plus },
    { place: "settings", href: to.settings(), label: "Settings", icon: Settings },
  ];
  return (
    <nav aria-label="Places" className="flex shrink-0 border-t border-line bg-sunken pb-[var(--safe-bottom)]">
      {items.map(({ place, href, label, icon }) => (
        <Link
          key={place}
          href={href}
          aria-current={active === place ? "page" : undefined}
          className={cx("relative flex h-14 flex-1 flex-col items-center justify-center gap-0.5 text-meta", active === place ? "font-medium text-text" : "text-text-3")}
        >
          <span className="relative">
            <Icon icon={icon} size={20} />
            {place === "sessions" && needs > 0 && (
              <span className="absolute -top-1.5 left-3 grid h-4 min-w-4 place-items-center rounded-full bg-wait px-1 text-group font-semibold text-bg tnum" aria-label={`${needs} waiting for you`}>
                {needs}
              </span>
            )}
          </span>
          {label}
        </Link>
      ))}
    </nav>
  );
}
