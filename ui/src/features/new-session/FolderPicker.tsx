import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ChevronDown, CornerLeftUp, Folder, FolderOpen, History, X } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { baseName, shortPath } from "@/data/format";
import { browseQuery, recentFoldersQuery } from "@/data/queries";
import type { RunnerInfo } from "@/protocol/wire";
import { api, messageOf, url } from "@/net/api";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { PickList, type PickItem } from "@/ui/PickList";
import { Popover } from "@/ui/Popover";
import { toast } from "@/ui/toast";
import { asFolder, parentOf, splitTyped, trimmed } from "./paths";

/** Recent entries shown before anything is typed. */
const RECENT_SHOWN = 6;

/** One field: type a path, take a recent one, or walk down from the roots. */
export function FolderPicker({ runner, value, onChange }: { runner: RunnerInfo; value: string; onChange: (path: string) => void }) {
  const [open, setOpen] = useState(false);
  return (
    <Popover
      open={open}
      onOpenChange={setOpen}
      label="Folder"
      className="w-[min(30rem,calc(100vw-24px))]"
      trigger={
        <button type="button" className="flex h-8 max-w-full min-w-0 items-center gap-1.5 rounded-ctl px-2 text-code font-medium text-text-2 hover:bg-hover hover:text-text data-[state=open]:bg-press pointer-coarse:h-11" title={value || undefined}>
          <Icon icon={Folder} />
          <span className="truncate">{value ? baseName(value) : "Choose a folder"}</span>
          <Icon icon={ChevronDown} size={12} />
        </button>
      }
    >
      <FolderList
        runner={runner}
        value={value}
        onPick={(path) => {
          onChange(path);
          setOpen(false);
        }}
      />
    </Popover>
  );
}

function FolderList({ runner, value, onPick }: { runner: RunnerInfo; value: string; onPick: (path: string) => void }) {
  const roots = runner.roots;
  const [typed, setTyped] = useState("");
  const { folder, prefix } = splitTyped(useDeferredValue(typed));
  const client = useQueryClient();
  const recent = useQuery(recentFoldersQuery(runner.runnerId));
  const start = roots[0] ?? "~";
  const listing = useQuery({ ...browseQuery(runner.runnerId, folder || start), enabled: typed !== "" });

  const forget = async (path: string) => {
    try {
      await api.del(url(["api", "runners", runner.runnerId, "recent-folders"]), { path });
      await client.invalidateQueries({ queryKey: recentFoldersQuery(runner.runnerId).queryKey });
    } catch (error) {
      toast(`Not removed. ${messageOf(error)}`, { tone: "fail" });
    }
  };

  const items: PickItem[] = [];
  if (typed === "") {
    for (const path of (recent.data ?? []).slice(0, RECENT_SHOWN)) {
      items.push({
        key: `use:${path}`,
        group: "Recent",
        label: (
          <span className="flex items-center gap-2">
            <Icon icon={History} className="text-text-3" />
            {baseName(path)}
          </span>
        ),
        hint: <span className="ml-6">{shortPath(path)}</span>,
        trailing: (
          <button
            type="button"
            aria-label={`Forget ${path}`}
            className="flex size-6 items-center justify-center rounded-ctl text-text-3 hover:bg-press hover:text-text pointer-coarse:size-10"
            onClick={(event) => {
              event.stopPropagation();
              void forget(path);
            }}
          >
            <Icon icon={X} size={12} />
          </button>
        ),
      });
    }
    const tops = roots.length > 0 ? roots : ["~", runner.platform === "win32" ? "C:\\" : "/"];
    for (const path of tops) items.push({ key: `go:${path}`, group: "Browse", label: <FolderLine name={path === "~" ? "Home" : path} /> });
  } else {
    const parent = parentOf(folder);
    if (prefix === "" && parent !== undefined && !roots.includes(trimmed(folder))) {
      items.push({
        key: `go:${parent}`,
        label: (
          <span className="flex items-center gap-2 text-text-2">
            <Icon icon={CornerLeftUp} className="text-text-3" />
            Up
          </span>
        ),
      });
    }
    const wanted = prefix.toLowerCase();
    for (const directory of listing.data ?? []) {
      if (!directory.name.toLowerCase().startsWith(wanted)) continue;
      // Dot folders only when asked for: they are rarely projects.
      if (directory.name.startsWith(".") && !prefix.startsWith(".")) continue;
      items.push({ key: `go:${directory.path}`, label: <FolderLine name={directory.name} /> });
    }
  }

  const pick = (key: string) => {
    const path = key.slice(key.indexOf(":") + 1);
    if (key.startsWith("use:")) onPick(trimmed(path));
    else setTyped(asFolder(path));
  };
  const target = trimmed(typed);
  return (
    <PickList
      label="Folder"
      mono
      inputMode="text"
      placeholder={value ? shortPath(value) : "Type a path, or choose below"}
      query={typed}
      onQuery={setTyped}
      items={items}
      busy={listing.isFetching}
      onPick={pick}
      onKey={(event, active) => {
        if ((event.key === "Tab" && !event.shiftKey) || (event.key === "ArrowRight" && event.currentTarget.selectionStart === typed.length)) {
          if (!active) return false;
          pick(active.replace(/^use:/, "go:"));
          return true;
        }
        if (event.key === "Enter" && (event.metaKey || event.ctrlKey || (typed !== "" && prefix === "" && target !== "~"))) {
          if (target) onPick(target);
          return true;
        }
        return false;
      }}
      empty={listing.error ? messageOf(listing.error) : listing.isPending && typed !== "" ? "Reading…" : "No folders in here"}
      footer={
        typed === "" ? undefined : (
          <div className="flex items-center gap-2 px-1">
            <code className="min-w-0 flex-1 truncate font-mono text-meta text-text-2">{target}</code>
            <Button size="sm" kind="ink" icon={FolderOpen} onClick={() => onPick(target)}>
              Use this folder
            </Button>
          </div>
        )
      }
    />
  );
}

function FolderLine({ name }: { name: string }) {
  return (
    <span className="flex items-center gap-2">
      <Icon icon={Folder} className="text-text-3" />
      <span className="truncate">{name}</span>
    </span>
  );
}
