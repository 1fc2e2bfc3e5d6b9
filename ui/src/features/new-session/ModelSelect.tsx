import { useQuery } from "@tanstack/react-query";
import { Brain, Check, ChevronDown, Sparkles } from "lucide-react";
import { useState } from "react";
import { tokens } from "@/data/format";
import { modelsQuery, type RunnerModel } from "@/data/queries";
import { messageOf } from "@/net/api";
import { Icon } from "@/ui/Icon";
import { PickList, type PickItem } from "@/ui/PickList";
import { Popover } from "@/ui/Popover";

/** Answers without any model; offered where there is none. */
export const DEMO_MODEL = "demo/demo";

export function modelKey(model: { provider: string; id: string }): string {
  return `${model.provider}/${model.id}`;
}

export function modelItems(models: readonly RunnerModel[], query: string, selected: string | undefined): PickItem[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return models
    .filter((model) => words.every((word) => `${model.provider} ${model.id} ${model.name ?? ""}`.toLowerCase().includes(word)))
    .sort((a, b) => a.provider.localeCompare(b.provider) || (a.name ?? a.id).localeCompare(b.name ?? b.id))
    .map((model) => ({
      key: modelKey(model),
      group: model.provider,
      label: model.name ?? model.id,
      trailing: (
        <span className="flex items-center gap-2 text-meta text-text-3 tnum">
          {model.reasoning && <Icon icon={Brain} size={13} aria-label="Reasons before answering" />}
          {model.contextWindow ? tokens(model.contextWindow) : null}
          {selected === modelKey(model) && <Icon icon={Check} size={14} />}
        </span>
      ),
    }));
}

/** Which model the session starts with. Without a choice the machine's default. */
export function ModelSelect({ runnerId, value, onChange }: { runnerId: string; value: string | undefined; onChange: (key: string | undefined) => void }) {
  const [open, setOpen] = useState(false);
  const [query, setQuery] = useState("");
  const models = useQuery(modelsQuery(runnerId));
  const chosen = models.data?.find((model) => modelKey(model) === value);
  return (
    <Popover
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        setQuery("");
      }}
      label="Model"
      className="w-[min(22rem,calc(100vw-24px))]"
      trigger={
        <button type="button" className="flex h-8 max-w-full min-w-0 items-center gap-1.5 rounded-ctl px-2 text-code font-medium text-text-2 hover:bg-hover hover:text-text data-[state=open]:bg-press pointer-coarse:h-11">
          <Icon icon={Sparkles} />
          <span className="truncate">{chosen ? (chosen.name ?? chosen.id) : value === DEMO_MODEL ? "Demo, no AI" : value ? value.slice(value.indexOf("/") + 1) : "Default model"}</span>
          <Icon icon={ChevronDown} size={12} />
        </button>
      }
    >
      <PickList
        label="Model"
        placeholder="Find a model"
        query={query}
        onQuery={setQuery}
        selected={value}
        items={[
          ...(query === "" ? [{ key: "", label: "Default model", hint: "What this machine is set to", trailing: value === undefined ? <Icon icon={Check} size={14} /> : undefined }] : []),
          ...modelItems(models.data ?? [], query, value),
          ...(models.data?.length === 0 ? [{ key: DEMO_MODEL, label: "Demo, no AI", hint: "Scripted answers", trailing: value === DEMO_MODEL ? <Icon icon={Check} size={14} /> : undefined }] : []),
        ]}
        onPick={(key) => {
          onChange(key || undefined);
          setOpen(false);
        }}
        empty={models.isPending ? "Asking the machine…" : models.error ? messageOf(models.error) : query ? "No model matches" : "No models on this machine yet"}
      />
    </Popover>
  );
}
