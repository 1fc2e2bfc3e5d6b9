import { HardDrive } from "lucide-react";
import { EmptyState } from "@/ui";
import { join } from "./api";
import { Tree } from "./Tree";
import { Viewer } from "./Viewer";

/** The session's folder: a tree, or one file of it. */
export function Files({ runnerId, cwd, file, line, touch, onFile, onMention }: {
  runnerId: string | null;
  cwd: string | null;
  /** Relative to `cwd`, or absolute. */
  file: string | undefined;
  line: string | undefined;
  touch: unknown;
  onFile: (path: string | undefined) => void;
  onMention: (text: string) => void;
}) {
  if (!cwd) return <EmptyState title="This session has no folder yet" />;
  if (!runnerId) return <EmptyState icon={HardDrive} title="Files need the machine to be online." />;
  const shown = file === undefined ? null : join(cwd, file);
  const relative = (path: string): string => (path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path);
  return (
    <>
      <div className={shown === null ? "flex min-h-0 flex-1 flex-col" : "hidden"}>
        <Tree runnerId={runnerId} root={cwd} selected={shown} onOpen={(path) => onFile(relative(path))} />
      </div>
      {shown !== null && <Viewer key={shown} runnerId={runnerId} path={shown} name={relative(shown)} line={line === undefined ? null : Number(line) || null} touch={touch} onBack={() => onFile(undefined)} onMention={onMention} />}
    </>
  );
}
