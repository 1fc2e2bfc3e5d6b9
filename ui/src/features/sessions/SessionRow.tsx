import { ChevronRight, Ellipsis, Pin } from "lucide-react";
import { memo, useState, type KeyboardEvent } from "react";
import { Link, to } from "@/app/routes";
import { useHasDraft } from "@/data/drafts";
import { projectOf } from "@/data/projects";
import { STATUS, StatusMark } from "@/ui/StatusMark";
import { Icon } from "@/ui/Icon";
import { IconButton } from "@/ui/IconButton";
import { ContextMenu, Menu } from "@/ui/Menu";
import { RelativeTime } from "@/ui/time";
import { cx } from "@/ui/cx";
import { useTouch } from "@/ui/media";
import { endSession, renameSession, togglePin, toggleRead } from "./actions";
import { titleOf, type Entry, type Group } from "./grouping";
import { RowMenu } from "./RowMenu";
import { SwipeActions } from "./SwipeActions";

export interface SessionLineProps {
  entry: Entry;
  kind: Group["kind"];
  selected: boolean;
  onFold: (id: string) => void;
  /** A menu over the row holds the list still. */
  onHold: (held: boolean) => void;
}

/** Two lines: mark and name, then where and when. The whole row is one link. */
export const SessionLine = memo(function SessionLine({ entry, kind, selected, onFold, onHold }: SessionLineProps) {
  const { row, status, unread, reason } = entry;
  const [renaming, setRenaming] = useState(false);
  const hasDraft = useHasDraft(row.id);
  const touchDevice = useTouch();
  const title = titleOf(row);
  const project = projectOf(row.info.cwd);
  const place = [
    kind === "project" ? undefined : project.name,
    project.worktree,
    kind === "runner" ? undefined : row.info.runnerName,
  ].filter(Boolean);
  const bold = selected || status === "needs" || (unread && status !== "running");
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    switch (event.key) {
      case "p":
      case "P":
        void togglePin(row);
        break;
      case "u":
      case "U":
        toggleRead(row, unread);
        break;
      case "Delete":
        if (row.live) void endSession(row);
        break;
      case "ArrowRight":
        if (entry.children > 0 && !entry.unfolded) onFold(row.id);
        break;
      case "ArrowLeft":
        if (entry.children > 0 && entry.unfolded) onFold(row.id);
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  if (renaming) {
    return (
      <RenameField
        name={title}
        onDone={(name) => {
          setRenaming(false);
          if (name) void renameSession(row, name);
        }}
      />
    );
  }
  const menu = <RowMenu row={row} unread={unread} onRename={() => setRenaming(true)} />;
  const line = (
    <div className={cx("group/row relative mx-2 rounded-ctl transition-colors", selected ? "bg-surface ring-1 ring-line" : "hover:bg-hover has-[:focus-visible]:bg-hover")}>
      <Link
        href={to.session(row.id)}
        data-row={row.id}
        onKeyDown={onKeyDown}
        aria-current={selected ? "page" : undefined}
        className={cx("flex h-[var(--row-list)] min-w-0 items-center gap-2.5 rounded-ctl pr-2 select-none focus-visible:outline-offset-[-2px]")}
        style={{ paddingLeft: 10 + entry.depth * 16 }}
        draggable={false}
      >
        <StatusMark status={status} label={reason ?? STATUS[status].text} />
        <span className="flex min-w-0 flex-1 flex-col">
          <span className={cx("truncate text-ui", bold ? "font-medium text-text" : "text-text", status === "ended" && "text-text-2")}>{title}</span>
          <span className="flex min-w-0 items-center gap-1.5 text-meta text-text-3">
            {row.pinned && kind !== "pinned" && <Icon icon={Pin} size={11} />}
            {hasDraft && <span className="font-medium text-accent">Draft</span>}
            {place.length > 0 && <span className="truncate">{place.join(", ")}</span>}
            {place.length > 0 && <span aria-hidden="true">·</span>}
            <span className="shrink-0 tnum">
              {status === "running" || status === "compacting" || status === "retrying" || status === "lost" ? STATUS[status].text : <RelativeTime at={row.touchedAt} />}
            </span>
          </span>
        </span>
        {reason && <span className="shrink-0 rounded-full bg-wait-tint px-2 text-meta font-medium text-wait forced-border">{reason}</span>}
        {!reason && unread && status !== "running" && <span aria-hidden="true" className="size-1.5 shrink-0 rounded-full bg-accent group-hover/row:opacity-0" />}
      </Link>
      {entry.children > 0 && (
        <button
          type="button"
          aria-label={entry.unfolded ? "Hide sessions it started" : `Show ${entry.children} it started`}
          aria-expanded={entry.unfolded}
          onClick={() => onFold(row.id)}
          className={cx("absolute top-1/2 right-2 flex h-6 -translate-y-1/2 items-center gap-0.5 rounded-ctl bg-press px-1 text-meta text-text-2 hover:text-text", !touchDevice && "group-focus-within/row:right-9 group-hover/row:right-9", reason && "hidden")}
        >
          {entry.children}
          <Icon icon={ChevronRight} size={12} className={cx("transition-transform", entry.unfolded && "rotate-90")} />
        </button>
      )}
      {!touchDevice && (
        <div className={cx("absolute top-1/2 right-1.5 -translate-y-1/2 rounded-ctl opacity-0 group-focus-within/row:opacity-100 group-hover/row:opacity-100 has-[[data-state=open]]:opacity-100", selected ? "bg-surface" : "bg-sunken")}>
          <Menu trigger={<IconButton icon={Ellipsis} label={`Actions for ${title}`} size="sm" tip={false} />} onOpenChange={onHold}>
            {menu}
          </Menu>
        </div>
      )}
    </div>
  );
  return (
    <ContextMenu menu={menu}>
      {touchDevice ? (
        <div>
          <SwipeActions
            actions={
              <>
                <button type="button" className="flex-1 bg-press text-ui font-medium text-text" onClick={() => void togglePin(row)}>
                  {row.pinned ? "Unpin" : "Pin"}
                </button>
                {row.live && (
                  <button type="button" className="flex-1 bg-fail-tint text-ui font-medium text-fail" onClick={() => void endSession(row)}>
                    End
                  </button>
                )}
              </>
            }
          >
            {line}
          </SwipeActions>
        </div>
      ) : (
        line
      )}
    </ContextMenu>
  );
});

function RenameField({ name, onDone }: { name: string; onDone: (name: string | undefined) => void }) {
  const [text, setText] = useState(name);
  return (
    <form
      className="mx-2 flex h-[var(--row-list)] items-center"
      onSubmit={(event) => {
        event.preventDefault();
        onDone(text);
      }}
    >
      <input
        aria-label="Session name"
        autoFocus
        onFocus={(event) => event.target.select()}
        value={text}
        maxLength={120}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => onDone(text)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Escape") onDone(undefined);
        }}
        className="h-9 w-full rounded-ctl border border-accent bg-surface px-2 text-ui"
      />
    </form>
  );
}
