import type { Decision, DecisionKind, MetaPendingApproval, MetaPendingPlan, MetaPendingQuestion, Model, SessionInfo, SessionMetaState, MetaPluginTrustPrompt, MetaRetryState, MetaGoalStatus, MetaTokenUsage, MetaTodoItem } from "./wire";

/**
 * The one place that narrows what came over the wire. A bad member of a snapshot becomes null, a bad event is dropped
 * as a whole; nothing behind this module looks at raw payloads.
 */

type Json = Record<string, unknown>;

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function words(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}
function finite(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
function present<T>(value: T | undefined): value is T {
  return value !== undefined;
}

export function decodeModel(value: unknown): Model | null {
  if (!isJson(value)) return null;
  const provider = words(value["provider"]);
  const id = words(value["id"]) ?? words(value["modelId"]);
  if (!provider || !id) return null;
  const name = words(value["name"]);
  const contextWindow = finite(value["contextWindow"]);
  return {
    provider,
    id,
    ...(name ? { name } : {}),
    ...(typeof value["reasoning"] === "boolean" ? { reasoning: value["reasoning"] } : {}),
    ...(contextWindow ? { contextWindow } : {}),
  };
}

const QUESTION_TYPES = ["radio", "checkbox", "ranked"] as const;

function decodeQuestion(value: unknown): MetaPendingQuestion | null {
  if (!isJson(value)) return null;
  const toolCallId = words(value["toolCallId"]);
  // Older sessions send one question flat instead of a list.
  const raw = Array.isArray(value["questions"]) ? value["questions"] : [value];
  const questions = raw
    .map((entry) => {
      if (!isJson(entry)) return undefined;
      const question = words(entry["question"]);
      if (!question) return undefined;
      return { question, options: list(entry["options"]).map(words).filter(present), type: QUESTION_TYPES.find((type) => type === entry["type"]) ?? "radio" };
    })
    .filter(present);
  if (!toolCallId || questions.length === 0) return null;
  const display = words(value["display"]);
  return { toolCallId, questions, ...(display ? { display } : {}) };
}

function decodePlan(value: unknown): MetaPendingPlan | null {
  if (!isJson(value)) return null;
  const toolCallId = words(value["toolCallId"]);
  const title = words(value["title"]);
  if (!toolCallId || !title) return null;
  const steps = list(value["steps"])
    .map((step) => {
      if (!isJson(step)) return undefined;
      const stepTitle = words(step["title"]);
      const description = words(step["description"]);
      return stepTitle ? { title: stepTitle, ...(description ? { description } : {}) } : undefined;
    })
    .filter(present);
  return { toolCallId, title, ...(typeof value["description"] === "string" ? { description: value["description"] } : {}), ...(steps.length > 0 ? { steps } : {}) };
}

const ACTION_STYLES = ["primary", "danger", "default"] as const;

function decodeApproval(value: unknown): MetaPendingApproval | null {
  if (!isJson(value)) return null;
  const promptId = words(value["promptId"]);
  const title = words(value["title"]);
  if (!promptId || !title) return null;
  const message = typeof value["message"] === "string" ? value["message"] : undefined;
  const toolName = words(value["toolName"]);
  const icon = words(value["icon"]);
  const fields = list(value["fields"])
    .map((field) => {
      if (!isJson(field)) return undefined;
      const key = words(field["key"]);
      const label = words(field["label"]);
      if (!key || !label) return undefined;
      return { key, label, value: typeof field["value"] === "string" ? field["value"] : "", editable: field["editable"] === true, multiline: field["multiline"] === true };
    })
    .filter(present);
  const actions = list(value["actions"])
    .map((action) => {
      if (!isJson(action)) return undefined;
      const id = words(action["id"]);
      const label = words(action["label"]);
      const style = ACTION_STYLES.find((known) => known === action["style"]);
      if (!id || !label) return undefined;
      return { id, label, ...(style ? { style } : {}) };
    })
    .filter(present);
  return {
    promptId,
    title,
    ...(message === undefined ? {} : { message }),
    ...(toolName ? { toolName } : {}),
    ...(icon ? { icon } : {}),
    ...(fields.length > 0 ? { fields } : {}),
    ...(actions.length > 0 ? { actions } : {}),
  };
}

function decodeTrust(value: unknown): MetaPluginTrustPrompt | null {
  if (!isJson(value)) return null;
  const promptId = words(value["promptId"]);
  const pluginNames = list(value["pluginNames"]).map(words).filter(present);
  if (!promptId || pluginNames.length === 0) return null;
  const summaries = list(value["pluginSummaries"]).map(words).filter(present);
  return { promptId, pluginNames, pluginSummaries: summaries.length > 0 ? summaries : pluginNames };
}

function decodeRetry(value: unknown): MetaRetryState | null {
  if (!isJson(value)) return null;
  const errorMessage = words(value["errorMessage"]);
  const detectedAt = finite(value["detectedAt"]);
  return errorMessage && detectedAt !== undefined ? { errorMessage, detectedAt } : null;
}

function decodeUsage(value: unknown): MetaTokenUsage | null {
  if (!isJson(value)) return null;
  const [input, output, cacheRead, cacheWrite, cost] = ["input", "output", "cacheRead", "cacheWrite", "cost"].map((key) => finite(value[key]));
  if (input === undefined || output === undefined || cacheRead === undefined || cacheWrite === undefined || cost === undefined) return null;
  return { input, output, cacheRead, cacheWrite, cost, contextTokens: finite(value["contextTokens"]) ?? null };
}

const GOAL_STATES = ["active", "met", "failed", "cancelled"] as const;

function decodeGoal(value: unknown): MetaGoalStatus | null {
  if (!isJson(value)) return null;
  const id = words(value["id"]);
  const description = words(value["description"]);
  const status = GOAL_STATES.find((state) => state === value["status"]);
  const [turnCount, tokenSpend, costSpend] = ["turnCount", "tokenSpend", "costSpend"].map((key) => finite(value[key]));
  if (!id || !description || !status || turnCount === undefined || tokenSpend === undefined || costSpend === undefined) return null;
  const [maxTurns, maxTokens, maxCost] = ["maxTurns", "maxTokens", "maxCost"].map((key) => finite(value[key]));
  const lastReason = words(value["lastReason"]);
  return {
    id,
    description,
    status,
    turnCount,
    tokenSpend,
    costSpend,
    ...(maxTurns === undefined ? {} : { maxTurns }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(maxCost === undefined ? {} : { maxCost }),
    ...(lastReason ? { lastReason } : {}),
  };
}

const TODO_STATES = ["pending", "in_progress", "done", "cancelled"] as const;

export function decodeTodo(value: unknown): MetaTodoItem[] {
  return list(value)
    .map((entry, index) => {
      if (!isJson(entry)) return undefined;
      const text = words(entry["text"]);
      if (!text) return undefined;
      return { id: finite(entry["id"]) ?? index + 1, text, status: TODO_STATES.find((state) => state === entry["status"]) ?? "pending" };
    })
    .filter(present);
}

function decodeProviders(value: unknown): SessionMetaState["providerUsage"] {
  return isJson(value) ? value : null;
}

export const EMPTY_META: SessionMetaState = {
  todoList: [],
  pendingQuestion: null,
  pendingPlan: null,
  planModeEnabled: false,
  isCompacting: false,
  retryState: null,
  pendingPluginTrust: null,
  pendingApproval: null,
  mcpStartupReport: null,
  tokenUsage: null,
  providerUsage: null,
  thinkingLevel: null,
  authSource: null,
  model: null,
  goal: null,
  version: 0,
};

/** A session's meta state, or undefined when it has no usable version. */
export function decodeMeta(value: unknown): SessionMetaState | undefined {
  if (!isJson(value)) return undefined;
  const version = finite(value["version"]);
  if (version === undefined) return undefined;
  return {
    todoList: decodeTodo(value["todoList"]),
    pendingQuestion: decodeQuestion(value["pendingQuestion"]),
    pendingPlan: decodePlan(value["pendingPlan"]),
    planModeEnabled: value["planModeEnabled"] === true,
    isCompacting: value["isCompacting"] === true,
    retryState: decodeRetry(value["retryState"]),
    pendingPluginTrust: decodeTrust(value["pendingPluginTrust"]),
    pendingApproval: decodeApproval(value["pendingApproval"]),
    mcpStartupReport: isJson(value["mcpStartupReport"]) ? value["mcpStartupReport"] : null,
    tokenUsage: decodeUsage(value["tokenUsage"]),
    providerUsage: decodeProviders(value["providerUsage"]),
    thinkingLevel: words(value["thinkingLevel"]) ?? null,
    authSource: words(value["authSource"]) ?? null,
    model: decodeModel(value["model"]),
    goal: decodeGoal(value["goal"]),
    version,
  };
}

/** The patch a meta event makes, or undefined when the event is unknown or malformed. `state` serves the id checks of "cleared". */
export function metaPatch(event: Json, state: SessionMetaState): Partial<SessionMetaState> | undefined {
  switch (event["type"]) {
    case "todo_updated":
      return Array.isArray(event["todoList"]) ? { todoList: decodeTodo(event["todoList"]) } : undefined;
    case "question_pending": {
      const pendingQuestion = decodeQuestion(event["question"]);
      return pendingQuestion ? { pendingQuestion } : undefined;
    }
    case "question_cleared":
      return cleared(event["toolCallId"], state.pendingQuestion?.toolCallId) ? { pendingQuestion: null } : {};
    case "plan_pending": {
      const pendingPlan = decodePlan(event["plan"]);
      return pendingPlan ? { pendingPlan } : undefined;
    }
    case "plan_cleared":
      return cleared(event["toolCallId"], state.pendingPlan?.toolCallId) ? { pendingPlan: null } : {};
    case "plan_mode_toggled":
      return typeof event["enabled"] === "boolean" ? { planModeEnabled: event["enabled"] } : undefined;
    case "compact_started":
      return { isCompacting: true };
    case "compact_ended":
      return { isCompacting: false };
    case "retry_state_changed":
      return { retryState: decodeRetry(event["state"]) };
    case "plugin_trust_required": {
      const pendingPluginTrust = decodeTrust(event["prompt"]);
      return pendingPluginTrust ? { pendingPluginTrust } : undefined;
    }
    case "plugin_trust_resolved":
      return cleared(event["promptId"], state.pendingPluginTrust?.promptId) ? { pendingPluginTrust: null } : {};
    case "approval_pending": {
      const pendingApproval = decodeApproval(event["approval"]);
      return pendingApproval ? { pendingApproval } : undefined;
    }
    case "approval_cleared":
      return cleared(event["promptId"], state.pendingApproval?.promptId) ? { pendingApproval: null } : {};
    case "mcp_startup_report":
      return isJson(event["report"]) ? { mcpStartupReport: event["report"] } : {};
    case "token_usage_updated":
      return { tokenUsage: decodeUsage(event["tokenUsage"]), providerUsage: decodeProviders(event["providerUsage"]) };
    case "thinking_level_changed":
      return { thinkingLevel: words(event["level"]) ?? null };
    case "auth_source_changed":
      return { authSource: words(event["source"]) ?? null };
    case "model_changed":
      return { model: decodeModel(event["model"]) };
    case "goal_updated":
      return { goal: decodeGoal(event["goal"]) };
    default:
      return undefined;
  }
}

/** A late "cleared" of an earlier decision does not clear a newer one. */
function cleared(id: unknown, pending: string | undefined): boolean {
  return typeof id === "string" && (pending === undefined || pending === id);
}

/** A row of the session list; entries without the four strings every row needs are dropped. */
export function decodeSession(value: unknown): SessionInfo | undefined {
  if (!isJson(value)) return undefined;
  const sessionId = words(value["sessionId"]);
  if (!sessionId || typeof value["shareUrl"] !== "string" || typeof value["cwd"] !== "string" || typeof value["startedAt"] !== "string") return undefined;
  return {
    ...(value as unknown as SessionInfo),
    sessionId,
    sessionName: words(value["sessionName"]) ?? null,
    isEphemeral: value["isEphemeral"] === true,
    isActive: value["isActive"] === true,
    lastHeartbeatAt: words(value["lastHeartbeatAt"]) ?? null,
    model: decodeModel(value["model"]),
    runnerId: words(value["runnerId"]) ?? null,
    runnerName: words(value["runnerName"]) ?? null,
    parentSessionId: words(value["parentSessionId"]) ?? null,
  };
}

const DECISION_KINDS: readonly DecisionKind[] = ["question", "plan", "approval", "plugin_trust", "mcp_login"];

export function decodeDecision(value: unknown): Decision | undefined {
  if (!isJson(value)) return undefined;
  const decisionId = words(value["decisionId"]);
  const sessionId = words(value["sessionId"]);
  const kind = DECISION_KINDS.find((known) => known === value["kind"]);
  if (!decisionId || !sessionId || !kind || !isJson(value["detail"])) return undefined;
  return {
    ...(value as unknown as Decision),
    decisionId,
    sessionId,
    kind,
    title: words(value["title"]) ?? "",
    options: list(value["options"]).filter((option): option is Decision["options"][number] => isJson(option) && typeof option["id"] === "string" && typeof option["label"] === "string"),
    createdAt: finite(value["createdAt"]) ?? 0,
  };
}
