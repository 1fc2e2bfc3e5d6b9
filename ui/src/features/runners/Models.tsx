import { useQuery } from "@tanstack/react-query";
import { Brain } from "lucide-react";
import { useMemo, useState } from "react";
import { plural, tokens } from "@/data/format";
import { hiddenModelsQuery, modelsQuery, providersQuery, type ProviderInfo, type RunnerModel } from "@/data/queries";
import { messageOf } from "@/net/api";
import { Badge, Card, EmptyState, ErrorState, Section, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Icon } from "@/ui/Icon";
import { ProviderLogin } from "./ProviderLogin";

/** Who this machine can talk to, and signing in to more. */
export function Models({ runnerId }: { runnerId: string }) {
  const providers = useQuery(providersQuery(runnerId));
  const models = useQuery(modelsQuery(runnerId));
  const hidden = useQuery(hiddenModelsQuery());
  const [open, setOpen] = useState<{ provider: ProviderInfo; type: "oauth" | "api_key" } | undefined>();
  const groups = useMemo(() => groupBy(models.data ?? []), [models.data]);
  return (
    <div className="flex flex-col gap-8">
      <Section title="Providers" description="Keys stay on this machine; the relay never stores them.">
        {providers.isPending && <SkeletonRows rows={4} />}
        {providers.error && <ErrorState title="The machine didn't answer" detail={messageOf(providers.error)} onRetry={() => void providers.refetch()} />}
        {providers.data && (
          <Card className="divide-y divide-line">
            {[...providers.data]
              .sort((a, b) => Number(b.configured) - Number(a.configured) || a.name.localeCompare(b.name))
              .map((provider) => (
                <div key={provider.id} className="flex min-h-12 flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2">
                  <span className="min-w-32 flex-1 text-ui font-medium">{provider.name}</span>
                  {provider.configured && <Badge tone="done">Ready</Badge>}
                  <span className="flex gap-1.5">
                    {provider.types.includes("oauth") && (
                      <Button size="sm" onClick={() => setOpen({ provider, type: "oauth" })}>
                        Sign in
                      </Button>
                    )}
                    {provider.types.includes("api_key") && (
                      <Button size="sm" onClick={() => setOpen({ provider, type: "api_key" })}>
                        {provider.configured ? "Change" : "Set up"}
                      </Button>
                    )}
                  </span>
                </div>
              ))}
            {providers.data.length === 0 && <p className="px-4 py-3 text-ui text-text-2">This machine offers no sign-in from here.</p>}
          </Card>
        )}
      </Section>
      <Section title="Models" description={models.data ? plural(models.data.length, "model") : undefined}>
        {models.isPending && <SkeletonRows rows={4} />}
        {models.error && <ErrorState title="The machine didn't answer" detail={messageOf(models.error)} onRetry={() => void models.refetch()} />}
        {models.data?.length === 0 && <EmptyState title="No models yet">Set up a provider above.</EmptyState>}
        {groups.map(([provider, list]) => (
          <div key={provider}>
            <h3 className="mb-1 text-meta font-medium text-text-3">{provider}</h3>
            <ul className="grid gap-x-6 text-ui m:grid-cols-2">
              {list.map((model) => (
                <li key={model.id} className="flex min-h-7 items-center gap-2">
                  <span className="truncate" title={model.id}>
                    {model.name ?? model.id}
                  </span>
                  {model.reasoning && <Icon icon={Brain} size={13} className="shrink-0 text-text-3" aria-label="Reasons before answering" />}
                  {model.contextWindow && <span className="ml-auto shrink-0 text-meta text-text-3 tnum">{tokens(model.contextWindow)}</span>}
                </li>
              ))}
            </ul>
          </div>
        ))}
        {(hidden.data?.length ?? 0) > 0 && <p className="text-meta text-text-3">{plural(hidden.data?.length ?? 0, "model")} hidden in Settings → Models.</p>}
      </Section>
      <Dialog open={open !== undefined} onClose={() => setOpen(undefined)} title={open ? open.provider.name : ""}>
        <div className="pb-4">{open && <ProviderLogin key={`${open.provider.id}/${open.type}`} runnerId={runnerId} provider={open.provider} type={open.type} autoStart />}</div>
      </Dialog>
    </div>
  );
}

function groupBy(models: readonly RunnerModel[]): [string, RunnerModel[]][] {
  const groups = new Map<string, RunnerModel[]>();
  for (const model of models) groups.set(model.provider, [...(groups.get(model.provider) ?? []), model]);
  return [...groups].sort((a, b) => a[0].localeCompare(b[0]));
}
