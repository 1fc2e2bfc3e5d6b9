/** What a session says about itself beside its transcript: model, queue, commands, activity. A fold of the same events. */

import { flag, list, number, object, same, strings, text, words, type JsonObject } from "./json";

export interface Model {
  readonly provider: string;
  readonly id: string;
  readonly name: string;
  readonly reasoning: boolean;
  readonly contextWindow: number | null;
  /** Levels it accepts, weakest first; empty when it did not say. */
  readonly levels: readonly string[];
}

export interface Completion {
  readonly value: string;
  readonly label: string;
  readonly description: string | null;
}

export interface Command {
  readonly name: string;
  readonly description: string | null;
  readonly source: string | null;
  readonly argumentHint: string | null;
  readonly completions: readonly Completion[];
}

export type TodoStatus = "pending" | "in_progress" | "done" | "cancelled";

export interface Todo {
  readonly id: number;
  readonly text: string;
  readonly status: TodoStatus;
}

export interface Facts {
  readonly active: boolean;
  readonly compacting: boolean;
  readonly model: Model | null;
  readonly thinkingLevel: string | null;
  readonly name: string | null;
  readonly cwd: string | null;
  readonly models: readonly Model[];
  readonly commands: readonly Command[];
  readonly todos: readonly Todo[];
  readonly queue: readonly string[];
  /** Answer to the last model switch that failed. */
  readonly modelError: string | null;
  /** Local clock of the last sign of life from the agent itself. */
  readonly heardAt: number | null;
}

export const NO_FACTS: Facts = {
  active: false,
  compacting: false,
  model: null,
  thinkingLevel: null,
  name: null,
  cwd: null,
  models: [],
  commands: [],
  todos: [],
  queue: [],
  modelError: null,
  heardAt: null,
};

export function foldFacts(facts: Facts, event: JsonObject, now: number): Facts {
  const next = step(facts, event, now);
  return same(next, facts) ? facts : next;
}

function step(facts: Facts, event: JsonObject, now: number): Facts {
  switch (event["type"]) {
    case "heartbeat": {
      const beat = { ...facts, heardAt: now, active: flag(event["active"]) ?? facts.active };
      if (flag(event["_livenessOnly"]) || flag(event["_slim"])) return beat;
      return {
        ...beat,
        compacting: flag(event["isCompacting"]) ?? facts.compacting,
        model: parseModel(event["model"]) ? mergeModel(facts.model, parseModel(event["model"])) : facts.model,
        name: nameOf(event, facts),
        cwd: words(event["cwd"]) ?? facts.cwd,
        queue: Array.isArray(event["queuedMessages"]) ? strings(event["queuedMessages"]) : facts.queue,
      };
    }
    case "session_active": {
      const state = object(event["state"]);
      return state ? { ...fromState(facts, state), heardAt: now, queue: strings(state["queuedMessages"]) } : facts;
    }
    case "session_metadata_update": {
      const metadata = object(event["metadata"]);
      return metadata ? fromState({ ...facts, heardAt: now }, metadata) : facts;
    }
    case "capabilities":
      return { ...facts, models: models(event["models"], facts.models), commands: commands(event["commands"], facts.commands) };
    case "agent_start":
      return { ...facts, active: true, heardAt: now };
    case "agent_end":
      return { ...facts, active: false, heardAt: now };
    case "model_select":
      return { ...facts, model: parseModel(event["model"]) ?? facts.model, modelError: null };
    case "model_set_result":
      return { ...facts, modelError: flag(event["ok"]) === false ? (words(event["message"]) ?? "The model could not be switched.") : null };
    case "todo_update":
      return { ...facts, todos: parseTodos(event["todos"]) };
    default:
      return facts;
  }
}

function nameOf(source: JsonObject, facts: Facts): string | null {
  return "sessionName" in source ? words(source["sessionName"]) : facts.name;
}

function fromState(facts: Facts, state: JsonObject): Facts {
  return {
    ...facts,
    model: parseModel(state["model"]) ? mergeModel(facts.model, parseModel(state["model"])) : facts.model,
    thinkingLevel: "thinkingLevel" in state ? text(state["thinkingLevel"]) : facts.thinkingLevel,
    name: nameOf(state, facts),
    cwd: words(state["cwd"]) ?? facts.cwd,
    models: models(state["availableModels"], facts.models),
    commands: commands(state["availableCommands"], facts.commands),
    todos: Array.isArray(state["todoList"]) ? parseTodos(state["todoList"]) : facts.todos,
    queue: Array.isArray(state["queuedMessages"]) ? strings(state["queuedMessages"]) : facts.queue,
  };
}

/** Poorer copies of the same model do not erase what is known about it. */
function mergeModel(known: Model | null, next: Model | null): Model | null {
  if (!known || !next || known.provider !== next.provider || known.id !== next.id) return next;
  return {
    ...next,
    name: next.name === next.id ? known.name : next.name,
    reasoning: next.reasoning || known.reasoning,
    contextWindow: next.contextWindow ?? known.contextWindow,
    levels: next.levels.length > 0 ? next.levels : known.levels,
  };
}

export function parseModel(value: unknown): Model | null {
  const raw = object(value);
  const provider = raw && words(raw["provider"])?.trim();
  const id = raw && (words(raw["id"]) ?? words(raw["modelId"]))?.trim();
  if (!raw || !provider || !id) return null;
  return { provider, id, name: words(raw["name"]) ?? id, reasoning: flag(raw["reasoning"]) ?? false, contextWindow: number(raw["contextWindow"]), levels: strings(raw["thinkingLevels"]) };
}

function models(value: unknown, before: readonly Model[]): readonly Model[] {
  return Array.isArray(value) ? value.flatMap((entry) => parseModel(entry) ?? []) : before;
}

function commands(value: unknown, before: readonly Command[]): readonly Command[] {
  if (!Array.isArray(value)) return before;
  return value.flatMap((entry): Command[] => {
    const raw = object(entry);
    const name = raw && words(raw["name"])?.replace(/^\//, "");
    if (!raw || !name) return [];
    return [
      {
        name,
        description: words(raw["description"]),
        source: words(raw["source"]),
        argumentHint: words(raw["argumentHint"]),
        completions: list(raw["completions"]).flatMap((item): Completion[] => {
          const choice = object(item);
          const chosen = choice && text(choice["value"]);
          return choice && chosen !== null ? [{ value: chosen, label: words(choice["label"]) ?? chosen, description: words(choice["description"]) }] : [];
        }),
      },
    ];
  });
}

const STATUSES: readonly TodoStatus[] = ["pending", "in_progress", "done", "cancelled"];

export function parseTodos(value: unknown): Todo[] {
  return list(value).flatMap((entry, index): Todo[] => {
    const raw = object(entry);
    const label = raw && words(raw["text"]);
    if (!raw || !label) return [];
    return [{ id: number(raw["id"]) ?? index + 1, text: label, status: STATUSES.find((status) => status === raw["status"]) ?? "pending" }];
  });
}
