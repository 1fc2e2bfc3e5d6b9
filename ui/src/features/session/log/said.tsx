import { Check, CheckCheck, CircleAlert, Clock3, Link2, MessageSquareQuote, Paperclip, Pencil, RotateCcw, Trash2, X, type LucideIcon } from "lucide-react";
import { useState } from "react";
import { to } from "@/app/routes";
import { bytes } from "@/data/format";
import { outbox, useOutbox, type OutboxItem, type OutboxState } from "@/data/outbox";
import { Button, CopyButton, Icon, IconButton, RelativeTime, Spinner, copyText, cx } from "@/ui";
import type { UserItem } from "@/transcript/model";
import type { DeliveryState } from "@/transcript/deliveries";
import { Pictures } from "../cards/Pictures";
import { useDelivery, useOpenSession } from "../context";

/** A prompt that is part of the conversation. */
export function UserRow({ item }: { item: UserItem }) {
  const { sessionId, model, compose } = useOpenSession();
  const delivery = useDelivery(model, item.requestId);
  return (
    <div className="said">
      <h2 className="sr-only">You said</h2>
      <div className="said-box">
        <SaidText text={item.text} />
        {item.images.length > 0 && <Pictures images={item.images} />}
      </div>
      <div className="said-foot">
        <span className="row-actions">
          <IconButton icon={MessageSquareQuote} size="sm" label="Quote in message" onClick={() => compose(quote(item.text), "insert")} />
          <IconButton icon={Link2} size="sm" label="Copy link to message" onClick={() => void copyText(`${location.origin}${to.session(sessionId, { m: item.id })}`)} />
          <CopyButton text={item.text} label="Copy message" />
        </span>
        {item.at !== null && <RelativeTime at={item.at} className="row-time tnum" />}
        {delivery && <DeliveryMark state={delivery.state} message={delivery.message} />}
      </div>
    </div>
  );
}

/** Text as a quotation to go on from. */
export function quote(text: string): string {
  return `${text
    .trim()
    .split("\n")
    .map((line) => `> ${line}`)
    .join("\n")}\n\n`;
}

/** How agents name a file that came with a message. */
const ATTACHED = /\n*\[Attached file ([^\]\n]+?): ([^\]\n]+)\]/g;

/** What was typed, and the files that came with it as what they were. */
function SaidText({ text }: { text: string }) {
  const { openFile } = useOpenSession();
  const files = [...text.matchAll(ATTACHED)].map((match) => ({ name: match[1] ?? "", path: match[2] ?? "" }));
  const words = files.length === 0 ? text : text.replace(ATTACHED, "").trim();
  return (
    <>
      {words !== "" && <UserText text={words} />}
      {files.length > 0 && (
        <ul className="flex flex-wrap gap-2">
          {files.map((file) => (
            <li key={file.path}>
              <button type="button" className="file-chip" title={file.path} onClick={() => openFile(file.path)}>
                <Icon icon={Paperclip} size={14} />
                {file.name}
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** Prompts are text, not Markdown: what was typed is what is shown. Long ones fold. */
function UserText({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  const lines = text.split("\n");
  const long = lines.length > 24 || text.length > 4_000;
  const shown = long && !open ? lines.slice(0, 16).join("\n").slice(0, 2_400) : text;
  return (
    <>
      <p className="said-text">{shown}</p>
      {long && (
        <button type="button" className="inline-more" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Show less" : "Show all"}
        </button>
      )}
    </>
  );
}

const DELIVERY: Record<DeliveryState, { icon: LucideIcon; words: string; loud: boolean }> = {
  accepted: { icon: Check, words: "Stored by the relay", loud: false },
  delivered: { icon: Check, words: "The session has it", loud: false },
  consumed: { icon: CheckCheck, words: "The agent has read it", loud: false },
  rejected: { icon: X, words: "Refused", loud: true },
  expired: { icon: Clock3, words: "Not delivered in time", loud: true },
  cancelled: { icon: X, words: "Withdrawn", loud: true },
  unknown: { icon: CircleAlert, words: "Not known whether the agent read it", loud: true },
};

function DeliveryMark({ state, message }: { state: DeliveryState; message: string | null }) {
  const mark = DELIVERY[state];
  return (
    <span className={cx("delivery", mark.loud && "text-wait")} data-state={state} title={message ?? mark.words}>
      <Icon icon={mark.icon} size={14} />
      <span className={mark.loud ? "" : "sr-only"}>{mark.words}</span>
    </span>
  );
}

const OUTBOX_WORDS: Record<OutboxState, string> = { uploading: "Uploading", waiting: "Waiting", sending: "Sending", sent: "Sent", unconfirmed: "Not confirmed yet", failed: "Not sent" };

/** A prompt that is on its way. */
export function PendingRow({ requestId }: { requestId: string }) {
  const { sessionId } = useOpenSession();
  const item = useOutbox(sessionId).find((entry) => entry.requestId === requestId);
  return item ? <PendingMessage item={item} /> : null;
}

function PendingMessage({ item }: { item: OutboxItem }) {
  const { compose } = useOpenSession();
  const bad = item.state === "failed" || item.state === "unconfirmed";
  return (
    <div className="said" data-pending={item.state}>
      <div className="said-box">
        {item.text !== "" && <UserText text={item.text} />}
        {item.attachments.length > 0 && (
          <ul className="mt-1 flex flex-wrap gap-2">
            {item.attachments.map((attachment) => (
              <li key={attachment.id} className="inline-flex items-center gap-1.5 text-meta text-text-2">
                <Icon icon={Paperclip} size={14} />
                {attachment.name} <span className="text-text-3">{bytes(attachment.size)}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
      <div className="said-foot">
        <span role="status" className={cx("inline-flex min-w-0 items-center gap-1.5", bad ? "text-fail" : "text-text-3")}>
          {bad ? <Icon icon={CircleAlert} size={14} /> : item.state === "sent" ? <Icon icon={Check} size={14} /> : <Spinner size={12} />}
          <span className="truncate">
            {OUTBOX_WORDS[item.state]}
            {item.state === "uploading" && item.progress !== undefined ? ` ${Math.round(item.progress * 100)} %` : ""}
            {item.reason && item.reason !== OUTBOX_WORDS[item.state] ? ` · ${item.reason}` : ""}
          </span>
        </span>
        {item.state === "unconfirmed" && <span className="text-meta text-text-3 max-m:hidden">Retry only if you don't see it.</span>}
        {bad && (
          <Button size="sm" kind="quiet" icon={RotateCcw} onClick={() => outbox.retry(item.requestId)}>
            Retry
          </Button>
        )}
        {(bad || item.state === "waiting") && (
          <IconButton
            icon={Pencil}
            size="sm"
            label="Edit message"
            onClick={() => {
              const taken = outbox.edit(item.requestId);
              if (taken) compose(taken.text, "replace");
            }}
          />
        )}
        {item.state !== "sent" && item.state !== "sending" && <IconButton icon={Trash2} size="sm" label="Delete message" onClick={() => outbox.remove(item.requestId)} />}
      </div>
    </div>
  );
}
