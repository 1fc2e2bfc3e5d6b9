import { ExternalLink } from "lucide-react";
import { Fragment, useState } from "react";
import type { OpenDecision } from "@/data/attention";
import { useSession } from "@/data/hub";
import { messageOf } from "@/net/api";
import { viewer } from "@/net/viewer";
import { Button, Icon, Input, TextArea, buttonClass } from "@/ui";
import { list, object, text, words } from "@/transcript/json";
import { PlanSteps } from "../cards/PlanSteps";
import { PlainMarkdown } from "../log/PlainMarkdown";
import { answerDraft, keepAnswerDraft } from "./answerDrafts";
import type { Answering } from "./useAnswer";

/** A plan with more steps shows these first. */
const STEPS = 5;

function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function PlanBody({ decision, answering }: { decision: OpenDecision; answering: Answering }) {
  const plan = decision.plan;
  const [all, setAll] = useState(false);
  const [change, setChange] = useState<string | null>(() => answerDraft(decision.id, isText) ?? null);
  if (!plan) return null;
  const steps = plan.steps ?? [];
  const write = (value: string): void => {
    setChange(value);
    keepAnswerDraft(decision.id, value);
  };
  return (
    <div className="flex flex-col gap-3">
      <p className="text-body font-semibold text-text">{plan.title}</p>
      {plan.description && <PlainMarkdown text={plan.description} />}
      {steps.length > 0 && <PlanSteps steps={all ? steps : steps.slice(0, STEPS)} />}
      {steps.length > STEPS && (
        <button type="button" className="inline-more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Show fewer steps" : `${steps.length - STEPS} more steps`}
        </button>
      )}
      {change !== null && <TextArea autoFocus value={change} rows={3} placeholder="What should be different?" aria-label="Suggested change" disabled={answering.busy} onChange={(event) => write(event.target.value)} />}
      <div className="decision-actions">
        <Button kind="quiet" disabled={answering.busy} onClick={() => answering.send({ kind: "plan", action: "cancel" })}>
          Reject
        </Button>
        <span className="flex-1 max-m:hidden" />
        {change === null ? (
          <>
            <Button disabled={answering.busy} onClick={() => setChange("")}>
              Suggest change
            </Button>
            <Button disabled={answering.busy} title="Start with only this plan. Earlier messages leave the agent's memory." onClick={() => answering.send({ kind: "plan", action: "execute" })}>
              Start with fresh context
            </Button>
            <Button kind="ink" busy={answering.busy} onClick={() => answering.send({ kind: "plan", action: "execute_keep_context" })}>
              Start
            </Button>
          </>
        ) : (
          <>
            <Button disabled={answering.busy} onClick={() => setChange(null)}>
              Back
            </Button>
            <Button kind="ink" busy={answering.busy} disabled={change.trim() === ""} onClick={() => answering.send({ kind: "plan", action: "edit", editSuggestion: change.trim() })}>
              Suggest change
            </Button>
          </>
        )}
      </div>
    </div>
  );
}

/** One thing the agent may do or not. The exact command stands there whole; nothing is preselected that allows. */
export function ApprovalBody({ decision, answering }: { decision: OpenDecision; answering: Answering }) {
  const approval = decision.approval;
  const detail = object(decision.record?.detail);
  const command = words(detail?.["command"]);
  const [edits, setEdits] = useState<Record<string, string>>({});
  if (!approval) return null;
  const fields = approval.fields ?? [];
  const actions = approval.actions ?? [];
  // Refusals first and apart, the primary one last.
  const ordered = actions.toSorted((a, b) => rank(a) - rank(b));
  const changed = Object.fromEntries(Object.entries(edits).filter(([key, value]) => fields.find((field) => field.key === key)?.value !== value));
  const send = (action: string, approved: boolean): void => answering.send({ kind: "approval", action, approved, edits: changed });
  return (
    <div className="flex flex-col gap-3">
      <p className="text-body font-medium text-text">{approval.title}</p>
      {approval.message && <PlainMarkdown text={approval.message} />}
      {command && !fields.some((field) => field.value === command) && <pre className="exact">{command}</pre>}
      {fields.map((field) => (
        <label key={field.key} className="flex flex-col gap-1">
          <span className="text-meta text-text-3">{field.label}</span>
          {!field.editable ? (
            <pre className="exact">{field.value}</pre>
          ) : field.multiline ? (
            <TextArea mono value={edits[field.key] ?? field.value} disabled={answering.busy} onChange={(event) => setEdits({ ...edits, [field.key]: event.target.value })} />
          ) : (
            <Input mono value={edits[field.key] ?? field.value} disabled={answering.busy} onChange={(event) => setEdits({ ...edits, [field.key]: event.target.value })} />
          )}
        </label>
      ))}
      {words(detail?.["cwd"]) && <p className="text-meta text-text-3">In {words(detail?.["cwd"])}</p>}
      <div className="decision-actions">
        {actions.length === 0 ? (
          <>
            <Button disabled={answering.busy} onClick={() => send("reject", false)}>
              Reject
            </Button>
            <span className="flex-1 max-m:hidden" />
            <Button kind="ink" busy={answering.busy} onClick={() => send("approve", true)}>
              Approve
            </Button>
          </>
        ) : (
          <>
            {ordered.map((action, index) => (
              <Fragment key={action.id}>
                {allows(action) && index > 0 && !allows(ordered[index - 1] ?? action) && <span className="flex-1 max-m:hidden" />}
                <Button kind={action.style === "primary" ? "ink" : action.style === "danger" ? "danger" : "outline"} disabled={answering.busy} onClick={() => send(action.id, allows(action))}>
                  {action.label}
                </Button>
              </Fragment>
            ))}
          </>
        )}
      </div>
    </div>
  );
}

