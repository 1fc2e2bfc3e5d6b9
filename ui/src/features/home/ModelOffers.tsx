import { useQuery } from "@tanstack/react-query";
import { FlaskConical, HardDrive, KeyRound, type LucideIcon } from "lucide-react";
import { useState, type ReactNode } from "react";
import { modelsQuery, providersQuery, type ProviderInfo } from "@/data/queries";
import { runnerName } from "@/data/runners";
import type { RunnerInfo } from "@/protocol/wire";
import { ProviderLogin } from "@/features/runners/ProviderLogin";
import { DEMO_MODEL } from "@/features/new-session";
import { messageOf } from "@/net/api";
import { Banner, Card, CommandLine, ErrorState, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Field, Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";

/** How often a machine without models is asked again, ms. */
const LOOK_MS = 8_000;

/** Shown while a machine has no model to talk to: three ways to get one, without leaving the page. */
export function ModelOffers({ runner, model, onModel }: { runner: RunnerInfo; model: string | undefined; onModel: (key: string) => void }) {
  const models = useQuery({ ...modelsQuery(runner.runnerId), refetchInterval: (query) => (query.state.data?.length === 0 ? LOOK_MS : false) });
  const providers = useQuery({ ...providersQuery(runner.runnerId), enabled: models.data?.length === 0 });
  const [way, setWay] = useState<"key" | "ollama" | "demo" | undefined>(model === DEMO_MODEL ? "demo" : undefined);
  if (models.data?.length !== 0) return null;
  const keyed = (providers.data ?? []).filter((provider) => provider.types.includes("api_key"));
  return (
    <Card className="flex flex-col gap-4 p-5">
      <div>
        <h2 className="text-section font-semibold">Give {runnerName(runner)} a model</h2>
        <p className="mt-0.5 text-ui text-text-2">There is no model to talk to on this machine yet. Choose how to get one.</p>
      </div>
      <div className="grid gap-2 m:grid-cols-3">
        <Way icon={KeyRound} title="Paste a key" active={way === "key"} onPress={() => setWay("key")}>
          From Anthropic, OpenAI, OpenRouter and others
        </Way>
        <Way icon={HardDrive} title="Local Ollama" active={way === "ollama"} onPress={() => setWay("ollama")}>
          Models that run on your own hardware
        </Way>
        <Way
          icon={FlaskConical}
          title="Demo"
          active={way === "demo"}
          onPress={() => {
            setWay("demo");
            onModel(DEMO_MODEL);
          }}
        >
          No AI: scripted answers, to look around first
        </Way>
      </div>
      {way === "key" && providers.isPending && <SkeletonRows rows={2} />}
      {way === "key" && providers.error && <ErrorState title="The machine didn't answer" detail={messageOf(providers.error)} onRetry={() => void providers.refetch()} />}
      {way === "key" && keyed.length > 0 && <KeyWay runnerId={runner.runnerId} providers={keyed} />}
      {way === "key" && providers.data && keyed.length === 0 && <p className="text-ui text-text-2">This machine takes no keys from here. Set the provider's environment variable there and restart the runner.</p>}
      {way === "ollama" && (
        <div className="flex flex-col gap-2">
          <p className="text-ui text-text-2">Run this on {runnerName(runner)}. A running Ollama is found by itself.</p>
          <CommandLine command="ollama pull qwen3-coder" />
          <div className="flex items-center gap-3">
            <Button busy={models.isFetching} onClick={() => void models.refetch()}>
              Look again
            </Button>
            <span role="status" className="flex items-center gap-2 text-ui text-text-2">
              <span className="pulse size-2 rounded-full bg-run" aria-hidden="true" />
              Waiting for a model…
            </span>
          </div>
        </div>
      )}
      {way === "demo" && <Banner tone="done">The demo is chosen above. Say anything and start: it shows how an agent thinks, uses tools and answers.</Banner>}
    </Card>
  );
}

const FIRST = ["anthropic", "openai", "openrouter", "google"];

function KeyWay({ runnerId, providers }: { runnerId: string; providers: readonly ProviderInfo[] }) {
  const sorted = [...providers].sort((a, b) => rank(a.id) - rank(b.id) || a.name.localeCompare(b.name));
  const [id, setId] = useState(sorted[0]?.id ?? "");
  const provider = sorted.find((entry) => entry.id === id);
  return (
    <div className="flex flex-col gap-3">
      <Field label="Provider">
        {(control) => (
          <Select {...control} value={id} onChange={(event) => setId(event.target.value)}>
            {sorted.map((entry) => (
              <option key={entry.id} value={entry.id}>
                {entry.name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      {provider && <ProviderLogin key={provider.id} runnerId={runnerId} provider={provider} type="api_key" autoStart />}
    </div>
  );
}

function rank(id: string): number {
  const at = FIRST.indexOf(id);
  return at === -1 ? FIRST.length : at;
}

function Way({ icon, title, children, active, onPress }: { icon: LucideIcon; title: string; children: ReactNode; active: boolean; onPress: () => void }) {
  return (
    <button
      type="button"
      aria-pressed={active}
      onClick={onPress}
      className="flex flex-col gap-1 rounded-card border border-line p-3 text-left transition-colors hover:border-line-strong hover:bg-hover aria-pressed:border-text aria-pressed:bg-hover"
    >
      <Icon icon={icon} size={18} />
      <span className="mt-1 text-ui font-medium">{title}</span>
      <span className="text-meta text-text-3">{children}</span>
    </button>
  );
}
