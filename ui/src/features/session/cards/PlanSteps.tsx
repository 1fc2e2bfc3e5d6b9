import { object, words } from "@/transcript/json";
import { PlainMarkdown } from "../log/PlainMarkdown";

export function PlanSteps({ steps }: { steps: readonly unknown[] }) {
  return (
    <ol className="plan-steps">
      {steps.map((entry, index) => {
        const step = object(entry);
        const title = step && words(step["title"]);
        if (!step || !title) return null;
        const more = words(step["description"]);
        return (
          <li key={index}>
            <span className="font-medium text-text">{title}</span>
            {more && <PlainMarkdown text={more} />}
          </li>
        );
      })}
    </ol>
  );
}
