import { ChevronRight, CircleAlert, Minimize2, TriangleAlert } from "lucide-react";
import { tokens } from "@/data/format";
import { Icon, cx } from "@/ui";
import { stripAnsi } from "@/transcript/ansi";
import type { NoticeItem } from "@/transcript/model";
import { useOpen, useOpenSession } from "../context";
import { Markdown } from "./Markdown";

/** What happened beside the conversation. */
export function NoticeRow({ item }: { item: NoticeItem }) {
  switch (item.notice) {
    case "compaction":
    case "branch":
    case "break":
      return <Divider item={item} />;
    case "error":
    case "cli-error":
      return <Failure item={item} />;
    case "length":
      return (
        <p className="notice text-wait">
          <Icon icon={TriangleAlert} size={14} />
          {item.text}
        </p>
      );
    case "aborted":
    case "model":
    case "note":
      return (
        <p className={cx("notice", item.tone === "error" ? "text-fail" : item.tone === "warning" ? "text-wait" : "text-text-3")}>
          <span className="whitespace-pre-wrap">{stripAnsi(item.text)}</span>
        </p>
      );
  }
}

function Divider({ item }: { item: NoticeItem }) {
  const { model } = useOpenSession();
  const open = useOpen(model, item.id, false);
  const words = item.tokensBefore === null ? item.text : `${item.text}, ${tokens(item.tokensBefore)} tokens before`;
  return (
    <div className="divider">
      <div className="divider-line">
        {item.detail ? (
          <button type="button" aria-expanded={open} onClick={() => model.setOpen(item.id, !open)}>
            <Icon icon={Minimize2} size={14} />
            {words}
            <Icon icon={ChevronRight} size={14} className={cx("transition-transform", open && "rotate-90")} />
          </button>
        ) : (
          <span>{words}</span>
        )}
      </div>
      {open && item.detail && (
        <div className="tool-body">
          <Markdown text={item.detail} />
        </div>
      )}
    </div>
  );
}

const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/rate.?limit|429|too many requests/i, "The provider's rate limit was reached. Wait a little, or choose another model."],
  [/overloaded|529|503/i, "The provider is overloaded. Try again in a moment."],
  [/401|403|unauthori[sz]ed|invalid.*(api.?key|credential)|no credentials|authentication/i, "The provider did not accept the credentials. Check the key on the runner."],
  [/context.*(length|window|too long)|prompt is too long|maximum context/i, "The conversation no longer fits the model. Compact it, then try again."],
  [/model.*(not found|does not exist|deprecated)|404/i, "The provider does not know this model. Choose another one."],
  [/ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|dns|network|fetch failed|connection/i, "The runner could not reach the provider."],
  [/insufficient|quota|billing|credit/i, "The provider's quota or balance is used up."],
];

function Failure({ item }: { item: NoticeItem }) {
  const technical = item.notice === "error" ? (item.detail ?? "") : item.text;
  const cause = CAUSES.find(([pattern]) => pattern.test(technical))?.[1];
  const head = item.notice === "error" ? (cause ?? item.text) : (cause ?? item.text);
  const detail = technical !== head ? technical : "";
  return (
    <div className="failure" role="group" aria-label="Error">
      <Icon icon={CircleAlert} className="mt-0.5 text-fail" />
      <div className="min-w-0 flex-1">
        <p className="whitespace-pre-wrap text-text">{stripAnsi(head)}</p>
        {item.notice === "cli-error" && item.detail && <p className="text-meta text-text-3">{item.detail}</p>}
        {detail !== "" && (
          <details className="mt-1 text-meta text-text-3">
            <summary className="w-fit">Details</summary>
            <pre className="mt-1 font-mono whitespace-pre-wrap select-text">{stripAnsi(detail)}</pre>
          </details>
        )}
      </div>
    </div>
  );
}
