import "../session.css";
import { Markdown } from "./Markdown";

/** Markdown in the size of the interface rather than of the transcript. */
export function PlainMarkdown({ text }: { text: string }) {
  return (
    <div className="prose-ui">
      <Markdown text={text} />
    </div>
  );
}