function rank(action: { readonly id: string; readonly label: string; readonly style?: string }): number {
  if (!allows(action)) return 0;
  return action.style === "primary" ? 2 : 1;
}

/** Words that say no, in ids and labels; everything else a session offers as an action lets it go on. */
function allows(action: { readonly id: string; readonly label: string }): boolean {
  return !/\b(deny|denied|reject|refuse|cancel|no|never|block|stop)\b/i.test(`${action.id.replace(/[_-]/g, " ")} ${action.label}`);
}

export function TrustBody({ decision, answering }: { decision: OpenDecision; answering: Answering }) {
  const trust = decision.trust;
  const row = useSession(decision.sessionId);
  if (!trust) return null;
  return (
    <div className="flex flex-col gap-3">
      <p className="text-body font-medium text-text">Load {trust.pluginNames.length === 1 ? "this plugin" : "these plugins"}?</p>
      <ul className="flex flex-col gap-1 text-ui text-text-2">
        {trust.pluginNames.map((name, index) => (
          <li key={name}>
            <span className="font-medium text-text">{name}</span>
            {trust.pluginSummaries[index] && trust.pluginSummaries[index] !== name && <span> · {trust.pluginSummaries[index]}</span>}
          </li>
        ))}
      </ul>
      <p className="text-code text-text-2">
        They can run commands on {row?.info.runnerName ?? "the machine"}. Load them only if you trust {row?.info.cwd ? <code className="font-mono">{row.info.cwd}</code> : "this project"}.
      </p>
      <div className="decision-actions">
        <span className="flex-1 max-m:hidden" />
        <Button disabled={answering.busy} onClick={() => answering.send({ kind: "trust", trusted: false })}>
          Don't load
        </Button>
        <Button kind="danger" busy={answering.busy} onClick={() => answering.send({ kind: "trust", trusted: true })}>
          Trust and load
        </Button>
      </div>
    </div>
  );
}

/** Code and state from the address a browser ended on, or from the code alone. */
export function readCode(pasted: string): { code: string; state: string | null } | null {
  const value = pasted.trim();
  try {
    const address = new URL(value);
    const code = address.searchParams.get("code");
    return code ? { code, state: address.searchParams.get("state") } : null;
  } catch {
    return /^[\w.~/+=-]{6,}$/.test(value) ? { code: value, state: null } : null;
  }
}

export function LoginBody({ decision }: { decision: OpenDecision }) {
  const detail = object(decision.record?.detail);
  const address = words(detail?.["url"]) ?? list(detail?.["subjects"]).map((entry) => text(entry)).find((entry) => entry?.startsWith("http")) ?? null;
  const [pasted, setPasted] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const send = async (): Promise<void> => {
    const found = readCode(pasted);
    if (!found) {
      setFailure("There is no code in this text. Paste the whole address the browser ended on.");
      return;
    }
    setBusy(true);
    setFailure(null);
    try {
      const reply = await viewer.call("mcp_oauth_paste", { nonce: decision.id, code: found.code, ...(found.state === null ? {} : { state: found.state }) }, 5_000);
      if (!reply.ok) setFailure(reply.error ?? "It was not accepted.");
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="flex flex-col gap-3">
      <p className="text-body font-medium text-text">{decision.title}</p>
      {address !== null && /^https?:/.test(address) && (
        <a href={address} target="_blank" rel="noopener noreferrer" className={buttonClass("outline", "md", "w-fit")}>
          <Icon icon={ExternalLink} />
          Open the sign-in page
        </a>
      )}
      <label className="flex flex-col gap-1">
        <span className="text-code text-text-2">Then paste the address your browser ended on</span>
        <Input value={pasted} mono disabled={busy} aria-invalid={failure !== null} onChange={(event) => setPasted(event.target.value)} />
      </label>
      {failure && (
        <p role="alert" className="text-code text-fail">
          {failure}
        </p>
      )}
      <div className="decision-actions">
        <span className="flex-1 max-m:hidden" />
        <Button kind="ink" busy={busy} disabled={pasted.trim() === ""} onClick={() => void send()}>
          Continue
        </Button>
      </div>
    </div>
  );
}
