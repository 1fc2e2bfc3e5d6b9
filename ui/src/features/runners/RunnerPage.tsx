import { lazy, Suspense } from "react";
import { Page } from "@/app/Page";
import { ErrorBoundary } from "@/app/ErrorBoundary";
import { Link, navigate, RUNNER_TABS, to, type RunnerTab } from "@/app/routes";
import { runnerName, useRunner, useRunners } from "@/data/runners";
import { EmptyState, SkeletonRows } from "@/ui/bits";
import { buttonClass } from "@/ui/Button";
import { Tabs } from "@/ui/Tabs";
import { Liveness } from "./RunnersPage";
import { Overview } from "./Overview";

const Models = lazy(() => import("./Models").then((part) => ({ default: part.Models })));
const Files = lazy(() => import("./NamedFiles").then((part) => ({ default: part.NamedFiles })));
const Plugins = lazy(() => import("./Plugins").then((part) => ({ default: part.Plugins })));
const Hooks = lazy(() => import("./Plugins").then((part) => ({ default: part.Hooks })));
const Mcp = lazy(() => import("./Mcp").then((part) => ({ default: part.Mcp })));
const Usage = lazy(() => import("@/features/usage").then((part) => ({ default: part.Usage })));
const RunnerTerminal = lazy(() => import("@/features/terminal").then((part) => ({ default: part.RunnerTerminal })));
const Sandbox = lazy(() => import("./Sandbox").then((part) => ({ default: part.Sandbox })));

const LABELS: Record<RunnerTab, string> = {
  overview: "Overview",
  models: "Models",
  skills: "Skills",
  agents: "Agents",
  plugins: "Plugins",
  hooks: "Hooks",
  mcp: "MCP",
  usage: "Usage",
  sandbox: "Sandbox",
  terminal: "Terminal",
};

export function RunnerPage({ id, tab }: { id: string; tab: RunnerTab }) {
  const machine = useRunner(id);
  const { phase } = useRunners();
  if (!machine) {
    if (phase === "loading") {
      return (
        <Page title="Machine" back={to.runners()}>
          <SkeletonRows rows={5} />
        </Page>
      );
    }
    return (
      <EmptyState
        className="my-auto"
        title="This machine isn't connected"
        action={
          <Link href={to.runners()} className={buttonClass("outline")}>
            All machines
          </Link>
        }
      />
    );
  }
  return (
    <Page title={runnerName(machine.info)} back={to.runners()} actions={<Liveness machine={machine} />}>
      <Tabs label="About this machine" value={tab} onChange={(next) => navigate(to.runner(id, next), { replace: true })} tabs={RUNNER_TABS.map((value) => ({ value, label: LABELS[value] }))}>
        <div className="pt-6">
          <ErrorBoundary resetKey={tab} what="This tab">
            <Suspense fallback={<SkeletonRows rows={4} />}>
              {tab === "overview" && <Overview machine={machine} />}
              {tab !== "overview" && !machine.online && <EmptyState title={`${runnerName(machine.info)} is offline`}>This comes from the machine itself. Wake it up to see it.</EmptyState>}
              {tab !== "overview" && machine.online && <Content tab={tab} id={id} />}
            </Suspense>
          </ErrorBoundary>
        </div>
      </Tabs>
    </Page>
  );
}

function Content({ tab, id }: { tab: Exclude<RunnerTab, "overview">; id: string }) {
  switch (tab) {
    case "models":
      return <Models runnerId={id} />;
    case "skills":
    case "agents":
      return <Files key={tab} runnerId={id} kind={tab} />;
    case "plugins":
      return <Plugins runnerId={id} />;
    case "hooks":
      return <Hooks runnerId={id} />;
    case "mcp":
      return <Mcp runnerId={id} />;
    case "usage":
      return <Usage runnerId={id} />;
    case "sandbox":
      return <Sandbox runnerId={id} />;
    case "terminal":
      return <RunnerTerminal runnerId={id} />;
  }
}
