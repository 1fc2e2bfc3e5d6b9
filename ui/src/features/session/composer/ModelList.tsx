import { Brain, Check, Search } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { tokens } from "@/data/format";
import { load, save } from "@/data/storage";
import { Icon, cx } from "@/ui";
import type { Model } from "@/transcript/facts";
import { strings } from "@/transcript/json";
import { match } from "./picker";

const RECENT = 4;

export const keyOf = (model: Pick<Model, "provider" | "id">): string => `${model.provider}/${model.id}`;

function recent(): string[] {
  return load("models.recent", strings) ?? [];
}
/** Put a choice before the others next time. */
export function remember(key: string): void {
  save("models.recent", [key, ...recent().filter((known) => known !== key)].slice(0, RECENT));
}

/** Search and choose; grouped by provider, the last ones first. */
export default function ModelList({ models, current, failure, onChoose }: { models: readonly Model[]; current: Model | null; failure: string | null; onChoose: (model: Model) => void }) {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const groups = useMemo(() => {
    const found = match(models, query, (model) => `${model.name} ${model.provider}/${model.id}`);
    const result: { name: string; models: Model[] }[] = [];
    if (query === "") {
      const last = recent().flatMap((key) => found.find((model) => keyOf(model) === key) ?? []);
      if (last.length > 0 && models.length > 8) result.push({ name: "Recent", models: last });
    }
    for (const model of found) {
      const group = result.find((entry) => entry.name === model.provider);
      if (group) group.models.push(model);
      else result.push({ name: model.provider, models: [model] });
    }
    return result;
  }, [models, query]);
  const flat = groups.flatMap((group) => group.models);
  useEffect(() => {
    box.current?.querySelector('[data-active="true"]')?.scrollIntoView({ block: "nearest" });
  }, [at]);
  return (
    <div className="flex max-h-[min(26rem,60dvh)] flex-col">
      <label className="flex items-center gap-2 border-b border-line px-3">
        <Icon icon={Search} className="text-text-3" />
        <span className="sr-only">Search models</span>
        <input
          autoFocus
          value={query}
          placeholder="Search models"
          className="h-10 min-w-0 flex-1 bg-transparent text-ui outline-none"
          role="combobox"
          aria-expanded="true"
          aria-controls="model-list"
          onChange={(event) => {
            setQuery(event.target.value);
            setAt(0);
          }}
          onKeyDown={(event) => {
            if (event.nativeEvent.isComposing) return;
            if (event.key === "ArrowDown" || event.key === "ArrowUp") {
              event.preventDefault();
              setAt((at + (event.key === "ArrowDown" ? 1 : flat.length - 1)) % Math.max(1, flat.length));
            } else if (event.key === "Enter") {
              const chosen = flat[at];
              if (chosen) onChoose(chosen);
            }
          }}
        />
      </label>
      {failure && <p className="border-b border-line bg-fail-tint px-3 py-2 text-code text-text">{failure}</p>}
      <div ref={box} id="model-list" role="listbox" aria-label="Models" className="min-h-0 overflow-y-auto p-1">
        {groups.map((group) => (
          <div key={group.name} role="group" aria-label={group.name}>
            <p className="px-2 pt-2 pb-1 text-meta font-medium text-text-3">{group.name}</p>
            {group.models.map((model) => {
              const index = flat.indexOf(model);
              const chosen = current !== null && keyOf(current) === keyOf(model);
              return (
                <button
                  key={`${group.name}${keyOf(model)}`}
                  type="button"
                  role="option"
                  aria-selected={chosen}
                  tabIndex={-1}
                  data-active={index === at}
                  className={cx("flex min-h-9 w-full items-center gap-2 rounded-ctl px-2 text-left text-ui pointer-coarse:min-h-11", index === at && "bg-hover")}
                  onPointerMove={() => setAt(index)}
                  onClick={() => onChoose(model)}
                >
                  <span className="size-4 shrink-0">{chosen && <Icon icon={Check} />}</span>
                  <span className="min-w-0 flex-1 truncate">{model.name}</span>
                  {model.reasoning && <Icon icon={Brain} size={14} className="text-text-3" aria-label="thinks" />}
                  {model.contextWindow !== null && <span className="tnum text-meta text-text-3">{tokens(model.contextWindow)}</span>}
                </button>
              );
            })}
          </div>
        ))}
        {flat.length === 0 && <p className="px-3 py-6 text-center text-ui text-text-2">{models.length === 0 ? "The session has not said which models it can use." : `No model matches “${query}”.`}</p>}
      </div>
    </div>
  );
}
