import { FileText, X } from "lucide-react";
import { useEffect, useState } from "react";
import { bytes } from "@/data/format";
import type { DraftAttachment } from "@/data/drafts";
import { Icon } from "@/ui";

/** Files that go with the message, above the field. */
export function AttachmentStrip({ list, onRemove, onUnfold }: { list: readonly DraftAttachment[]; onRemove: (id: string) => void; onUnfold: (attachment: DraftAttachment) => void }) {
  if (list.length === 0) return null;
  return (
    <ul className="attachments" aria-label="Attachments">
      {list.map((attachment) => (
        <li key={attachment.id} className="attachment">
          {attachment.type.startsWith("image/") ? <Preview attachment={attachment} /> : <Icon icon={FileText} className="text-text-3" />}
          <span className="min-w-0">
            {attachment.name.startsWith("Pasted text") ? (
              <button type="button" className="block max-w-48 truncate text-left hover:underline" title="Put the text back into the field" onClick={() => onUnfold(attachment)}>
                {attachment.name.replace(/\.txt$/, "")}
              </button>
            ) : (
              <span className="block max-w-48 truncate">{attachment.name}</span>
            )}
            <span className="block text-meta text-text-3">{bytes(attachment.size)}</span>
          </span>
          <button type="button" className="attachment-remove" aria-label={`Remove ${attachment.name}`} onClick={() => onRemove(attachment.id)}>
            <Icon icon={X} size={14} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function Preview({ attachment }: { attachment: DraftAttachment }) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = URL.createObjectURL(attachment.blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [attachment.blob]);
  return url ? <img src={url} alt="" className="size-9 rounded-[5px] object-cover" /> : <span className="size-9" />;
}
