import { useEffect, useState } from "react";
import { runExec } from "@/data/answers";
import { messageOf } from "@/net/api";
import { Dialog, EmptyState, ErrorState, SkeletonRows, toast } from "@/ui";
import { list, object, text, words } from "@/transcript/json";
import { useOpenSession } from "../context";

interface Point {
  readonly entryId: string;
  readonly text: string;
}

/** Go back to one of the person's own messages; its text comes back into the field. */
export function RewindDialog({ onClose, name }: { onClose: () => void; name: string | null }) {
  const { sessionId, compose } = useOpenSession();
  const [points, setPoints] = useState<readonly Point[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    runExec(sessionId, "get_fork_messages").then(
      (answer) => {
        const found = list(object(answer)?.["messages"]).flatMap((entry): Point[] => {
          const raw = object(entry);
          const entryId = raw && words(raw["entryId"]);
          return raw && entryId ? [{ entryId, text: text(raw["text"]) ?? "" }] : [];
        });
        if (current) setPoints(found.toReversed());
      },
      (error: unknown) => current && setFailure(messageOf(error)),
    );
    return () => {
      current = false;
    };
  }, [sessionId]);
  const rewind = async (point: Point): Promise<void> => {
    setBusy(point.entryId);
    try {
      const answer = object(await runExec(sessionId, "fork", { entryId: point.entryId }, 60_000));
      onClose();
      compose(text(answer?.["text"]) ?? point.text, "replace");
    } catch (error) {
      toast(`Not rewound. ${messageOf(error)}`, { tone: "fail" });
      setBusy(null);
    }
  };
  return (
    <Dialog open onClose={onClose} title="Rewind" description={`The conversation${name ? ` of “${name}”` : ""} continues from before the message you choose. Files are not rolled back.`}>
      {failure ? (
        <ErrorState title="Your messages could not be listed" detail={failure} />
      ) : points === null ? (
        <SkeletonRows rows={4} className="py-3" />
      ) : points.length === 0 ? (
        <EmptyState title="There is nothing to go back to yet" />
      ) : (
        <ul className="-mx-2 flex flex-col pb-3">
          {points.map((point) => (
            <li key={point.entryId}>
              <button type="button" disabled={busy !== null} className="w-full rounded-ctl px-2 py-2 text-left text-ui hover:bg-hover disabled:opacity-50" onClick={() => void rewind(point)}>
                <span className="line-clamp-2">{point.text || "(no text)"}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}
