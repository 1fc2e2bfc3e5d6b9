import { useQueries } from "@tanstack/react-query";
import { Plus, Trash2, Zap } from "lucide-react";
import { useState } from "react";
import { shortPath } from "@/data/format";
import { queryClient } from "@/data/queries";
import { runnerName, useRunners, type RunnerRow } from "@/data/runners";
import { api, messageOf, url } from "@/net/api";
import type { ServiceTriggerDef, ServiceTriggerParamDef } from "@/protocol/wire";
import { Card, EmptyState, Section, SkeletonRows } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Checkbox } from "@/ui/Choice";
import { confirm } from "@/ui/confirm";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select, TextArea } from "@/ui/Field";
import { IconButton } from "@/ui/IconButton";
import { toast } from "@/ui/toast";
import { triggersQuery, when, type Listener } from "./queries";

/** Events on a machine that start a session there. */
export function Listeners() {
  const { list } = useRunners();
  const machines = list.filter((machine) => machine.online);
  const answers = useQueries({ queries: machines.map((machine) => triggersQuery(machine.id)) });
  const [making, setMaking] = useState(false);
  const rows = machines.flatMap((machine, at) => (answers[at]?.data?.listeners ?? []).map((listener) => ({ machine, listener, label: answers[at]?.data?.defs.find((def) => def.type === listener.triggerType)?.label ?? listener.triggerType })));
  const offers = machines.map((machine, at) => ({ machine, defs: answers[at]?.data?.defs ?? [] })).filter((offer) => offer.defs.length > 0);
  return (
    <Section
      title="When something happens"
      description="Start a session on a timer or when a service of a machine reports something."
      actions={
        offers.length > 0 && (
          <Button size="sm" icon={Plus} onClick={() => setMaking(true)}>
            New
          </Button>
        )
      }
    >
      {answers.some((answer) => answer.isPending) && <SkeletonRows rows={2} />}
      {rows.length === 0 && !answers.some((answer) => answer.isPending) && (
        <EmptyState icon={Zap} className="py-6" title={machines.length === 0 ? "No machine is online" : offers.length === 0 ? "No machine offers events to start from" : "Nothing starts by itself yet"} />
      )}
      {rows.length > 0 && (
        <Card className="divide-y divide-line">
          {rows.map(({ machine, listener, label }) => (
            <Line key={listener.id} machine={machine} listener={listener} label={label} />
          ))}
        </Card>
      )}
      {making && <ListenerDialog offers={offers} onClose={() => setMaking(false)} />}
    </Section>
  );
}

function Line({ machine, listener, label }: { machine: RunnerRow; listener: Listener; label: string }) {
  const remove = async () => {
    if (!(await confirm({ title: `Stop “${label}”?`, body: "Sessions it started go on; no new ones are started.", action: "Remove", danger: true }))) return;
    try {
      await api.del(url(["api", "runners", machine.id, "trigger-listeners", listener.id]));
      await queryClient.invalidateQueries({ queryKey: triggersQuery(machine.id).queryKey });
    } catch (error) {
      toast(messageOf(error), { tone: "fail" });
    }
  };
  const details = [listener.triggerType.startsWith("time:") ? when(listener.triggerType, listener.params) : undefined, runnerName(machine.info), listener.cwd ? shortPath(listener.cwd) : undefined].filter(Boolean);
  return (
    <div className="flex min-h-14 items-center gap-2 px-4 py-2">
      <span className="flex min-w-0 flex-1 flex-col">
        <span className="truncate text-ui font-medium">{label}</span>
        <span className="truncate text-meta text-text-3">{details.join(" · ")}</span>
        {listener.prompt && <span className="truncate text-meta text-text-2">“{listener.prompt}”</span>}
      </span>
      <IconButton icon={Trash2} label={`Remove ${label}`} onClick={() => void remove()} />
    </div>
  );
}

type Values = Record<string, string | boolean>;

/** What the form holds, as the service wants it; or the name of the parameter that is wrong. */
export function readParams(defs: readonly ServiceTriggerParamDef[], values: Values): { params: Record<string, unknown> } | { wrong: string; message: string } {
  const params: Record<string, unknown> = {};
  for (const def of defs) {
    const value = values[def.name];
    if (def.type === "boolean") {
      if (typeof value === "boolean") params[def.name] = value;
      continue;
    }
    const text = typeof value === "string" ? value.trim() : "";
    if (text === "") {
      if (def.required) return { wrong: def.name, message: "Needed." };
      continue;
    }
    if (def.type === "number") {
      const number = Number(text);
      if (!Number.isFinite(number)) return { wrong: def.name, message: "Not a number." };
      params[def.name] = number;
    } else if (def.type === "json") {
      try {
        params[def.name] = JSON.parse(text);
      } catch {
        return { wrong: def.name, message: "Not valid JSON." };
      }
    } else params[def.name] = text;
  }
  return { params };
}

