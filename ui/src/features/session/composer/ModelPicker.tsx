import { ChevronDown } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { viewer } from "@/net/viewer";
import { Icon, Popover, Spinner } from "@/ui";
import type { Model } from "@/transcript/facts";
import { useFacts, useOpenSession } from "../context";

/** A switch that is not confirmed by then is shown as open. */
const CONFIRM_MS = 20_000;

const ModelList = lazy(() => import("./ModelList"));

const keyOf = (model: Model): string => `${model.provider}/${model.id}`;

export function ModelPicker({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const { model: session, sessionId } = useOpenSession();
  const current = useFacts(session, (facts) => facts.model);
  const models = useFacts(session, (facts) => facts.models);
  const failure = useFacts(session, (facts) => facts.modelError);
  const [wanted, setWanted] = useState<string | null>(null);
  const pending = wanted !== null && (!current || keyOf(current) !== wanted) && failure === null;
  useEffect(() => {
    if (wanted === null) return undefined;
    const timer = setTimeout(() => setWanted(null), CONFIRM_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  const choose = (model: Model): void => {
    onOpenChange(false);
    if (current && keyOf(current) === keyOf(model)) return;
    void import("./ModelList").then((part) => part.remember(keyOf(model)));
    setWanted(viewer.emit("model_set", { provider: model.provider, modelId: model.id }) ? keyOf(model) : null);
  };
  return (
    <Popover
      open={open}
      onOpenChange={onOpenChange}
      side="top"
      label="Model"
      className="w-[min(24rem,calc(100vw-16px))]"
      trigger={
        <button type="button" className="chip" aria-label={current ? `Model: ${current.name}` : "Choose a model"} title={failure ?? undefined} data-failed={failure !== null || undefined}>
          <span className="truncate">{current ? current.name : "No model"}</span>
          {pending ? <Spinner size={12} /> : <Icon icon={ChevronDown} size={12} />}
        </button>
      }
    >
      <Suspense fallback={<div className="h-40" />}>
        <ModelList key={sessionId} models={models.length === 0 && current ? [current] : models} current={current} failure={failure} onChoose={choose} />
      </Suspense>
    </Popover>
  );
}
