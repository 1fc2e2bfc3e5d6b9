import { useQuery } from "@tanstack/react-query";
import { FlaskConical, HardDrive, KeyRound, type LucideIcon } from "lucide-react";
import { useState, type ReactNode } from "react";
import { modelsQuery, providersQuery, type ProviderInfo } from "@/data/queries";
import { runnerName } from "@/data/runners";
import type { RunnerInfo } from "@/protocol/wire";
import { ProviderLogin } from "@/features/runners/ProviderLogin";
import { Card } from "@/ui/bits";
import { Field, Select } from "@/ui/Field";
import { Icon } from "@/ui/Icon";

/** Shown while a machine has no model to talk to: three ways to get one, without leaving the page. */
export function ModelOffers({ runner }: { runner: RunnerInfo }) {
  const models = useQuery({ ...modelsQuery(runner.runnerId), refetchInterval: (query) => (query.state.data?.length === 0 ? 10_000 : false) });
  const providers = useQuery({ ...providersQuery(runner.runnerId), enabled: models.data?.length === 0 });
  const [way, setWay] = useState<"key" | "ollama" | "demo" | undefined>();
  if (models.data?.length !== 0) return null;
  const known = providers.data ?? [];
  const ollama = known.find((provider) => provider.id === "ollama");
  const demo = known.find((provider) => provider.id === "demo");
  const keyed = known.filter((provider) => provider.id !== "ollama" && provider.id !== "demo" && provider.types.includes("api_key"));
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
        {(ollama || providers.isPending) && (
          <Way icon={HardDrive} title="Local Ollama" active={way === "ollama"} onPress={() => setWay("ollama")}>
            Models that run on your own hardware
          </Way>
        )}
        {(demo || providers.isPending) && (
          <Way icon={FlaskConical} title="Demo model" active={way === "demo"} onPress={() => setWay("demo")}>
            Scripted answers, to look around first
          </Way>
        )}
      </div>
      {way === "key" && keyed.length > 0 && <KeyWay runnerId={runner.runnerId} providers={keyed} />}
      {way === "key" && keyed.length === 0 && !providers.isPending && <p className="text-ui text-text-2">This machine offers no sign-in by key. Set the provider's environment variable there and restart the runner.</p>}
      {way === "ollama" && ollama && <ProviderLogin key="ollama" runnerId={runner.runnerId} provider={ollama} autoStart />}
      {way === "demo" && demo && <ProviderLogin key="demo" runnerId={runner.runnerId} provider={demo} autoStart />}
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