function ListenerDialog({ offers, onClose }: { offers: readonly { machine: RunnerRow; defs: readonly ServiceTriggerDef[] }[]; onClose: () => void }) {
  const [runnerId, setRunnerId] = useState(offers[0]?.machine.id ?? "");
  const offer = offers.find((entry) => entry.machine.id === runnerId) ?? offers[0];
  const [type, setType] = useState(offer?.defs[0]?.type ?? "");
  const def = offer?.defs.find((entry) => entry.type === type) ?? offer?.defs[0];
  const [values, setValues] = useState<Values>({});
  const [cwd, setCwd] = useState("");
  const [prompt, setPrompt] = useState("");
  const [autoClose, setAutoClose] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<{ field: string; text: string } | undefined>();
  if (!offer || !def) return null;
  const create = async () => {
    const read = readParams(def.params ?? [], values);
    if ("wrong" in read) return setProblem({ field: read.wrong, text: read.message });
    setBusy(true);
    setProblem(undefined);
    try {
      await api.post(url(["api", "runners", offer.machine.id, "trigger-listeners"]), {
        triggerType: def.type,
        ...(prompt.trim() ? { prompt } : {}),
        ...(cwd.trim() ? { cwd: cwd.trim() } : {}),
        ...(Object.keys(read.params).length > 0 ? { params: read.params } : {}),
        ...(autoClose ? { autoClose } : {}),
      });
      await queryClient.invalidateQueries({ queryKey: triggersQuery(offer.machine.id).queryKey });
      onClose();
    } catch (error) {
      setProblem({ field: "", text: messageOf(error) });
      setBusy(false);
    }
    return undefined;
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Start a session when…"
      className="m:w-[min(34rem,calc(100vw-32px))]"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="ink" busy={busy} onClick={() => void create()}>
            Create
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4 pb-2">
        {offers.length > 1 && (
          <Field label="Machine">
            {(control) => (
              <Select {...control} value={offer.machine.id} onChange={(event) => (setRunnerId(event.target.value), setType(""), setValues({}))}>
                {offers.map(({ machine }) => (
                  <option key={machine.id} value={machine.id}>
                    {runnerName(machine.info)}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        )}
        <Field label="Event" hint={def.description}>
          {(control) => (
            <Select {...control} value={def.type} onChange={(event) => (setType(event.target.value), setValues({}))}>
              {offer.defs.map((entry) => (
                <option key={entry.type} value={entry.type}>
                  {entry.label}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {(def.params ?? []).map((param) => (
          <ParamField key={param.name} def={param} value={values[param.name]} problem={problem?.field === param.name ? problem.text : undefined} onChange={(value) => setValues({ ...values, [param.name]: value })} />
        ))}
        <Field label="Folder" optional>
          {(control) => <Input {...control} mono spellCheck={false} value={cwd} onChange={(event) => setCwd(event.target.value)} />}
        </Field>
        <Field label="Prompt" optional hint="What the agent is told; the event's content is added to it." error={problem?.field === "" ? problem.text : undefined}>
          {(control) => <TextArea {...control} rows={4} value={prompt} onChange={(event) => setPrompt(event.target.value)} />}
        </Field>
        <Checkbox checked={autoClose} onChange={setAutoClose}>
          End the session when it is done
        </Checkbox>
      </div>
    </Dialog>
  );
}

function ParamField({ def, value, problem, onChange }: { def: ServiceTriggerParamDef; value: string | boolean | undefined; problem: string | undefined; onChange: (value: string | boolean) => void }) {
  if (def.type === "boolean") {
    return (
      <Checkbox checked={value === true} onChange={onChange}>
        {def.label}
      </Checkbox>
    );
  }
  const text = typeof value === "string" ? value : "";
  return (
    <Field label={def.label} optional={!def.required} hint={def.description} error={problem}>
      {(control) =>
        def.enum ? (
          <Select {...control} value={text} onChange={(event) => onChange(event.target.value)}>
            <option value="">–</option>
            {def.enum.map((entry) => (
              <option key={String(entry)} value={String(entry)}>
                {String(entry)}
              </option>
            ))}
          </Select>
        ) : def.type === "json" ? (
          <TextArea {...control} mono rows={3} spellCheck={false} value={text} onChange={(event) => onChange(event.target.value)} />
        ) : (
          <Input {...control} inputMode={def.type === "number" ? "decimal" : "text"} value={text} onChange={(event) => onChange(event.target.value)} />
        )
      }
    </Field>
  );
}
