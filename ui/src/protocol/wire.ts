/**
 * The names under which the interface imports wire types. Members follow the exported types of the Rust crates;
 * times are ISO strings unless a member ends in `At` with a number (Unix ms).
 */

export interface ModelInfo {
  provider: string;
  id: string;
  name?: string;
  reasoning?: boolean;
  contextWindow?: number;
}

export interface SessionInfo {
  sessionId: string;
  shareUrl: string;
  cwd: string;
  startedAt: string;
  viewerCount?: number;
  userId?: string;
  userName?: string;
  sessionName: string | null;
  isEphemeral: boolean;
  expiresAt?: string | null;
  isActive: boolean;
  lastHeartbeatAt: string | null;
  model: ModelInfo | null;
  runnerId: string | null;
  runnerName: string | null;
  parentSessionId?: string | null;
  isPinned?: boolean;
}

export interface PersistedSession {
  sessionId: string;
  cwd: string;
  shareUrl: string;
  startedAt: string;
  lastActiveAt: string;
  endedAt: string | null;
  isEphemeral: boolean;
  expiresAt: string | null;
  isPinned: boolean;
  runnerId: string | null;
  runnerName: string | null;
  sessionName: string | null;
}

export interface NamedFile {
  name: string;
  description: string;
  filePath: string;
}

export interface RunnerPlugin {
  name: string;
  description: string;
  rootPath: string;
  commands: { name: string; description?: string; argumentHint?: string }[];
  hookEvents: string[];
  skills: { name: string; dirPath: string }[];
  agents?: { name: string }[];
  rules?: { name: string }[];
  hasMcp: boolean;
  hasAgents: boolean;
  hasLsp: boolean;
  version?: string;
  author?: string;
}

export interface RunnerInfo {
  runnerId: string;
  name: string | null;
  roots: string[];
  sessionCount: number;
  skills: NamedFile[];
  agents: NamedFile[];
  plugins?: RunnerPlugin[];
  hooks?: { type: string; scripts: string[] }[];
  version: string | null;
  platform?: string | null;
  serviceIds?: string[];
  disabledServiceIds?: string[];
  warnings?: string[];
  /** Additive: how this runner's link is doing, and when it was last heard. */
  status?: "online" | "reconnecting" | "offline";
  lastSeenAt?: string | null;
}

export interface MetaTodoItem {
  id: number;
  text: string;
  status: "pending" | "in_progress" | "done" | "cancelled";
}
export interface MetaTokenUsage {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  cost: number;
  contextTokens?: number | null;
}
export interface MetaQuestion {
  question: string;
  options: string[];
  type?: string;
}
export interface MetaPendingQuestion {
  toolCallId: string;
  questions: MetaQuestion[];
  display?: string;
}
export interface MetaPendingPlan {
  toolCallId: string;
  title: string;
  description?: string | null;
  steps?: { title: string; description?: string }[];
}
export interface MetaRetryState {
  errorMessage: string;
  detectedAt: number;
}
export interface MetaPluginTrustPrompt {
  promptId: string;
  pluginNames: string[];
  pluginSummaries: string[];
}
export interface ApprovalField {
  key: string;
  label: string;
  value: string;
  editable?: boolean;
  multiline?: boolean;
}
export interface ApprovalAction {
  id: string;
  label: string;
  style?: "primary" | "danger" | "default";
}
export interface MetaPendingApproval {
  promptId: string;
  title: string;
  message?: string;
  toolName?: string;
  icon?: string;
  fields?: ApprovalField[];
  actions?: ApprovalAction[];
}
export interface MetaGoalStatus {
  id: string;
  description: string;
  status: "active" | "met" | "failed" | "cancelled";
  turnCount: number;
  maxTurns?: number;
  tokenSpend: number;
  maxTokens?: number;
  costSpend: number;
  maxCost?: number;
  lastReason?: string;
}
export type MetaMcpReport = Record<string, unknown>;
export type MetaProviderUsage = Record<string, Record<string, unknown>>;

export interface SessionMetaState {
  todoList: MetaTodoItem[];
  pendingQuestion: MetaPendingQuestion | null;
  pendingPlan: MetaPendingPlan | null;
  planModeEnabled: boolean;
  isCompacting: boolean;
  retryState: MetaRetryState | null;
  pendingPluginTrust: MetaPluginTrustPrompt | null;
  pendingApproval: MetaPendingApproval | null;
  mcpStartupReport: MetaMcpReport | null;
  tokenUsage: MetaTokenUsage | null;
  providerUsage: MetaProviderUsage | null;
  thinkingLevel: string | null;
  authSource: string | null;
  model: ModelInfo | null;
  goal: MetaGoalStatus | null;
  version: number;
}

export interface SessionStatusPatch {
  sessionId: string;
  isActive: boolean;
  lastHeartbeatAt: string | null;
  sessionName: string | null;
  model?: ModelInfo | null;
  runnerId?: string;
  runnerName?: string | null;
}

export interface Attachment {
  attachmentId?: string;
  mediaType?: string;
  filename?: string;
  url?: string;
}

export type CommandState = "accepted" | "delivered" | "consumed" | "rejected" | "expired" | "cancelled" | "unknown";

export interface CommandStatus {
  commandId: string;
  sessionId: string;
  state: CommandState;
  at: number;
  code?: string;
  message?: string;
}

/** What a person is being asked, as one durable record. */
export interface Decision {
  decisionId: string;
  sessionId: string;
  epoch: number;
  kind: string;
  title: string;
  detail?: unknown;
  options?: unknown[];
  deadline?: number;
  createdAt: number;
}

