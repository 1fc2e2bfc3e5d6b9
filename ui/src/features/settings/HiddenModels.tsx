import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { hiddenModelsQuery, modelsQuery, queryClient } from "@/data/queries";
import { useRunners } from "@/data/runners";
import { modelKey } from "@/features/new-session";
import { api, messageOf } from "@/net/api";
import { EmptyState, ErrorState, Section, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Checkbox } from "@/ui/Choice";
import { Input } from "@/ui/Field";
import { toast } from "@/ui/toast";

/** Which models the pickers offer. Hidden ones stay listed here, or they could never come back. */
export function HiddenModels() {
  const { list } = useRunners();
  const online = list.filter((machine) => machine.online);
  const hidden = useQuery(hiddenModelsQuery());
  const models = useQueries({ queries: online.map((machine) => modelsQuery(machine.id)) });
  const [query, setQuery] = useState("");
  const off = useMemo(() => new Set(hidden.data ?? []), [hidden.data]);
  const all = useMemo(() => {
    const found = new Map<string, { key: string; provider: string; name: string }>();
    for (const answer of models) for (const model of answer.data ?? []) found.set(modelKey(model), { key: modelKey(model), provider: model.provider, name: model.name ?? model.id });
    for (const key of off) if (!found.has(key)) found.set(key, { key, provider: key.split("/")[0] ?? "", name: key.split("/").slice(1).join("/") });
    return [...found.values()].sort((a, b) => a.provider.localeCompare(b.provider) || a.name.localeCompare(b.name));
  }, [models, off]);
  const store = async (next: string[]) => {
    const key = hiddenModelsQuery().queryKey;
    const before = queryClient.getQueryData(key);
    queryClient.setQueryData(key, next);
    try {
      await api.put("/api/settings/hidden-models", { hiddenModels: next });
      for (const machine of online) void queryClient.invalidateQueries({ queryKey: modelsQuery(machine.id).queryKey });
    } catch (error) {
      queryClient.setQueryData(key, before);
      toast(`Not saved. ${messageOf(error)}`, { tone: "fail" });
    }
  };
  const shown = all.filter((model) => model.key.toLowerCase().includes(query.toLowerCase()) || model.name.toLowerCase().includes(query.toLowerCase()));
  const providers = [...new Set(shown.map((model) => model.provider))];
  const loading = hidden.isPending || (online.length > 0 && models.every((answer) => answer.isPending));
  return (
    <Section title="Models" description="Unticked ones don't show up when you choose a model, on any device.">
      {hidden.error && <ErrorState title="The list couldn't be read" detail={messageOf(hidden.error)} onRetry={() => void hidden.refetch()} />}
      {all.length > 10 && <Input type="search" aria-label="Search models" placeholder="Search" value={query} onChange={(event) => setQuery(event.target.value)} />}
      {loading && <SkeletonRows rows={5} />}
      {!loading && all.length === 0 && <EmptyState title={online.length === 0 ? "No machine is online to list its models" : "No models yet"} />}
      {providers.map((provider) => {
        const mine = shown.filter((model) => model.provider === provider);
        const visible = mine.filter((model) => !off.has(model.key)).length;
        return (
          <fieldset key={provider} className="flex flex-col">
            <legend className="flex w-full items-center pb-1">
              <span className="flex-1 text-ui font-medium">{provider}</span>
              <Button
                kind="accent"
                size="sm"
                onClick={() => void store(visible > 0 ? [...new Set([...off, ...mine.map((model) => model.key)])] : [...off].filter((key) => !mine.some((model) => model.key === key)))}
              >
                {visible > 0 ? "Hide all" : "Show all"}
              </Button>
            </legend>
            <div className="grid gap-x-6 m:grid-cols-2">
              {mine.map((model) => (
                <Checkbox key={model.key} checked={!off.has(model.key)} onChange={(on) => void store(on ? [...off].filter((key) => key !== model.key) : [...off, model.key])}>
                  {model.name}
                </Checkbox>
              ))}
            </div>
          </fieldset>
        );
      })}
    </Section>
  );
}
