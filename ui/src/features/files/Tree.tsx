import { ChevronRight, CornerDownRight, File, Folder, FolderOpen, RefreshCw } from "lucide-react";
import { useCallback, useEffect, useRef, useState, type KeyboardEvent } from "react";
import { messageOf } from "@/net/api";
import { ErrorState, Icon, IconButton, SkeletonRows, cx } from "@/ui";
import { listFolder, type FileEntry } from "./api";

interface Node {
  readonly entry: FileEntry;
  readonly depth: number;
}

/** The session's folder as a tree: folders are read when they are opened. */
export function Tree({ runnerId, root, selected, onOpen }: { runnerId: string; root: string; selected: string | null; onOpen: (path: string) => void }) {
  const [folders, setFolders] = useState<ReadonlyMap<string, readonly FileEntry[] | { readonly failure: string }>>(new Map());
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [focus, setFocus] = useState<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const read = useCallback(
    (path: string) => {
      listFolder(runnerId, path).then(
        (entries) => setFolders((before) => new Map(before).set(path, entries)),
        (error: unknown) => setFolders((before) => new Map(before).set(path, { failure: messageOf(error) })),
      );
    },
    [runnerId],
  );
  useEffect(() => read(root), [read, root]);
  const toggle = (entry: FileEntry): void => {
    if (!entry.isDirectory) {
      onOpen(entry.path);
      return;
    }
    const next = new Set(open);
    if (next.has(entry.path)) next.delete(entry.path);
    else {
      next.add(entry.path);
      read(entry.path);
    }
    setOpen(next);
  };
  const nodes: Node[] = [];
  const failures = new Map<string, string>();
  const walk = (path: string, depth: number): void => {
    const entries = folders.get(path);
    if (!entries) return;
    if ("failure" in entries) {
      failures.set(path, entries.failure);
      return;
    }
    for (const entry of entries) {
      nodes.push({ entry, depth });
      if (entry.isDirectory && open.has(entry.path)) walk(entry.path, depth + 1);
    }
  };
  walk(root, 0);
  const top = folders.get(root);
  if (!top) return <SkeletonRows rows={8} className="p-4" />;
  if ("failure" in top) return <ErrorState title="This folder could not be read" detail={top.failure} onRetry={() => read(root)} />;
  const current = focus ?? nodes[0]?.entry.path ?? null;
  const onKey = (event: KeyboardEvent): void => {
    const at = nodes.findIndex((node) => node.entry.path === current);
    const node = nodes[at];
    if (!node) return;
    let next: Node | undefined;
    switch (event.key) {
      case "ArrowDown":
        next = nodes[at + 1];
        break;
      case "ArrowUp":
        next = nodes[at - 1];
        break;
      case "Home":
        next = nodes[0];
        break;
      case "End":
        next = nodes.at(-1);
        break;
      case "ArrowRight":
        if (node.entry.isDirectory && !open.has(node.entry.path)) toggle(node.entry);
        else next = nodes[at + 1];
        break;
      case "ArrowLeft":
        if (open.has(node.entry.path)) toggle(node.entry);
        else next = nodes.slice(0, at).findLast((before) => before.depth < node.depth);
        break;
      case "Enter":
      case " ":
        toggle(node.entry);
        break;
      default:
        return;
    }
    event.preventDefault();
    if (next) {
      setFocus(next.entry.path);
      box.current?.querySelector<HTMLElement>(`[data-path="${CSS.escape(next.entry.path)}"]`)?.focus();
    }
  };
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex h-9 shrink-0 items-center gap-1 px-3">
        <span className="min-w-0 flex-1 truncate font-mono text-meta text-text-3" title={root}>
          {root}
        </span>
        <IconButton
          icon={RefreshCw}
          size="sm"
          label="Read again"
          onClick={() => {
            read(root);
            for (const path of open) read(path);
          }}
        />
      </div>
      <div ref={box} role="tree" aria-label="Files" className="min-h-0 flex-1 overflow-auto pb-6" onKeyDown={onKey}>
        {nodes.map(({ entry, depth }) => {
          const expanded = open.has(entry.path);
          return (
            <div key={entry.path}>
              <button
                type="button"
                role="treeitem"
                data-path={entry.path}
                aria-expanded={entry.isDirectory ? expanded : undefined}
                aria-level={depth + 1}
                aria-selected={entry.path === selected}
                tabIndex={entry.path === current ? 0 : -1}
                className={cx("flex h-7 w-full items-center gap-1.5 pr-3 text-left text-code hover:bg-hover pointer-coarse:h-11", entry.path === selected && "bg-press", entry.name.startsWith(".") && "text-text-3")}
                style={{ paddingLeft: 10 + depth * 14 }}
                onFocus={() => setFocus(entry.path)}
                onClick={() => toggle(entry)}
              >
                <Icon icon={ChevronRight} size={12} className={cx("text-text-3 transition-transform", !entry.isDirectory && "invisible", expanded && "rotate-90")} />
                <Icon icon={entry.isDirectory ? (expanded ? FolderOpen : Folder) : File} size={14} className="text-text-3" />
                <span className="truncate">{entry.name}</span>
                {entry.isSymlink && <Icon icon={CornerDownRight} size={12} className="text-text-3" aria-label="link" />}
              </button>
              {expanded && failures.has(entry.path) && <p className="px-3 py-1 text-meta text-fail" style={{ paddingLeft: 38 + depth * 14 }}>{failures.get(entry.path)}</p>}
            </div>
          );
        })}
        {nodes.length === 0 && <p className="px-4 py-6 text-center text-ui text-text-2">This folder is empty</p>}
      </div>
    </div>
  );
}