export interface ServiceEnvelope {
  serviceId: string;
  type: string;
  id?: string;
  requestId?: string;
  sessionId?: string;
  payload: unknown;
}

export interface ExecResult {
  id: string;
  ok: boolean;
  command: string;
  result?: unknown;
  error?: string;
  sessionId?: string;
}

export interface ViewerConnected {
  sessionId: string;
  lastSeq?: number;
  replayOnly?: true;
  isActive?: boolean;
  lastHeartbeatAt?: string | null;
  sessionName?: string | null;
  meta_source?: "hub";
  generation?: number;
}
export interface ViewerEvent {
  event: unknown;
  seq?: number;
  replay?: true;
  deltaReplay?: true;
  generation?: number;
  sessionId?: string;
  epoch?: number;
}
export interface ViewerDisconnected {
  reason: string;
  code?: "snapshot_replay" | "session_ended" | "session_reconnected";
  generation?: number;
  sessionId?: string;
}
export interface MessagesPage {
  sessionId: string;
  messages: unknown[];
  hasMore: boolean;
  oldestIndex: number;
  generation?: number;
}
export interface Hydrated {
  sessionId: string;
  generation: number;
  epoch: number;
  seq: number;
  via: string;
  complete: boolean;
}
export interface HydrationFailed {
  sessionId: string;
  generation: number;
  reason: string;
  retryable: boolean;
}

export interface ViewerServerToClientEvents {
  connected: (payload: ViewerConnected) => void;
  event: (payload: ViewerEvent) => void;
  disconnected: (payload: ViewerDisconnected) => void;
  exec_result: (payload: ExecResult) => void;
  session_messages_page: (payload: MessagesPage) => void;
  service_message: (payload: ServiceEnvelope) => void;
  service_announce: (payload: unknown) => void;
  service_announce_delta: (payload: unknown) => void;
  error: (payload: { message: string; generation?: number }) => void;
  trigger_error: (payload: { message: string; triggerId: string }) => void;
  trigger_delivered: (payload: { triggerId?: string; cleared?: true }) => void;
  trigger_subscriptions_changed: (payload: { triggerType: string; action: string }) => void;
  trigger_status_update: (payload: { triggerId: string; sourceSessionId: string; statusText: string; ts: string }) => void;
  command_status: (payload: CommandStatus) => void;
  commands: (payload: { sessionId: string; open: unknown[] }) => void;
  hydrated: (payload: Hydrated) => void;
  hydration_failed: (payload: HydrationFailed) => void;
  behind: (payload: { head: number; sessionId?: string }) => void;
}
export interface ViewerClientToServerEvents {
  connected: (payload: Record<string, never>) => void;
  switch_session: (payload: { sessionId: string; generation: number; lastSeq?: number; have?: { epoch: number; seq: number } }) => void;
  resync: (payload: { lastSeq?: number }) => void;
  load_messages: (payload: { sessionId: string; before: number; limit: number }) => void;
  input: (
    payload: { text: string; attachments?: Attachment[]; client?: string; deliverAs?: "steer" | "followUp"; requestId?: string; sessionId?: string; composedAt?: { epoch: number; seq: number } },
    ack: (delivered: boolean) => void,
  ) => void;
  model_set: (payload: { provider: string; modelId: string }) => void;
  exec: (payload: { id: string; command: string } & Record<string, unknown>) => void;
  service_message: (payload: ServiceEnvelope) => void;
  trigger_response: (payload: { triggerId: string; response: string; action?: string; targetSessionId: string }, ack: () => void) => void;
  mcp_oauth_paste: (payload: { nonce: string; code: string; state?: string }, ack: (reply: { ok: boolean; error?: string }) => void) => void;
  viewer_visibility: (payload: { visible: boolean }) => void;
  cancel_command: (payload: { commandId: string }) => void;
}

export interface HubServerToClientEvents {
  sessions: (payload: { sessions: SessionInfo[] }) => void;
  session_added: (payload: SessionInfo) => void;
  session_removed: (payload: { sessionId: string }) => void;
  session_status: (payload: SessionStatusPatch) => void;
  state_snapshot: (payload: { sessionId: string; state: SessionMetaState }) => void;
  meta_event: (payload: { sessionId: string; version: number } & Record<string, unknown>) => void;
  decisions: (payload: { decisions: Decision[] }) => void;
  decision_added: (payload: Decision) => void;
  decision_ended: (payload: { decisionId: string; sessionId: string; outcome?: string; by?: string }) => void;
}
export interface HubClientToServerEvents {
  subscribe_session_meta: (payload: { sessionId: string }) => void;
  unsubscribe_session_meta: (payload: { sessionId: string }) => void;
}

export interface RunnersServerToClientEvents {
  runners: (payload: { runners: RunnerInfo[] }) => void;
  runner_added: (payload: RunnerInfo) => void;
  runner_updated: (payload: RunnerInfo) => void;
  runner_removed: (payload: { runnerId: string }) => void;
}
export type RunnersClientToServerEvents = Record<never, never>;

export interface TerminalServerToClientEvents {
  terminal_connected: (payload: { terminalId: string }) => void;
  terminal_ready: (payload: { terminalId: string }) => void;
  terminal_data: (payload: { terminalId: string; data: string }) => void;
  terminal_exit: (payload: { terminalId: string; exitCode: number }) => void;
  terminal_error: (payload: { terminalId: string; message: string }) => void;
}
export interface TerminalClientToServerEvents {
  terminal_input: (payload: { terminalId: string; data: string }) => void;
  terminal_resize: (payload: { terminalId: string; cols: number; rows: number }) => void;
  kill_terminal: (payload: { terminalId: string }) => void;
}
