// Written by `just types` from crates/protocol. Do not edit.

export type AgentEnd = {
  /** Messages of this run only. Our sessions leave them out on the wire: a full snapshot follows. */
  messages?: Array<Message>;
};

/**
 * One happening in a session.
 */
export type AgentEvent = { "type": "session_active" } & SessionActive
  | { "type": "session_messages_chunk" } & SessionMessagesChunk
  | { "type": "session_metadata_update" } & SessionMetadataUpdate
  | { "type": "heartbeat" } & Heartbeat
  | { "type": "capabilities" } & Capabilities
  | { "type": "agent_start" } & Empty
  | { "type": "agent_end" } & AgentEnd & { [key: string]: unknown }
  | { "type": "turn_start" } & TurnStart
  | { "type": "turn_end" } & TurnEnd
  | { "type": "message_start" } & MessageEvent
  | { "type": "message_update" } & MessageUpdate
  | { "type": "message_end" } & MessageEvent
  | { "type": "tool_execution_start" } & ToolExecutionStart
  | { "type": "tool_execution_update" } & ToolExecutionUpdate
  | { "type": "tool_execution_end" } & ToolExecutionEnd
  | { "type": "model_select" } & ModelSelect
  | { "type": "model_set_result" } & ModelSetResult
  | { "type": "todo_update" } & TodoUpdate
  | { "type": "cli_error" } & CliError
  | { "type": "ui_notify" } & UiNotify
  | { "type": "plugin_trust_prompt" } & PluginTrustPrompt
  | { "type": "plugin_trust_expired" } & PluginTrustExpired
  | { "type": "mcp_auth_required" } & McpAuthRequired
  | { "type": "mcp_auth_paste_required" } & McpAuthPasteRequired
  | { "type": "mcp_auth_complete" } & McpAuthComplete
  | { "type": "session_started" } & SessionStarted
  | MetaEvent;

export type AgentResult = {
  requestId?: RequestId;
  ok: boolean;
  message?: string;
  agents?: Array<RunnerAgent>;
  content?: string;
  name?: string;
};

export type AgentsList = {
  agents: Array<RunnerAgent>;
  requestId?: RequestId;
};

/**
 * One part of the context and what it takes.
 */
export type AnalysisBlock = {
  turnIndex: number;
  entryId: string;
  role: string;
  tokens: number;
  rawTokenDelta: number;
  usage?: unknown;
  model?: AnalysisModel;
  title?: string;
  subBlocks?: Array<unknown>;
};

export type AnalysisModel = {
  provider: string;
  id: string;
  contextWindow?: number;
};

export type AnalysisSummary = {
  totalTokens: number;
  totalCost: number;
  cacheHitRate: number | null;
  estimatedCacheSavings: number | null;
  compactionCount: number;
  tokensFreedByCompaction: number | null;
  peakContextUsage: number | null;
  contextUtilization: number | null;
};

export type AnalyzeSession = {
  requestId: RequestId;
  sessionId: SessionId;
};

/**
 * How a decision is answered.
 */
export type AnswerBody = {
  decisionId: DecisionId;
  /** One of the decision's option ids. Free text of a question goes into `text` with option `text`. */
  option: string;
  text?: string;
  /** Changed fields of an approval, by key. */
  edits?: { [key in string]: string };
};

/**
 * A person's answer, from any surface.
 */
export type AnswerDecision = {
  decisionId: DecisionId;
  sessionId?: SessionId;
  /** One of the option ids; `text` for free text. */
  option: string;
  text?: string;
  edits?: { [key in string]: string };
  /** Answers composed for an earlier epoch are refused. */
  composedAt?: Position;
  /** The command this answer becomes; made by the author. */
  commandId?: CommandId;
};

/**
 * Did the answer win? When not, `outcome` says what did.
 */
export type AnswerReply = {
  ok: boolean;
  outcome?: DecisionOutcome;
  code?: ErrorCode;
  error?: string;
};

/**
 * A key as lists show it: never the key itself.
 */
export type ApiKeyRow = {
  id: string;
  name: string | null;
  /** The first characters, to tell keys apart. */
  start: string | null;
  prefix: string | null;
  userId: UserId;
  enabled: boolean;
  expiresAt: string | null;
  createdAt: string;
  updatedAt: string;
  lastRequest: string | null;
  requestCount: number;
  remaining: number | null;
  rateLimitEnabled: boolean;
  rateLimitTimeWindow: number | null;
  rateLimitMax: number | null;
};

export type ApprovalAction = {
  id: string;
  label: string;
  style?: ApprovalStyle;
};

/**
 * What a person decided about an approval.
 */
export type ApprovalDecision = {
  action: string;
  approved: boolean;
  /** Changed fields, by key. */
  edits?: { [key in string]: string };
  /** Nobody could be asked. */
  unavailable?: boolean;
};

export type ApprovalField = {
  key: string;
  label: string;
  value: string;
  editable?: boolean;
  multiline?: boolean;
};

export type ApprovalPending = {
  approval: MetaPendingApproval;
};

export type ApprovalStyle = "primary" | "danger" | "default";

export type AssistantMessage = {
  id?: string;
  /** Text, thinking and tool calls, in the order the model made them. */
  content: Array<ContentBlock>;
  /** The family of APIs it came through, such as `anthropic-messages`. */
  api: string;
  provider: string;
  /** The model that was asked. */
  model: string;
  /** The model that says it answered, when it is another. */
  responseModel?: string;
  responseId?: string;
  usage: Usage;
  stopReason: StopReason;
  /** Present with `stopReason: "error"`. */
  errorMessage?: string;
  /** The provider's own word for why it stopped. */
  rawStopReason?: string;
  endTurn?: boolean;
  deferred?: unknown;
  diagnostics?: Array<unknown>;
  timestamp: number;
};

/**
 * What just happened to a message that is still growing.
 */
export type AssistantMessageEvent = { "type": "start" } & StreamStart
  | { "type": "text_start" } & StreamBlock
  | { "type": "text_delta" } & StreamDelta
  | { "type": "text_end" } & StreamText
  | { "type": "thinking_start" } & StreamBlock
  | { "type": "thinking_delta" } & StreamDelta
  | { "type": "thinking_end" } & StreamText
  | { "type": "toolcall_start" } & StreamBlock
  | { "type": "toolcall_delta" } & StreamDelta
  | { "type": "toolcall_end" } & StreamToolCall
  | { "type": "done" } & StreamDone
  | { "type": "error" } & StreamError;

/**
 * A file a person sent along. Usable when `attachmentId` or `url` is not empty.
 */
export type Attachment = {
  attachmentId?: string;
  mediaType?: string;
  filename?: string;
  url?: string;
};

/**
 * What failed, on account routes.
 */
export type AuthErrorBody = {
  message: string;
  code?: string;
};

export type AuthLoginRef = {
  requestId: RequestId;
  loginId: string;
};

export type AuthLoginStart = {
  requestId: RequestId;
  providerId: string;
  authType?: AuthType;
};

export type AuthLoginSubmit = {
  requestId: RequestId;
  loginId: string;
  value: string;
};

export type AuthSession = {
  id: string;
  userId: UserId;
  token: string;
  expiresAt: string;
  createdAt: string;
  updatedAt: string;
  ipAddress: string | null;
  userAgent: string | null;
};

export type AuthSourceChanged = {
  source: string | null;
};

export type AuthType = "oauth" | "api_key";

export type AuthUser = {
  id: UserId;
  name: string;
  email: string;
  emailVerified: boolean;
  image: string | null;
  createdAt: string;
  updatedAt: string;
};

/**
 * Who asks.
 */
export type Author = {
  userId: UserId;
  /** A name for the browser, phone or terminal. */
  device?: string;
};

export type Backgrounded = {
  backgrounded: Array<string>;
};

export type BashExecutionMessage = {
  id?: string;
  command: string;
  output: string;
  exitCode?: number;
  cancelled: boolean;
  truncated: boolean;
  /** Where all of the output lies, when `output` was truncated. */
  fullOutputPath?: string;
  excludeFromContext?: boolean;
  timestamp: number;
};

/**
 * Relay to viewer: the log goes further than what you have.
 */
export type Behind = {
  sessionId: SessionId;
  head: Position;
  generation?: Generation;
};

export type BranchSummaryMessage = {
  id?: string;
  summary: string;
  fromId: string;
  timestamp: number;
};

export type BroadcastAnswer = {
  ok: boolean;
  delivered: number;
  /** Accepted, not yet started. */
  spawned: number;
  triggerId: TriggerId;
};

/**
 * `POST /api/runners/:id/trigger-broadcast`.
 */
export type BroadcastRequest = {
  type?: string;
  payload?: { [key: string]: unknown };
  deliverAs?: DeliverAs;
  source?: string;
  summary?: string;
  expectsResponse?: boolean;
};

export type BrowseAnswer = {
  directories: Array<DirectoryEntry>;
};

export type BrowseDirectory = {
  requestId: RequestId;
  path: string;
};

/**
 * Withdraw a command that was not consumed yet.
 */
export type CancelCommand = {
  commandId: CommandId;
  sessionId?: SessionId;
};

export type Capabilities = {
  models: Array<Model>;
  commands: Array<CommandInfo>;
};

export type ChangePasswordAnswer = {
  token: string | null;
  user: AuthUser;
};

export type ChangePasswordRequest = {
  currentPassword?: string;
  newPassword?: string;
  revokeOtherSessions?: boolean;
};

/**
 * `GET /livez`, `/readyz`.
 */
export type Checks = {
  checks: { [key in string]: boolean };
};

/**
 * Where linking a machine stands.
 */
export type ClaimStatus = "pending" | "approved" | "redeemed" | "expired";

/**
 * A version a client claims: an integer, or a string of digits.
 */
export type ClaimedVersion = number;

export type CleanupChildSession = {
  token: string;
  childSessionId: SessionId;
};

export type CleanupReply = {
  ok: boolean;
  /** The child has not gone yet. */
  pending?: boolean;
  error?: string;
};

export type CliError = {
  message: string;
  /** Who failed: `provider`, `remote`, or an extension's name. */
  source: string | null;
  ts: number;
};

/**
 * Anything a person or a machine asks of a session.
 */
export type Command = {
  /** Made by the author (UUID v7); the relay makes one for clients that do not. */
  commandId: CommandId;
  sessionId: SessionId;
  kind: CommandKind;
  author: Author;
  /** What the author had on screen; `null` for clients that do not say. */
  composedAt: Position | null;
  createdAt: number;
  /** Worthless when not delivered by then. */
  deadline: number | null;
  /** Shape: by `kind`, see `CommandBody`. */
  body: CommandBody;
};

/**
 * The body of a command, by its kind.
 */
export type CommandBody = InputBody
  | AnswerBody
  | InterruptBody
  | Exec & { [key: string]: unknown }
  | ModelSetBody
  | Trigger;

export type CommandCompletion = {
  value: string;
  label?: string;
  description?: string;
};

/**
 * One thing asked of a session, named by its author (UUID v7). On published events: `requestId` of `input`, `id` of `exec`.
 */
export type CommandId = string;

/**
 * A command the user can type, as pickers show it.
 */
export type CommandInfo = {
  name: string;
  description?: string;
  /** Where it comes from, such as `builtin` or `skill`. */
  source?: string;
  argumentHint?: string;
  completions?: Array<CommandCompletion>;
};

/**
 * What is asked of a session.
 */
export type CommandKind = "input" | "answer" | "interrupt" | "exec" | "model_set" | "trigger";

export type CommandList = {
  commands: Array<CommandInfo>;
};

/**
 * Session to relay: this became of a command.
 */
export type CommandReceipt = {
  commandId: CommandId;
  /** `delivered`, `consumed`, `rejected` or `cancelled`. */
  state: CommandState;
  code?: ErrorCode;
  message?: string;
  /** What an `exec` gave. */
  result?: unknown;
};

/**
 * How far a command has come. Every accepted command ends in exactly one of the states from `consumed` on.
 */
export type CommandState = "accepted" | "delivered" | "consumed" | "rejected" | "expired" | "cancelled" | "unknown";

/**
 * Relay to viewer: this became of a command.
 */
export type CommandStatus = {
  commandId: CommandId;
  sessionId: SessionId;
  state: CommandState;
  at: number;
  code?: ErrorCode;
  message?: string;
  /** Whose command it is. */
  by?: Author;
};

/**
 * All open commands of a session, on attach.
 */
export type Commands = {
  sessionId: SessionId;
  open: Array<OpenCommand>;
  generation?: Generation;
};

export type CompactArgs = {
  customInstructions?: string;
};

export type CompactionRecord = {
  entryId: string;
  tokensBeforeCompaction: number;
  estimatedSummaryTokens: number;
  estimatedTokensAfter: number | null;
  estimatedTokensFreed: number | null;
  firstKeptId: string;
  timestamp: unknown;
};

export type CompactionResult = {
  summary?: string;
  tokensBefore?: number;
};

export type CompactionSummaryMessage = {
  id?: string;
  summary: string;
  tokensBefore: number;
  timestamp: number;
};

/**
 * One piece of a message.
 */
export type ContentBlock = { "type": "text" } & TextBlock
  | { "type": "thinking" } & ThinkingBlock
  | { "type": "image" } & ImageBlock
  | { "type": "toolCall" } & ToolCallBlock;

/**
 * Units: US dollars.
 */
export type Cost = {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  total: number;
};

/**
 * `POST /api/auth/api-key/create`.
 */
export type CreateApiKeyRequest = {
  name?: string;
  prefix?: string;
  /** Units: seconds. */
  expiresIn?: number | null;
};

export type CreateTerminalAnswer = {
  ok: boolean;
  terminalId: TerminalId;
  runnerId: RunnerId;
};

/**
 * `POST /api/runners/terminal`.
 */
export type CreateTerminalRequest = {
  runnerId?: RunnerId;
  cwd?: string;
  cols?: number;
  rows?: number;
};

/**
 * A fresh key: in clear, once.
 */
export type CreatedApiKey = {
  key: string;
  id: string;
  name: string | null;
  start: string | null;
  prefix: string | null;
  userId: UserId;
  enabled: boolean;
  expiresAt: string | null;
  createdAt: string;
  updatedAt: string;
  lastRequest: string | null;
  requestCount: number;
  remaining: number | null;
  rateLimitEnabled: boolean;
  rateLimitTimeWindow: number | null;
  rateLimitMax: number | null;
};

export type CustomMessage = {
  id?: string;
  customType: string;
  content: MessageContent;
  /** Is it shown to people? */
  display: boolean;
  details?: unknown;
  timestamp: number;
};

export type DataReply = {
  requestId?: RequestId;
  data: unknown;
};

export type DateRange = {
  from: string;
  to: string;
};

/**
 * Something that waits for a person. A durable record: it survives reconnects, restarts and compaction.
 */
export type Decision = {
  /** The tool call or prompt id of the published meta event it is also announced by. */
  decisionId: DecisionId;
  sessionId: SessionId;
  epoch: Epoch;
  kind: DecisionKind;
  title: string;
  detail: DecisionDetail;
  options: Array<DecisionOption>;
  /** Taken when the deadline passes. Never one that allows. */
  default: string | null;
  deadline?: number;
  createdAt: number;
};

export type DecisionAnswered = {
  by: UserId;
  byName?: string;
  device?: string;
  option: string;
  text?: string;
  edits?: { [key in string]: string };
  at: number;
};

/**
 * Exactly what is decided about.
 */
export type DecisionDetail = {
  /** Markdown. */
  text: string;
  toolCallId?: string;
  toolName?: string;
  /** The command that would run, unabridged. */
  command?: string;
  cwd?: string;
  /** SHA-256 of the diff that was shown. */
  diffHash?: string;
  questions?: Array<MetaQuestion>;
  steps?: Array<MetaPlanStep>;
  fields?: Array<ApprovalField>;
  /** Plugins to be trusted, or the address to sign in at. */
  subjects?: Array<string>;
  url?: string;
};

export type DecisionEnded = {
  decisionId: DecisionId;
  sessionId: SessionId;
  outcome: DecisionOutcome;
  revision?: Revision;
};

export type DecisionExpired = {
  /** The default that was taken. */
  option: string | null;
  at: number;
};

/**
 * One question that waits for a person.
 */
export type DecisionId = string;

/**
 * What kind of answer a decision wants.
 */
export type DecisionKind = "question" | "plan" | "approval" | "plugin_trust" | "mcp_login";

export type DecisionOption = {
  id: string;
  label: string;
  description?: string;
  style?: ApprovalStyle;
};

/**
 * How a decision ended. The first answer wins; everybody learns whose it was.
 */
export type DecisionOutcome = { "outcome": "answered" } & DecisionAnswered
  | { "outcome": "expired" } & DecisionExpired
  | { "outcome": "superseded" } & DecisionSuperseded
  | { "outcome": "withdrawn" } & DecisionWithdrawn;

export type DecisionSuperseded = {
  by?: DecisionId;
  at: number;
};

export type DecisionWithdrawn = {
  reason?: string;
  at: number;
};

/**
 * All open decisions of a user, oldest first.
 */
export type Decisions = {
  decisions: Array<Decision>;
  revision?: Revision;
};

export type DeleteApiKeyRequest = {
  keyId?: string;
};

export type DelinkChildren = {
  token: string;
  /** Children that started later are kept. Units: milliseconds of the relay's clock. */
  epoch?: number;
};

export type DelinkOwnParent = {
  token: string;
  oldParentId?: SessionId | null;
};

/**
 * When words reach a working agent.
 */
export type DeliverAs = "steer" | "followUp";

/**
 * What becomes of an event on its way through the relay.
 */
export type DeliveryClass = "durable" | "chunk" | "streamed" | "latest" | "meta";

export type DirectoryEntry = {
  name: string;
  path: string;
};

/**
 * `browse_directory`.
 */
export type DirectoryListing = {
  directories: Array<DirectoryEntry>;
};

/**
 * Why a session went away, for programs.
 */
export type DisconnectCode = "snapshot_replay" | "session_ended" | "session_reconnected";

export type Disconnected = {
  reason: string;
  code?: DisconnectCode;
  generation?: Generation;
  sessionId?: SessionId;
};

/**
 * The payload of an event that carries nothing. Anything the peer sends instead is ignored.
 */
export type Empty = Record<symbol, never>;

export type EnableServiceAnswer = {
  ok: boolean;
  serviceId: string;
  enabled: boolean;
  disabledServiceIds: Array<string>;
};

export type EnableServiceRequest = {
  enabled?: boolean;
};

/**
 * Ownership life of a session: grows with each claim by a writer; only the newest claimant may append.
 */
export type Epoch = number;

/**
 * What failed.
 */
export type ErrorBody = {
  error: string;
  code?: ErrorCode;
  requestId?: RequestId;
  details?: unknown;
};

/**
 * Clients branch on codes; codes are never renamed.
 */
export type ErrorCode = "unauthorized" | "unauthenticated" | "key_expired" | "untrusted_origin" | "session_required" | "forbidden" | "invalid" | "not_found" | "too_large" | "rate_limited" | "incompatible" | "protocol_too_old" | "conflict" | "not_attached" | "not_collab" | "offline" | "reconnecting" | "moved_on" | "fenced" | "model_hidden" | "no_such_decision" | "already_answered" | "queue_full" | "died" | "no_runner" | "runner_offline" | "runner_reconnecting" | "runner_timeout" | "runner_error" | "server_not_ready" | "overloaded" | "timeout" | "internal";

/**
 * The event `error` of every namespace. Older peers send only the message.
 */
export type ErrorEvent = {
  message: string;
  code?: ErrorCode;
  /** On `/viewer`: the switch it answers. */
  generation?: Generation;
};

export type ErrorReply = {
  requestId?: RequestId;
  error: string;
};

export type EventAck = {
  sessionId: SessionId;
  /** Cumulative; never decreases within a registration. */
  seq: number;
};

/**
 * A remote command. Its arguments stand beside these members; see [`Open`](crate::json::Open).
 */
export type Exec = {
  id: CommandId;
  command: string;
  /** The session it was meant for; the relay refuses it for another. */
  sessionId?: SessionId;
  /** What the author had on screen. */
  composedAt?: Position;
};

/**
 * Every remote command with its arguments.
 */
export type ExecCommand = { "command": "get_commands" } & Empty
  | { "command": "mcp" } & McpArgs
  | { "command": "mcp_toggle_server" } & McpToggleArgs
  | { "command": "background_bash" } & Empty
  | { "command": "abort" } & Empty
  | { "command": "set_model" } & SetModelArgs
  | { "command": "cycle_model" } & Empty
  | { "command": "get_available_models" } & Empty
  | { "command": "set_thinking_level" } & SetThinkingArgs
  | { "command": "cycle_thinking_level" } & Empty
  | { "command": "set_steering_mode" } & SetModeArgs
  | { "command": "set_follow_up_mode" } & SetModeArgs
  | { "command": "set_queued_messages" } & SetQueueArgs
  | { "command": "set_plan_mode" } & SetPlanModeArgs
  | { "command": "refresh_usage" } & Empty
  | { "command": "compact" } & CompactArgs
  | { "command": "set_session_name" } & SetNameArgs
  | { "command": "get_last_assistant_text" } & Empty
  | { "command": "get_fork_messages" } & Empty
  | { "command": "fork" } & ForkArgs
  | { "command": "list_resume_sessions" } & ListResumeArgs
  | { "command": "resume_session" } & ResumeArgs
  | { "command": "new_session" } & Empty
  | { "command": "end_session" } & Empty
  | { "command": "restart" } & Empty
  | { "command": "export_html" } & ExportHtmlArgs
  | { "command": "sandbox_get_status" } & Empty
  | { "command": "sandbox_update_config" } & SandboxConfigArgs
  | { "command": "plugin_trust_response" } & PluginTrustArgs;

/**
 * The one reply to a remote command.
 */
export type ExecResult = {
  id: CommandId;
  ok: boolean;
  command: string;
  result?: unknown | null;
  error?: string;
};

/**
 * A session a runner may still have a process for.
 */
export type ExistingSession = {
  sessionId: SessionId;
  cwd: string;
  sessionFile?: string;
};

export type ExitReason = "completed" | "killed" | "error";

export type ExportHtmlArgs = {
  outputPath?: string;
};

/**
 * `/hub` and `/runners`.
 */
export type FeedAuth = {
  protocolVersion?: ClaimedVersion;
  clientVersion?: string;
  device?: string;
  apiKey?: string;
};

/**
 * `read_file`.
 */
export type FileContent = {
  /** Absent when the file was too large and a part of it was not wanted. */
  content?: string;
  encoding?: FileEncoding;
  /** Of the whole file. Units: bytes. */
  size: number;
  truncated: boolean;
};

export type FileEncoding = "utf8" | "base64";

export type FileEntry = {
  name: string;
  path: string;
  isDirectory: boolean;
  isSymlink: boolean;
  size?: number;
  /** Only in the answer to a search. */
  relativePath?: string;
};

/**
 * `list_files`: folders first, names without regard to case.
 */
export type FileListing = {
  files: Array<FileEntry>;
};

export type FileResult = {
  requestId?: RequestId;
  ok?: boolean;
  /** Why not. */
  message?: string;
};

export type FilterMode = "and" | "or";

export type FilterOp = "eq" | "contains";

export type FireTriggerAnswer = {
  ok: boolean;
  triggerId: TriggerId;
  spawnedSessionId?: SessionId;
  state?: TriggerState;
};

/**
 * `POST /api/sessions/:id/trigger`.
 */
export type FireTriggerRequest = {
  type?: string;
  payload?: { [key: string]: unknown };
  deliverAs?: DeliverAs;
  expectsResponse?: boolean;
  source?: string;
  summary?: string;
  /** Resume the session when it is offline. */
  wakeSession?: boolean;
  /** Accept now, deliver when possible. */
  queue?: boolean;
  eventId?: string;
};

export type FolderRequest = {
  path?: string;
};

export type ForkArgs = {
  entryId: string;
};

export type ForkMessage = {
  entryId: string;
  text: string;
};

export type ForkMessages = {
  messages: Array<ForkMessage>;
};

/**
 * A viewer's count of its switches; answers carry it, so that late answers to an earlier switch are told apart.
 */
export type Generation = number;

export type GetUsage = {
  requestId: RequestId;
  range?: UsageRange;
};

export type GitBlameLine = {
  hash: string;
  author: string;
  authorDate: string;
  summary: string;
  finalLine: number;
  sourceLine: number;
};

export type GitBranch = {
  name: string;
  shortHash: string;
  lastCommit: string;
  isCurrent: boolean;
  isRemote: boolean;
};

export type GitChange = {
  /** Two letters: the index, the work tree. */
  status: string;
  path: string;
  originalPath?: string;
};

/**
 * Service `git`: a failure. Its success replies carry `ok: true` and the members below.
 */
export type GitFailure = {
  ok: boolean;
  message: string;
  reason?: string;
  retryable?: boolean;
  noUpstream?: boolean;
  mergeBranches?: Array<string>;
};

/**
 * Service `git`: `git_full_status_result`.
 */
export type GitFullStatus = {
  status: GitStatus;
  currentBranch: string;
  branches: Array<GitBranch>;
  worktrees: Array<GitWorktree>;
};

export type GitLogEntry = {
  hash: string;
  shortHash: string;
  author: string;
  authorDate: string;
  commitDate: string;
  subject: string;
  body: string;
  refs: Array<string>;
  parents: Array<string>;
};

/**
 * Service `git`: `git_repo_changed`, pushed.
 */
export type GitRepoChanged = {
  cwd: string;
  version: number;
};

export type GitStash = {
  index: number;
  ref: string;
  message: string;
  shortHash: string;
  date: string;
};

/**
 * Service `git`: `git_status_result`.
 */
export type GitStatus = {
  cwd: string;
  branch: string;
  repoRoot: string;
  changes: Array<GitChange>;
  ahead: number;
  behind: number;
  hasUpstream: boolean;
  diffStaged: string;
};

export type GitWorktree = {
  path: string;
  displayPath: string;
  branch: string;
  shortHash: string;
  isDetached: boolean;
  isMain: boolean;
  changeCount: number;
  ahead: number;
  behind: number;
};

export type GoalStatus = "active" | "met" | "failed" | "cancelled";

export type GoalUpdated = {
  goal: MetaGoalStatus | null;
};

/**
 * `GET /health`, `/status`, `/api/status`.
 */
export type Health = {
  status: HealthStatus;
  redis: boolean;
  socketio: boolean;
  /** Units: seconds. */
  uptime: number;
  version: HealthVersion;
  /** How durable acknowledged events are. */
  durability?: string;
};

export type HealthStatus = "ok" | "degraded";

export type HealthVersion = {
  server: string;
  socketProtocol: number;
  buildTimestamp: string | null;
};

export type Heartbeat = {
  /** Is the agent working? */
  active: boolean;
  isCompacting: boolean;
  ts: number;
  model: Model | null;
  sessionName: string | null;
  /** Since the session began. Units: milliseconds. */
  uptime: number | null;
  cwd: string | null;
  queuedMessages: Array<string>;
  /** Carries no meta members at all. */
  _slim?: boolean;
  /** Set by the relay on a heartbeat it repeats: proof of life, nothing more. */
  _livenessOnly?: boolean;
};

export type HiddenModels = {
  hiddenModels?: Array<string>;
};

export type HiddenModelsAnswer = {
  ok: boolean;
  hiddenModels: Array<string>;
};

export type HiddenModelsUpdate = {
  /** `provider/modelId`. */
  hiddenModels: Array<string>;
};

/**
 * One change of a session's meta state. Accepted when its version is above the last one seen.
 */
export type HubMetaEvent = {
  sessionId: SessionId;
  version: number
} & MetaEvent;

/**
 * Relay to viewer: everything up to `(epoch, seq)` is with you.
 */
export type Hydrated = {
  sessionId: SessionId;
  generation: Generation;
  epoch: Epoch;
  seq: Seq;
  via: HydratedVia;
  /** Proven to be without a hole. */
  complete: boolean;
};

/**
 * How a viewer was brought up to date.
 */
export type HydratedVia = "delta" | "current" | "snapshot" | "recovery" | "persisted" | "empty";

/**
 * Relay to viewer: a snapshot is on its way in pieces.
 */
export type Hydrating = {
  sessionId: SessionId;
  generation: Generation;
  received: number;
  total: number;
};

/**
 * Relay to viewer: it did not work.
 */
export type HydrationFailed = {
  sessionId: SessionId;
  generation: Generation;
  reason: HydrationFailure;
  message?: string;
  retryable: boolean;
};

/**
 * Why a viewer could not be brought up to date.
 */
export type HydrationFailure = "not_found" | "offline" | "timeout" | "internal";

/**
 * A picture: inline (`data`, base64) or by reference (`source`).
 */
export type ImageBlock = {
  data?: string;
  mimeType?: string;
  source?: ImageSource;
  path?: string;
  width?: number;
  height?: number;
};

export type ImageSource = {
  type?: string;
  data?: string;
  /** `/api/attachments/{id}` after the relay took the picture out of the event. */
  url?: string;
  media_type?: string;
  extracted?: boolean;
  originalSizeBytes?: number;
};

export type InputBody = {
  text: string;
  attachments?: Array<Attachment>;
  /** `web`, `agent`, `push` … */
  client?: string;
  deliverAs?: DeliverAs;
};

export type InterruptBody = {
  reason?: string;
};

export type LauncherPosition = "bottom-left" | "bottom-right";

export type Light = {
  state: LightState;
  heardAt: number | null;
};

export type LightState = "up" | "slow" | "down" | "off" | "unknown";

/**
 * Who is there, leg by leg, proven by answers of the loops that do the work.
 */
export type Lights = {
  /** Viewer ↔ relay. */
  relay: Light;
  /** Relay ↔ runner. */
  machine: Light;
  /** Relay ↔ session process. */
  agent: Light;
  /** The last byte from the model's provider. */
  model: Light;
};

export type LinkedChildCount = {
  ok: boolean;
  count?: number;
  error?: string;
};

export type ListFiles = {
  requestId: RequestId;
  path: string;
  cwd?: string;
};

export type ListFilesRequest = {
  path?: string;
};

export type ListPlugins = {
  requestId?: RequestId;
  /** Look there, and do not remember the answer. */
  cwd?: string;
};

export type ListResumeArgs = {
  limit?: number;
  /** `modified` of the last entry of the page before. */
  cursor?: string;
};

export type ListenerAnswer = {
  ok: boolean;
  listenerId?: string;
  triggerType: string;
  removed?: number;
};

export type ListenerRequest = {
  triggerType?: string;
  prompt?: string;
  cwd?: string;
  model?: ModelInfo;
  params?: { [key: string]: unknown };
  autoClose?: boolean;
};

export type LoadMessages = {
  sessionId: SessionId;
  /** Index of the oldest message the viewer has. */
  before?: number;
  /** How many; see [`MESSAGES_PAGE_MAX`](crate::limits::MESSAGES_PAGE_MAX). */
  limit?: number;
};

export type LoginCancelRequest = {
  loginId?: string;
};

export type LoginDone = {
  providerId: string;
};

export type LoginFailed = {
  message: string;
};

export type LoginOption = {
  id: string;
  label: string;
};

export type LoginPrompt = {
  type: string;
  message: string;
  placeholder?: string;
  options?: Array<LoginOption>;
};

export type LoginPromptStep = {
  loginId: string;
  prompt: LoginPrompt;
  authUrl?: string;
  info?: Array<string>;
};

export type LoginProvider = {
  id: string;
  name: string;
  types: Array<AuthType>;
  configured: boolean;
};

/**
 * `auth_login_start`, `auth_login_submit`, `auth_login_status`.
 */
export type LoginReply = {
  step: LoginStep;
};

export type LoginStartRequest = {
  providerId?: string;
  authType?: AuthType;
};

/**
 * Where a login to a provider stands.
 */
export type LoginStep = { "state": "prompt" } & LoginPromptStep
  | { "state": "waiting" } & LoginWaiting
  | { "state": "done" } & LoginDone
  | { "state": "error" } & LoginFailed;

export type LoginSubmitRequest = {
  loginId?: string;
  value?: string;
};

export type LoginWaiting = {
  loginId?: string;
};

export type McpAction = "status" | "reload";

export type McpArgs = {
  action?: McpAction;
};

export type McpAuthComplete = {
  serverName: string;
  ts: number;
};

/**
 * As above, but the browser ends on a page the user must paste the address of.
 */
export type McpAuthPasteRequired = {
  serverName: string;
  authUrl: string;
  nonce: string;
  ts: number;
};

/**
 * A person must sign in to an MCP server; the browser comes back through the relay.
 */
export type McpAuthRequired = {
  serverName: string;
  authUrl: string;
  ts: number;
};

export type McpCounts = {
  totalTools: number;
  loadedTools: number;
  deferredTools: number;
  loadedOnDemandTools: number;
  disabledServers: number;
};

export type McpLoadState = "loaded" | "deferred" | "disabled" | "partial";

export type McpOauthCallback = {
  sessionId: SessionId;
  nonce: string;
  code: string;
  /** As it stood in the address. */
  state: string;
  oauthState?: string;
};

export type McpOauthPaste = {
  nonce: string;
  code: string;
  state?: string;
};

export type McpServerError = {
  server: string;
  error: string;
};

export type McpServerRef = {
  name: string;
  transport: string;
  scope: string;
  sourcePath?: string;
};

export type McpServerState = {
  name: string;
  transport: string;
  scope: string;
  sourcePath?: string;
  state: McpLoadState;
  totalToolCount: number;
  loadedToolCount: number;
  deferredToolCount: number;
  loadedOnDemandToolCount: number;
};

export type McpServerTiming = {
  name: string;
  durationMs: number;
  toolCount: number;
  timedOut: boolean;
  error?: string;
};

export type McpStartupReport = {
  report: MetaMcpReport & { [key: string]: unknown };
  ts: number;
};

/**
 * How the MCP servers of a session are doing.
 */
export type McpStatus = {
  toolCount: number;
  toolNames: Array<string>;
  serverTools: { [key in string]: Array<string> };
  errors: Array<McpServerError>;
  loadedAt: string;
  summary: string;
  lines: Array<string>;
  config: McpStatusConfig & { [key: string]: unknown };
  counts: McpCounts;
  serverStates: Array<McpServerState>;
  toolStates: Array<McpToolStatus>;
  serverTimings?: Array<unknown>;
  totalDurationMs?: number;
  action?: McpAction;
  toggledServer?: string;
  disabled?: boolean;
};

export type McpStatusConfig = {
  effectiveServers: Array<McpServerRef>;
  disabledServers: Array<string>;
};

export type McpToggleArgs = {
  serverName: string;
  disabled: boolean;
};

export type McpToolState = "loaded" | "deferred" | "loaded_on_demand";

export type McpToolStatus = {
  name: string;
  serverName: string;
  state: McpToolState;
};

/**
 * `GET /api/me`.
 */
export type Me = {
  userId: UserId;
  userName: string;
};

export type MemoryContent = {
  file: string;
  content: string;
};

export type MemoryFile = {
  file: string;
  bytes: number;
  lines: number;
};

/**
 * Service `memory`: `memory_list_result`.
 */
export type MemoryList = {
  dir: string;
  files: Array<MemoryFile>;
  index: string;
};

export type MemorySaved = {
  file: string;
  saved: boolean;
};

/**
 * One entry of a transcript.
 *
 * A message is known by `toolCallId` (tool results), else by role and `id`, else by role and `timestamp`; so `timestamp` is the
 * same wherever the message appears.
 */
export type Message = { "role": "user" } & UserMessage
  | { "role": "assistant" } & AssistantMessage
  | { "role": "toolResult" } & ToolResultMessage
  | { "role": "custom" } & CustomMessage
  | { "role": "bashExecution" } & BashExecutionMessage
  | { "role": "compactionSummary" } & CompactionSummaryMessage
  | { "role": "branchSummary" } & BranchSummaryMessage;

/**
 * Plain text, or blocks of text and pictures.
 */
export type MessageContent = string | Array<ContentBlock>;

export type MessageDelivery = "input";

export type MessageEvent = {
  message: Message;
};

export type MessageUpdate = {
  /** The whole message so far. */
  message: Message;
  assistantMessageEvent: AssistantMessageEvent;
};

/**
 * One change of the meta state. Travels inside `event` from the session, and as `meta_event` on `/hub`; never to viewers.
 */
export type MetaEvent = { "type": "todo_updated" } & TodoUpdated
  | { "type": "question_pending" } & QuestionPending
  | { "type": "question_cleared" } & ToolCallRef
  | { "type": "plan_pending" } & PlanPending
  | { "type": "plan_cleared" } & ToolCallRef
  | { "type": "plan_mode_toggled" } & PlanModeToggled
  | { "type": "compact_started" } & Empty
  | { "type": "compact_ended" } & Empty
  | { "type": "retry_state_changed" } & RetryStateChanged
  | { "type": "plugin_trust_required" } & PluginTrustRequired
  | { "type": "plugin_trust_resolved" } & PromptRef
  | { "type": "approval_pending" } & ApprovalPending
  | { "type": "approval_cleared" } & PromptRef
  | { "type": "mcp_startup_report" } & McpStartupReport
  | { "type": "token_usage_updated" } & TokenUsageUpdated
  | { "type": "thinking_level_changed" } & ThinkingLevelChanged
  | { "type": "auth_source_changed" } & AuthSourceChanged
  | { "type": "model_changed" } & ModelChanged
  | { "type": "goal_updated" } & GoalUpdated;

export type MetaGoalStatus = {
  id: string;
  description: string;
  status: GoalStatus;
  turnCount: number;
  maxTurns?: number;
  tokenSpend: number;
  maxTokens?: number;
  costSpend: number;
  maxCost?: number;
  lastReason?: string;
};

/**
 * How the MCP servers of a session started.
 */
export type MetaMcpReport = {
  slow?: boolean;
  showSlowWarning?: boolean;
  errors?: Array<McpServerError>;
  serverTimings?: Array<McpServerTiming>;
  totalDurationMs?: number;
  toolCount?: number;
  serverCount?: number;
  ts?: number;
};

/**
 * Asks a person to allow something. Without actions the choices are Approve and Reject.
 */
export type MetaPendingApproval = {
  promptId: string;
  title: string;
  /** Markdown. */
  message?: string;
  toolName?: string;
  icon?: string;
  fields?: Array<ApprovalField>;
  actions?: Array<ApprovalAction>;
};

export type MetaPendingPlan = {
  toolCallId: string;
  title: string;
  description?: string;
  steps?: Array<MetaPlanStep>;
};

export type MetaPendingQuestion = {
  toolCallId: string;
  /** At least one. */
  questions: Array<MetaQuestion>;
  /** `stepper`: one question at a time. */
  display?: string;
};

export type MetaPlanStep = {
  title: string;
  description?: string;
};

export type MetaPluginTrustPrompt = {
  promptId: string;
  pluginNames: Array<string>;
  pluginSummaries: Array<string>;
};

export type MetaQuestion = {
  question: string;
  options: Array<string>;
  /** How many options may be chosen; one when absent. */
  type?: QuestionKind;
};

export type MetaRetryState = {
  errorMessage: string;
  detectedAt: number;
};

export type MetaSource = "hub";

export type MetaTodoItem = {
  id: number;
  text: string;
  status: TodoStatus;
};

export type MetaTokenUsage = {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  /** Units: US dollars. */
  cost: number;
  /** Tokens in the context now; `null` when unknown. */
  contextTokens?: number | null;
};

export type ModeArtifacts = {
  enabled: boolean;
  extensions?: Array<string>;
};

export type ModeChrome = {
  git?: boolean;
  terminal?: boolean;
  processes?: boolean;
  diffs?: boolean;
  files?: boolean;
};

export type ModeHome = {
  greeting?: string;
  suggestions?: Array<ModeSuggestion>;
  recent?: boolean;
};

export type ModeSuggestion = {
  label: string;
  icon?: string;
  prompt: string;
};

export type ModeVocabulary = {
  session?: string;
  sessions?: string;
  newSession?: string;
};

/**
 * A model and what it can do.
 */
export type Model = {
  provider: string;
  id: string;
  name?: string;
  /** Can it think before it answers? */
  reasoning?: boolean;
  /** Tokens that fit into one request. */
  contextWindow?: number;
  /** The thinking levels it accepts, weakest first. */
  thinkingLevels?: Array<ThinkingLevel>;
};

export type ModelChanged = {
  model: Model | null;
};

/**
 * A model in a list: enough to name it.
 */
export type ModelInfo = {
  provider: string;
  id: string;
  name?: string;
};

export type ModelList = {
  models: Array<Model>;
};

export type ModelSelect = {
  model: Model;
  previousModel?: Model;
  source: ModelSelectSource;
};

/**
 * How a model came to be chosen.
 */
export type ModelSelectSource = "set" | "cycle" | "restore";

export type ModelSet = {
  provider: string;
  modelId: string;
};

export type ModelSetBody = {
  provider: string;
  modelId: string;
};

export type ModelSetResult = {
  ok: boolean;
  provider: string;
  modelId: string;
  message?: string;
};

export type ModelShare = {
  provider: string;
  id: string;
  contextWindow?: number;
  turns: number;
  totalCost: number;
  cacheHitRate: number | null;
};

export type ModelsList = {
  requestId?: RequestId;
  models: Array<Model>;
  error?: string;
};

export type Named = {
  requestId: RequestId;
  name: string;
};

/**
 * A skill or an agent with its text.
 */
export type NamedContent = {
  name: string;
  content: string;
};

export type NewSession = {
  sessionId: SessionId;
  cwd?: string;
  prompt?: string;
  /** At most [`SPAWN_IMAGES_MAX`](crate::limits::SPAWN_IMAGES_MAX). */
  imageUrls?: Array<string>;
  model?: ModelInfo;
  skills?: Array<string>;
  /** `provider/modelId`. */
  hiddenModels?: Array<string>;
  agent?: SpawnAgent;
  parentSessionId?: SessionId;
  /** A transcript to go on with, absolute. */
  resumePath?: string;
  /** The session to go on with. */
  resumeId?: SessionId;
  /** Leave after a successful completion. */
  autoClose?: boolean;
};

export type NewTerminal = {
  terminalId: TerminalId;
  cwd?: string;
  shell?: string;
  cols?: number;
  rows?: number;
};

export type NotifyType = "info" | "warning" | "error";

export type OkBody = {
  ok: boolean;
};

/**
 * What most acknowledgements of the published protocol carry.
 */
export type OkReply = {
  ok: boolean;
  error?: string;
  code?: ErrorCode;
};

/**
 * A command that has not ended, and where it stands.
 */
export type OpenCommand = {
  command: Command;
  state: CommandState;
  at: number;
};

/**
 * Nothing but the proof that the session is the sender's.
 */
export type Owned = {
  token: string;
};

export type PackageRequest = {
  requestId: RequestId;
  source: string;
  /** For the project rather than the user. */
  local?: boolean;
};

export type PackagesUpdate = {
  requestId: RequestId;
  /** Absent: all. */
  source?: string;
};

export type PanelLauncher = {
  surface: string;
  position: LauncherPosition;
};

export type PanelPlacement = "left-top" | "left-middle" | "left-bottom" | "center-top" | "center-bottom" | "right-top" | "right-middle" | "right-bottom";

export type ParentDelinked = {
  parentSessionId: SessionId;
};

export type PasswordCheck = {
  label: string;
  met: boolean;
};

export type PasswordReport = {
  /** All rules are met. */
  valid: boolean;
  /** One per rule, always in the same order. */
  checks: Array<PasswordCheck>;
};

/**
 * Additions to the published protocol that a peer understands, each by its revision. Absent: not at all.
 */
export type PeerCapabilities = {
  /** Session: takes `command` and answers `command_receipt`. Viewer: reads `command_status` and `commands`. */
  commands?: number;
  /** Session: raises decisions itself. Viewer and hub: read `decisions`. */
  decisions?: number;
  /** Session: numbers durable events and resends what was not stored. Viewer: sends `have`. */
  resume?: number;
  /** Answers `probe`. */
  probe?: number;
  /** Viewer: reads `hydrating`, `hydrated`, `hydration_failed`, `behind`. */
  hydration?: number;
  /** Viewer: live snapshots may be the tail only. */
  paging?: number;
  /** Runner: obeys `terminal_flow` and counts terminal bytes. */
  terminalFlow?: number;
};

/**
 * A session that is kept, live or not.
 */
export type PersistedSession = {
  sessionId: SessionId;
  cwd: string;
  shareUrl: string;
  startedAt: string;
  lastActiveAt: string;
  endedAt: string | null;
  isEphemeral: boolean;
  expiresAt: string | null;
  isPinned: boolean;
  runnerId: RunnerId | null;
  runnerName: string | null;
  sessionName: string | null;
};

export type PinAnswer = {
  ok: boolean;
  isPinned: boolean;
};

export type PinnedSessions = {
  pinnedSessions: Array<PersistedSession>;
};

export type PlanModeResult = {
  planModeEnabled: boolean;
};

export type PlanModeToggled = {
  enabled: boolean;
};

export type PlanPending = {
  plan: MetaPendingPlan;
};

export type PluginCommand = {
  name: string;
  description?: string;
  argumentHint?: string;
};

export type PluginPart = {
  name: string;
};

export type PluginSkill = {
  name: string;
  dirPath: string;
};

export type PluginTrustArgs = {
  promptId: string;
  trusted: boolean;
};

export type PluginTrustExpired = {
  promptId: string;
  ts: number;
};

export type PluginTrustPrompt = {
  promptId: string;
  pluginNames: Array<string>;
  pluginSummaries: Array<string>;
  ts: number;
};

export type PluginTrustRequired = {
  prompt: MetaPluginTrustPrompt;
};

export type PluginsList = {
  plugins: Array<RunnerPlugin>;
  requestId?: RequestId;
  /** Absent: yes. */
  ok?: boolean;
  message?: string;
  /** The answer for one folder only: not to be remembered. */
  scoped?: boolean;
};

export type Pong = {
  now: number;
};

/**
 * A place in a session's log.
 */
export type Position = {
  epoch: Epoch;
  seq: Seq;
};

/**
 * Relay to viewer: presence of the session it looks at.
 */
export type Presence = {
  sessionId: SessionId;
  presence: SessionPresence;
  lights?: Lights;
  viewers?: number;
  at: number;
  generation?: Generation;
};

/**
 * Are you there? Answered by the loop that does the work.
 */
export type Probe = {
  nonce: string;
};

export type ProbeReply = {
  nonce: string;
  at?: number;
  /** Session: when the provider last sent a byte; `null` when it was never asked. */
  modelHeardAt?: number | null;
  /** Session: is a request to the provider under way? */
  modelBusy?: boolean;
};

export type ProcessEntry = {
  pid: number;
  /** How long it has been running, as `ps` says it. */
  etime: string;
  rssKb: number;
  command: string;
};

/**
 * Service `process`: `process_list_result`.
 */
export type ProcessList = {
  workerPid: number | null;
  processes: Array<ProcessEntry>;
  shells?: Array<ShellEntry>;
};

/**
 * Service `process`: `process_tail_result`.
 */
export type ProcessTail = {
  pid: number;
  text: string;
};

export type PromptRef = {
  promptId: string;
};

/**
 * `auth_list`.
 */
export type ProviderList = {
  providers: Array<LoginProvider>;
};

/**
 * `GET /api/version`.
 */
export type PublishedVersion = {
  version: string | null;
};

/**
 * `POST /api/push/answer`.
 */
export type PushAnswerRequest = {
  sessionId?: SessionId;
  text?: string;
  toolCallId?: string;
};

export type PushCapabilities = {
  web: boolean;
  native: boolean;
};

export type PushEndpointRequest = {
  endpoint?: string;
  /** `*`, or a list with commas. */
  enabledEvents?: string;
  suppress?: boolean;
};

export type PushKeys = {
  p256dh: string;
  auth: string;
};

export type PushSubscribeRequest = {
  endpoint?: string;
  keys?: PushKeys;
  enabledEvents?: string;
};

export type PushSubscribed = {
  ok: boolean;
  id: string;
};

export type PushSubscription = {
  id: string;
  endpoint: string;
  createdAt: string;
  enabledEvents: string;
  suppressChildNotifications: boolean;
};

export type PushSubscriptions = {
  subscriptions: Array<PushSubscription>;
};

/**
 * How the options of a question may be chosen.
 */
export type QuestionKind = "radio" | "checkbox" | "ranked";

export type QuestionPending = {
  question: MetaPendingQuestion;
};

export type QueueResult = {
  queuedMessages: Array<string>;
};

/**
 * Session to relay: a person is needed.
 */
export type RaiseDecision = {
  token: string;
  decision: Decision;
};

export type ReadFile = {
  requestId: RequestId;
  path: string;
  cwd?: string;
  encoding?: FileEncoding;
  maxBytes?: number;
  /** Do not send the part of a file that is too large. */
  rejectTruncated?: boolean;
};

export type ReadFileRequest = {
  path?: string;
  encoding?: FileEncoding;
  rejectTruncated?: boolean;
};

export type RecentFolders = {
  folders: Array<string>;
};

export type ReconfigureServices = {
  disabledServiceIds: Array<string>;
  serviceId?: string;
  enabled?: boolean;
};

/**
 * Ask a feed for its whole list; `have` is the newest revision the client holds.
 */
export type Refresh = {
  have?: Revision;
};

export type Register = {
  /** Blank or absent: the relay makes one. */
  sessionId?: SessionId;
  cwd: string;
  /** True unless it says `false`. */
  ephemeral?: boolean;
  /** True unless it says `false`. */
  collabMode?: boolean;
  sessionName?: string | null;
  sessionFile?: string | null;
  /** `null`: this session has left its parent. */
  parentSessionId?: SessionId | null;
  capabilities?: PeerCapabilities;
  /** Where the last registration of this process stood. */
  resume?: ResumeOffer;
  /** The token of that registration, as proof that this is the same process. */
  previousToken?: string;
  clientVersion?: string;
  /** A name for the machine, shown to people next to what was done there. */
  device?: string;
};

export type RegisterAnswer = {
  ok: boolean;
  /** The key in clear, once. */
  key: string;
};

/**
 * `POST /api/register`.
 */
export type RegisterRequest = {
  name?: string;
  email?: string;
  password?: string;
  /** One key per label. */
  label?: string;
  expiresInDays?: number;
};

export type RegisterRunner = {
  name?: string;
  roots?: Array<string>;
  /** Lasting identity needs both id and secret. */
  runnerId?: RunnerId;
  runnerSecret?: string;
  skills?: Array<RunnerSkill>;
  agents?: Array<RunnerAgent>;
  plugins?: Array<RunnerPlugin>;
  hooks?: Array<RunnerHook>;
  version?: string;
  platform?: string;
  capabilities?: PeerCapabilities;
  /** Terminals that are still running, so that both sides agree after a break. */
  terminals?: Array<TerminalId>;
  /** Sessions whose processes this daemon holds. */
  sessions?: Array<SessionId>;
};

export type Registered = {
  /** May differ from the one asked for: adopt it. */
  sessionId: SessionId;
  token: string;
  shareUrl: string;
  isEphemeral: boolean;
  collabMode: boolean;
  parentSessionId: SessionId | null;
  serverTime: number;
  supportsSessionTriggerAck: boolean;
  /** The parent let go while this session was away. */
  wasDelinked?: boolean;
  /** This registration's ownership life. */
  epoch?: Epoch;
  resume?: ResumeAnswer;
  /** Present when another id was given out than the one asked for. */
  requestedSessionId?: SessionId;
  warning?: string;
  capabilities?: PeerCapabilities;
};

/**
 * `/relay`.
 */
export type RelayAuth = {
  apiKey?: string;
  protocolVersion?: ClaimedVersion;
  clientVersion?: string;
};

export type RelayConnected = {
  recoveryNonce?: string;
};

export type RelayEvent = {
  sessionId?: SessionId;
  token: string;
  /** An [`AgentEvent`](crate::agent_event::AgentEvent); kept as it came. */
  event: unknown;
  /** The client's own counter, from 1 after each `registered`. Ours number durable events only. */
  seq?: number;
};

export type RelayInput = {
  text: string;
  attachments?: Array<Attachment>;
  /** `web`, `agent`, `push` … */
  client?: string;
  deliverAs?: DeliverAs;
  requestId?: CommandId;
};

/**
 * How many live sessions took over a change.
 */
export type ReloadAnswer = {
  ok: boolean;
  reloaded: number;
  failed: number;
  sessionIds: Array<SessionId>;
  failedSessionIds: Array<SessionId>;
};

export type RenameSessionRequest = {
  name?: string | null;
};

/**
 * A request without arguments.
 */
export type Request = {
  requestId: RequestId;
};

/**
 * Ties a runner's reply to the request it answers.
 */
export type RequestId = string;

/**
 * The look of a session, complete.
 */
export type ResolvedMode = {
  git: boolean;
  terminal: boolean;
  processes: boolean;
  diffs: boolean;
  files: boolean;
  toolRendering: ToolRendering;
  sessionNoun: string;
  sessionNounPlural: string;
  newSessionLabel: string;
  accent: string | null;
  composerPlaceholder: string | null;
  greeting: string | null;
  suggestions: Array<ModeSuggestion>;
  recent: boolean;
  artifacts: boolean;
  /** Without dot, lower case. */
  artifactExtensions: Array<string>;
  scheduled: boolean;
};

/**
 * Relay to session: what is stored of that life; send again what came after.
 */
export type ResumeAnswer = {
  epoch: Epoch;
  storedSeq: number;
};

export type ResumeArgs = {
  sessionPath?: string;
  query?: string;
};

/**
 * Session to relay, on registration: what the relay has acknowledged of my last life.
 */
export type ResumeOffer = {
  /** The epoch of the registration before. */
  epoch: Epoch;
  /** The highest number of that registration's own counter that was acknowledged. */
  lastAckedSeq: number;
};

export type ResumeResult = {
  session: SessionSummary;
};

/**
 * Transcripts that can be gone on with, newest first.
 */
export type ResumeSessions = {
  currentPath: string | null;
  sessions: Array<SessionSummary>;
  nextCursor: string | null;
};

export type Resync = {
  lastSeq?: Seq;
  have?: Position;
};

export type RetryStateChanged = {
  state: MetaRetryState | null;
};

/**
 * Counts the changes of one user's feed (session list, runner list); a gap means something was missed.
 */
export type Revision = number;

export type RevokeSessionRequest = {
  token?: string;
};

export type RunnerAgent = {
  name: string;
  description: string;
  filePath: string;
};

export type RunnerAgents = {
  ok?: boolean;
  agents: Array<RunnerAgent>;
};

/**
 * `/runner`. Id and secret are informative here: registration repeats them.
 */
export type RunnerAuth = {
  apiKey?: string;
  runnerId?: RunnerId;
  runnerSecret?: string;
  protocolVersion?: ClaimedVersion;
  clientVersion?: string;
};

export type RunnerHook = {
  /** Such as `PreToolUse`. */
  type: string;
  /** Base names. */
  scripts: Array<string>;
};

/**
 * A machine that can start sessions. Bound to the first `(user, secret)` that claimed it.
 */
export type RunnerId = string;

/**
 * A machine that can start sessions.
 */
export type RunnerInfo = {
  runnerId: RunnerId;
  name: string | null;
  /** Folders sessions may work in. Empty: all. */
  roots: Array<string>;
  sessionCount: number;
  skills: Array<RunnerSkill>;
  agents: Array<RunnerAgent>;
  plugins?: Array<RunnerPlugin>;
  hooks?: Array<RunnerHook>;
  /** Of the daemon. */
  version: string | null;
  /** Such as `linux`, `darwin`, `win32`. */
  platform?: string | null;
  serviceIds?: Array<string>;
  disabledServiceIds?: Array<string>;
  panels?: Array<ServicePanelInfo>;
  triggerDefs?: Array<ServiceTriggerDef>;
  sigilDefs?: Array<ServiceSigilDef>;
  sessionModes?: Array<ServiceModeDef>;
  /** Newest last. */
  warnings?: Array<string>;
  status?: RunnerStatus;
  lastSeenAt?: string;
};

export type RunnerList = {
  runners: Array<RunnerInfo>;
};

export type RunnerModels = {
  models: Array<Model>;
};

export type RunnerPlugin = {
  name: string;
  description: string;
  rootPath: string;
  commands: Array<PluginCommand>;
  hookEvents: Array<string>;
  skills: Array<PluginSkill>;
  agents?: Array<PluginPart>;
  rules?: Array<PluginPart>;
  hasMcp: boolean;
  hasAgents: boolean;
  hasLsp: boolean;
  version?: string;
  author?: string;
};

export type RunnerPlugins = {
  ok?: boolean;
  plugins: Array<RunnerPlugin>;
};

export type RunnerRef = {
  runnerId?: RunnerId;
};

export type RunnerRegistered = {
  runnerId: RunnerId;
  /** Live sessions of this runner, on any node. */
  existingSessions?: Array<ExistingSession>;
  capabilities?: PeerCapabilities;
};

export type RunnerRemoved = {
  runnerId: RunnerId;
  revision?: Revision;
};

export type RunnerSessionEvent = {
  sessionId: SessionId;
  event: unknown;
};

export type RunnerSkill = {
  name: string;
  description: string;
  filePath: string;
};

export type RunnerSkills = {
  ok?: boolean;
  skills: Array<RunnerSkill>;
};

/**
 * Is the daemon there?
 */
export type RunnerStatus = "online" | "reconnecting" | "offline";

export type RunnerTriggers = {
  triggerDefs: Array<ServiceTriggerDef>;
  listeners: Array<TriggerListener>;
};

export type RunnerWarning = {
  message: string;
};

export type Runners = {
  runners: Array<RunnerInfo>;
  revision?: Revision;
};

export type SandboxConfigArgs = {
  config: unknown;
};

/**
 * How much a session may touch.
 */
export type SandboxMode = "none" | "basic" | "full";

export type SandboxSaved = {
  saved: boolean;
  resolvedConfig: unknown;
  message: string;
};

/**
 * `sandbox_get_status`.
 */
export type SandboxStatus = {
  mode: SandboxMode;
  active: boolean;
  configured?: boolean;
  platform: string;
  violations: number;
  recentViolations: Array<SandboxViolation>;
  config: unknown;
  rawConfig?: unknown;
};

export type SandboxUpdateConfig = {
  requestId: RequestId;
  config: unknown;
};

export type SandboxViolation = {
  timestamp: string;
  operation: string;
  target: string;
  reason: string;
};

export type SearchFiles = {
  requestId: RequestId;
  cwd: string;
  query: string;
  limit?: number;
};

export type SearchFilesRequest = {
  cwd?: string;
  query?: string;
  limit?: number;
};

export type SendSessionMessage = {
  token: string;
  targetSessionId: SessionId;
  message: string;
  /** `input`: as if a person had typed it. */
  deliverAs?: MessageDelivery;
};

export type SendTrigger = {
  token: string;
  trigger: Trigger;
};

export type SendTriggerResponse = {
  token: string;
  triggerId: TriggerId;
  response?: string;
  action?: string;
  targetSessionId: SessionId;
};

export type SendTriggerStatus = {
  token: string;
  triggerId: TriggerId;
  targetSessionId: SessionId;
  statusText: string;
};

/**
 * Position of a durable event in its session's log: 1, 2, 3 … without gaps, continuing over epochs. 0 is "before the first".
 */
export type Seq = number;

/**
 * `GET /api/capabilities`: what works here.
 */
export type ServerCapabilities = {
  push: PushCapabilities;
  tunnelHost: boolean;
  multiNode: boolean;
  retentionDays: number;
  limits: { [key in string]: number };
  features: Array<string>;
};

export type ServiceAdditions = {
  serviceIds: Array<string>;
  panels: Array<ServicePanelInfo>;
  triggerDefs: Array<ServiceTriggerDef>;
  sigilDefs: Array<ServiceSigilDef>;
  sessionModes?: Array<ServiceModeDef>;
};

/**
 * Everything the services of a runner offer.
 */
export type ServiceAnnounce = {
  serviceIds: Array<string>;
  disabledServiceIds?: Array<string>;
  panels?: Array<ServicePanelInfo>;
  triggerDefs?: Array<ServiceTriggerDef>;
  sigilDefs?: Array<ServiceSigilDef>;
  sessionModes?: Array<ServiceModeDef>;
  /** Added by the relay on the way to viewers. */
  runnerId?: RunnerId;
  _runnerRef?: boolean;
  generation?: Generation;
};

/**
 * What changed since the announcement before.
 */
export type ServiceAnnounceDelta = {
  added: ServiceAdditions;
  removed: ServiceRemovals;
  updated: ServiceUpdates;
  runnerId?: RunnerId;
  _runnerRef?: boolean;
  generation?: Generation;
};

/**
 * The same over HTTP: lists are empty rather than absent.
 */
export type ServiceCatalogue = {
  serviceIds: Array<string>;
  disabledServiceIds: Array<string>;
  panels: Array<ServicePanelInfo>;
  triggerDefs: Array<ServiceTriggerDef>;
  sigilDefs: Array<ServiceSigilDef>;
  sessionModes: Array<ServiceModeDef>;
};

/**
 * One message to or from a service.
 */
export type ServiceEnvelope = {
  serviceId: string;
  /** The service's own word. */
  type: string;
  /** For services that drop repeated messages. */
  id?: string;
  /** Chosen by whoever asks, copied into the reply. */
  requestId?: RequestId;
  /** Stamped by the relay on the way to the runner; set by the runner to address one session. */
  sessionId?: SessionId;
  payload: unknown;
};

/**
 * Failure of any built-in service: `tunnel_error`, `process_error`, `memory_error`.
 */
export type ServiceFailure = {
  error: string;
};

/**
 * A kind of work with its own look, chosen by the folder of a session.
 */
export type ServiceModeDef = {
  id: string;
  label: string;
  icon?: string;
  /** Absolute on the wire. */
  workspace: string;
  serviceId?: string;
  ui?: ServiceModeUi;
};

export type ServiceModeUi = {
  preset?: string;
  chrome?: ModeChrome;
  toolRendering?: ToolRendering;
  vocabulary?: ModeVocabulary;
  accent?: string;
  composerPlaceholder?: string;
  home?: ModeHome;
  artifacts?: ModeArtifacts;
  scheduled?: boolean;
};

/**
 * A service's page inside the web UI, reached through a tunnel.
 */
export type ServicePanelInfo = {
  serviceId: string;
  port: number;
  label: string;
  /** Name of a Lucide icon. */
  icon: string;
  panelParams?: { [key in string]: string };
  /** Modes it belongs to; absent or empty: all sessions. */
  modes?: Array<string>;
  placement?: PanelPlacement;
  defaultOpen?: boolean;
  launcher?: PanelLauncher;
};

export type ServiceRemovals = {
  serviceIds: Array<string>;
  /** Service ids. */
  panels: Array<string>;
  /** Types. */
  triggerDefs: Array<string>;
  /** Types. */
  sigilDefs: Array<string>;
  /** Ids. */
  sessionModes?: Array<string>;
};

/**
 * How a word with a special meaning is shown and looked up.
 */
export type ServiceSigilDef = {
  type: string;
  label: string;
  serviceId?: string;
  description?: string;
  icon?: string;
  /** Path with `{id}`. */
  resolve?: string;
  resolvePort?: number;
  schema?: unknown;
  aliases?: Array<string>;
  variants?: Array<SigilVariant>;
};

/**
 * Something a service can tell sessions about.
 */
export type ServiceTriggerDef = {
  /** `service:event`. */
  type: string;
  label: string;
  description?: string;
  /** JSON Schema of the payload; its properties are what can be filtered by. */
  schema?: unknown;
  params?: Array<ServiceTriggerParamDef>;
  modes?: Array<string>;
};

/**
 * What a service wants to know of a subscriber. Never used to filter.
 */
export type ServiceTriggerParamDef = {
  name: string;
  label: string;
  type: TriggerParamKind;
  description?: string;
  required?: boolean;
  default?: unknown;
  enum?: Array<unknown>;
  /** Needs `enum`; the value is an array then. */
  multiselect?: boolean;
};

export type ServiceUpdates = {
  panels: Array<ServicePanelInfo>;
  triggerDefs: Array<ServiceTriggerDef>;
  sigilDefs: Array<ServiceSigilDef>;
  sessionModes?: Array<ServiceModeDef>;
};

export type SessionActive = {
  state: SessionState;
  /** Copied from the relay's `connected`, so that it can tell an asked-for copy from a real change. */
  recoveryNonce?: string;
  /** Set by the relay: meta data in this snapshot is not authoritative. */
  _metaViaHub?: boolean;
  /** Set by the relay: pictures were replaced by links. */
  _imagesStripped?: boolean;
};

export type SessionAnalysis = {
  sessionId: string;
  activeModel: AnalysisModel | null;
  modelsUsed: Array<ModelShare>;
  blocks: Array<AnalysisBlock>;
  compactions: Array<CompactionRecord>;
  summary: AnalysisSummary;
};

/**
 * `GET /api/auth/get-session`; the whole answer is `null` without a session.
 */
export type SessionAnswer = {
  session: AuthSession;
  user: AuthUser;
};

/**
 * What a child tells its parent when it is done.
 */
export type SessionCompletePayload = {
  /** At most [`SUMMARY_MAX_CHARS`](crate::limits::SUMMARY_MAX_CHARS). */
  summary: string;
  /** 0 completed, 1 error, 130 killed. */
  exitCode: number;
  exitReason: ExitReason;
  fullOutputPath?: string;
};

/**
 * `GET /api/sessions/:id`.
 */
export type SessionDetail = {
  live: SessionInfo | null;
  persisted: PersistedSession | null;
  presence: SessionPresence;
  lights?: Lights;
};

export type SessionEnd = {
  sessionId?: SessionId;
  token: string;
  reason?: string;
};

export type SessionEnded = {
  sessionId: SessionId;
  /** The daemon acts on the exact words, see [`reasons`]. */
  reason?: string;
  sessionFile?: string;
};

export type SessionError = {
  sessionId: SessionId;
  message: string;
};

/**
 * One conversation of an agent. A UUID by convention; any non-empty string is accepted.
 */
export type SessionId = string;

/**
 * A session in a list.
 */
export type SessionInfo = {
  sessionId: SessionId;
  shareUrl: string;
  /** May be empty. */
  cwd: string;
  /** The first registration; kept over later ones. */
  startedAt: string;
  viewerCount?: number;
  userId?: UserId;
  userName?: string;
  /** Trimmed, never empty. */
  sessionName: string | null;
  isEphemeral: boolean;
  /** `null` when the session does not expire. */
  expiresAt?: string | null;
  /** Is the agent working? Not: is it connected. */
  isActive: boolean;
  /** By the relay's clock. */
  lastHeartbeatAt: string | null;
  model: ModelInfo | null;
  runnerId: RunnerId | null;
  runnerName: string | null;
  parentSessionId?: SessionId | null;
  /** Only in lists fetched over HTTP. */
  isPinned?: boolean;
  presence?: SessionPresence;
  lights?: Lights;
  /** How many decisions of it wait for a person. */
  openDecisions?: number;
  /** When a person last said something to it. Lists are ordered by this. */
  lastInputAt?: string;
};

export type SessionInputAnswer = {
  ok: boolean;
  commandId: CommandId;
  state: CommandState;
};

/**
 * `POST /api/sessions/:id/input`.
 */
export type SessionInputRequest = {
  text?: string;
  deliverAs?: DeliverAs;
  commandId?: CommandId;
};

/**
 * `GET /api/sessions`.
 */
export type SessionList = {
  sessions: Array<SessionInfo>;
  persistedSessions: Array<PersistedSession>;
  nextCursor: string | null;
};

export type SessionMessage = {
  fromSessionId: SessionId;
  message: string;
  ts: string;
};

export type SessionMessageError = {
  targetSessionId: SessionId;
  error: string;
  triggerId?: TriggerId;
};

export type SessionMessagesChunk = {
  snapshotId: string;
  /** From 0. */
  chunkIndex: number;
  totalChunks: number;
  totalMessages: number;
  messages: Array<Message>;
  final: boolean;
};

export type SessionMessagesPage = {
  sessionId: SessionId;
  messages: Array<unknown>;
  hasMore: boolean;
  oldestIndex: number;
  generation?: Generation;
};

/**
 * Everything about a session that is not in its transcript.
 */
export type SessionMetaState = {
  todoList: Array<MetaTodoItem>;
  /** A question that waits for an answer. */
  pendingQuestion: MetaPendingQuestion | null;
  /** A plan that waits for a review. */
  pendingPlan: MetaPendingPlan | null;
  planModeEnabled: boolean;
  isCompacting: boolean;
  retryState: MetaRetryState | null;
  /** Plugins that wait to be trusted. */
  pendingPluginTrust: MetaPluginTrustPrompt | null;
  /** A tool call that waits for permission. */
  pendingApproval: MetaPendingApproval | null;
  mcpStartupReport: MetaMcpReport & { [key: string]: unknown } | null;
  tokenUsage: MetaTokenUsage | null;
  /** Per provider: windows, utilisation and reset times, in the provider's own shape. */
  providerUsage: { [key: string]: unknown } | null;
  thinkingLevel: string | null;
  /** Where the credential of the current model came from. */
  authSource: string | null;
  model: Model | null;
  goal: MetaGoalStatus | null;
  /** Grows by one with every change. */
  version: number;
};

/**
 * Members that are absent did not change.
 */
export type SessionMetadata = {
  model?: Model | null;
  thinkingLevel?: string | null;
  sessionName?: string | null;
  sessionFile?: string;
  availableModels?: Array<Model>;
  availableCommands?: Array<CommandInfo>;
  todoList?: Array<MetaTodoItem>;
  analysis?: unknown | null;
  goal?: MetaGoalStatus | null;
  queuedMessages?: Array<string>;
};

export type SessionMetadataUpdate = {
  metadata: SessionMetadata;
};

export type SessionNameResult = {
  sessionName: string | null;
};

/**
 * Is the process of a session there?
 */
export type SessionPresence = "starting" | "online" | "reconnecting" | "offline";

export type SessionRef = {
  sessionId: SessionId;
};

export type SessionRemoved = {
  sessionId: SessionId;
  revision?: Revision;
};

/**
 * The life of a spawn, pushed to the hub.
 */
export type SessionSpawn = {
  /** Also the id the session will have. */
  spawnId: SessionId;
  sessionId: SessionId;
  runnerId: RunnerId | null;
  state: SpawnState;
  message?: string;
  at: number;
  revision?: Revision;
};

export type SessionStarted = {
  model: Model;
};

/**
 * All of a session's state.
 */
export type SessionState = {
  /** The transcript as the model sees it. Empty in the header of a chunked snapshot. */
  messages: Array<Message>;
  model: Model | null;
  thinkingLevel: string | null;
  sessionName: string | null;
  cwd: string;
  availableModels: Array<Model>;
  availableCommands: Array<CommandInfo>;
  todoList: Array<MetaTodoItem>;
  analysis: unknown | null;
  goal: MetaGoalStatus | null;
  /** Texts that wait for the current run to end. Absent: there are none. */
  queuedMessages?: Array<string>;
  /** This is the header of a chunked snapshot. */
  chunked?: boolean;
  snapshotId?: string;
  /** With `chunked`, and when the relay sends only the tail. */
  totalMessages?: number;
  /** Set by the relay: there are messages before the first of these. */
  hasMore?: boolean;
  oldestLoadedIndex?: number;
  /** Where the transcript lies on the session's machine. */
  sessionFile?: string;
};

export type SessionStatus = {
  sessionId: SessionId;
  isActive: boolean;
  lastHeartbeatAt: string | null;
  sessionName: string | null;
  model?: ModelInfo | null;
  runnerId?: RunnerId;
  runnerName?: string | null;
  presence?: SessionPresence;
  lights?: Lights;
  viewerCount?: number;
  openDecisions?: number;
  lastInputAt?: string;
  revision?: Revision;
};

export type SessionSummary = {
  id: string;
  path: string;
  cwd: string | null;
  name: string | null;
  modified: string;
  firstMessage: string;
};

export type SessionTrigger = {
  trigger: Trigger;
};

export type Sessions = {
  /** Entries that cannot be read are left out. */
  sessions: Array<SessionInfo>;
  revision?: Revision;
};

export type SessionsList = {
  sessions: Array<SessionId>;
};

export type SetModeArgs = {
  mode?: string;
};

export type SetModelAnswer = {
  ok: boolean;
  provider: string;
  modelId: string;
  /** What the session itself said, when it did in time. */
  state?: CommandState;
};

export type SetModelArgs = {
  provider: string;
  modelId: string;
};

export type SetModelRequest = {
  provider?: string;
  modelId?: string;
};

export type SetNameArgs = {
  name: string;
};

export type SetPlanModeArgs = {
  /** Absent: the other way round. */
  enabled?: boolean;
};

export type SetQueueArgs = {
  /** Absent: the command is refused. */
  messages?: Array<string>;
};

export type SetThinkingAnswer = {
  ok: boolean;
  level: string;
};

export type SetThinkingArgs = {
  level: string;
};

export type SetThinkingRequest = {
  level?: string;
};

/**
 * `settings_get_config`.
 */
export type SettingsConfig = {
  /** Secrets are masked. */
  config: unknown;
  tuiSettings: unknown;
  agentsMd: string;
};

/**
 * `settings_update_section`.
 */
export type SettingsSaved = {
  saved: boolean;
  message: string;
  config?: unknown;
  /** Running sessions keep the old values until their MCP servers are loaded again. */
  reloadHint?: boolean;
};

/**
 * Sections of the settings that can be written from afar.
 */
export type SettingsSection = "models" | "mcpServers" | "mcp" | "hooks" | "sandbox" | "webSearch" | "providerOverrides" | "toolSearch" | "security" | "envVars" | "systemPrompt" | "tuiPreferences" | "agentsMd" | "goal";

export type SettingsSectionRequest = {
  section?: string;
  value?: unknown | null;
};

export type SettingsUpdateSection = {
  requestId: RequestId;
  section: string;
  value: unknown;
};

export type SetupClaim = {
  token: string;
  expiresAt: string;
};

/**
 * `GET /api/setup-claim-info/:token`.
 */
export type SetupClaimInfo = {
  status: ClaimStatus;
  label?: string;
};

/**
 * `GET /api/setup-claim/:token`.
 */
export type SetupClaimPoll = {
  status: ClaimStatus;
  relayUrl: string;
  /** Exactly once. */
  apiKey?: string;
  label?: string;
};

/**
 * `POST /api/setup-claim`.
 */
export type SetupClaimRequest = {
  relayUrl?: string;
  label?: string;
};

/**
 * A command that was moved to the background.
 */
export type ShellEntry = {
  pid: number;
  command: string;
  title: string;
  logPath: string;
  startedAt: unknown;
  exitCode?: number;
  signal?: string;
  endedAt?: unknown;
  running: boolean;
};

export type SigilDefs = {
  sigilDefs: Array<ServiceSigilDef>;
};

export type SigilVariant = {
  name: string;
  description: string;
};

/**
 * `POST /api/auth/sign-in/email`.
 */
export type SignInRequest = {
  email?: string;
  password?: string;
  /** Absent: yes. */
  rememberMe?: boolean;
};

export type SignOutAnswer = {
  success: boolean;
};

/**
 * `POST /api/auth/sign-up/email`.
 */
export type SignUpRequest = {
  name?: string;
  email?: string;
  password?: string;
  rememberMe?: boolean;
};

export type SignedIn = {
  redirect: boolean;
  token: string;
  user: AuthUser;
};

export type SignedToken = {
  token: string;
  expiresAt: string;
};

export type SignedUp = {
  token: string;
  user: AuthUser;
};

/**
 * `GET /api/signup-status`.
 */
export type SignupStatus = {
  signupEnabled: boolean;
  /** There is no account yet: whoever comes is the first. */
  firstAccount?: boolean;
};

export type SkillResult = {
  requestId?: RequestId;
  ok: boolean;
  message?: string;
  skills?: Array<RunnerSkill>;
  content?: string;
  name?: string;
};

export type SkillsList = {
  skills: Array<RunnerSkill>;
  requestId?: RequestId;
};

export type SpawnAgent = {
  name: string;
  /** Absent: read from the agent's file. */
  systemPrompt?: string;
  tools?: string;
  disallowedTools?: string;
};

/**
 * `POST /api/runners/spawn`.
 */
export type SpawnRequest = {
  runnerId?: RunnerId;
  cwd?: string;
  prompt?: string;
  imageUrls?: Array<string>;
  model?: ModelInfo;
  agent?: SpawnAgent;
  parentSessionId?: SessionId;
  resumePath?: string;
  resumeId?: SessionId;
  /** `registered`: answer when the session can be used. */
  wait?: string;
  autoClose?: boolean;
};

export type SpawnResponse = {
  ok: boolean;
  runnerId: RunnerId;
  sessionId: SessionId;
  /** Nothing was heard in time; it may still come. */
  pending: boolean;
};

export type SpawnState = "requested" | "accepted" | "registered" | "failed" | "timed_out";

/**
 * `GET /api/spawns/:sessionId`.
 */
export type SpawnStatus = {
  spawnId: SessionId;
  sessionId: SessionId;
  runnerId: RunnerId | null;
  state: SpawnState;
  message?: string;
  at: number;
};

/**
 * The whole meta state of a session. Accepted when its version is not below the last one seen.
 */
export type StateSnapshot = {
  sessionId: SessionId;
  state: SessionMetaState;
};

export type StatusAnswer = {
  status: boolean;
};

/**
 * Why the model stopped.
 */
export type StopReason = "pending" | "stop" | "length" | "toolUse" | "error" | "aborted" | "deferred";

export type StreamBlock = {
  /** Which block of the message. */
  contentIndex: number;
  /** The whole message so far. May be left out: the event's `message` says the same. */
  partial?: Message;
};

export type StreamDelta = {
  contentIndex: number;
  delta: string;
  partial?: Message;
};

export type StreamDone = {
  reason: string;
  message?: Message;
};

export type StreamError = {
  reason: string;
  error?: Message;
};

export type StreamStart = {
  partial?: Message;
};

export type StreamText = {
  contentIndex: number;
  content: string;
  partial?: Message;
};

export type StreamToolCall = {
  contentIndex: number;
  toolCall: ContentBlock;
  partial?: Message;
};

export type SubagentModel = {
  model?: string | null;
};

export type SubagentModelUpdate = {
  /** `provider/id`; `null` is automatic. */
  model: string | null;
};

export type SubscribeAnswer = {
  ok: boolean;
  subscriptionId?: string;
  triggerType: string;
  runnerId: RunnerId;
  params?: { [key: string]: unknown };
  filters?: Array<TriggerFilter>;
  filterMode?: FilterMode;
};

export type SubscribeRequest = {
  triggerType?: string;
  params?: { [key: string]: unknown };
  filters?: Array<TriggerFilter>;
  filterMode?: FilterMode;
};

export type SubscriptionAction = "subscribe" | "update" | "unsubscribe";

export type SwitchSession = {
  sessionId: SessionId;
  generation?: Generation;
  lastSeq?: Seq;
  /** What the viewer holds of that session, epoch and all. */
  have?: Position;
};

/**
 * `/terminal`.
 */
export type TerminalAuth = {
  terminalId?: TerminalId;
  protocolVersion?: ClaimedVersion;
  clientVersion?: string;
  apiKey?: string;
};

export type TerminalData = {
  terminalId: TerminalId;
  /** Base64 of raw bytes; may cut a character in two. */
  data: string;
  /** Bytes of output before these, since the terminal started. */
  offset?: number;
  /** From the scroll-back, not from now. */
  replay?: boolean;
};

export type TerminalError = {
  /** May be empty. */
  terminalId: TerminalId;
  message: string;
};

export type TerminalExit = {
  terminalId: TerminalId;
  /** -1: killed, or the runner is lost. */
  exitCode: number;
};

export type TerminalFlow = {
  terminalId: TerminalId;
  paused: boolean;
};

/**
 * A pseudo-terminal on a runner.
 */
export type TerminalId = string;

export type TerminalInput = {
  terminalId: TerminalId;
  /** Base64. */
  data: string;
};

export type TerminalRef = {
  terminalId: TerminalId;
};

export type TerminalResize = {
  terminalId: TerminalId;
  cols: number;
  rows: number;
};

export type TerminalSummaries = {
  terminals: Array<TerminalSummary>;
};

export type TerminalSummary = {
  terminalId: TerminalId;
  runnerId: RunnerId;
  cwd: string | null;
  spawned: boolean;
  exited: boolean;
  viewers: number;
};

export type TerminalsList = {
  terminals: Array<TerminalId>;
};

export type TextBlock = {
  text: string;
  textSignature?: string;
  /** A search the provider ran by itself; `text` is empty then. */
  _serverToolUse?: unknown;
  /** What that search found. */
  _webSearchResult?: unknown;
};

export type TextResult = {
  text: string | null;
};

export type ThinkingBlock = {
  thinking: string;
  /** The provider's proof that the thinking is its own; sent back unchanged. */
  thinkingSignature?: string;
  redacted?: boolean;
  /** Added by the relay. Units: seconds, rounded up. */
  durationSeconds?: number;
};

/**
 * How long a model may think before it answers, from not at all to as long as it likes.
 */
export type ThinkingLevel = "off" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

export type ThinkingLevelChanged = {
  level: string | null;
};

export type ThinkingResult = {
  /** The level that really applies now. */
  thinkingLevel: string;
};

export type TodoStatus = "pending" | "in_progress" | "done" | "cancelled";

export type TodoUpdate = {
  todos: Array<MetaTodoItem>;
  ts: number;
};

export type TodoUpdated = {
  todoList: Array<MetaTodoItem>;
};

export type TokenUsageUpdated = {
  tokenUsage: MetaTokenUsage | null;
  providerUsage: { [key: string]: unknown } | null;
};

export type ToolCallBlock = {
  id: string;
  name: string;
  /** An object; its shape is the tool's own. */
  arguments: unknown;
  thoughtSignature?: string;
  namespace?: string;
};

export type ToolCallRef = {
  toolCallId: string;
};

export type ToolExecutionEnd = {
  toolCallId: string;
  toolName: string;
  /** `{content, details?}`. */
  result: unknown;
  isError: boolean;
};

export type ToolExecutionStart = {
  toolCallId: string;
  toolName: string;
  args: unknown;
};

export type ToolExecutionUpdate = {
  toolCallId: string;
  toolName: string;
  args: unknown;
  /** Everything so far: `{content, details?}`. */
  partialResult: unknown;
};

/**
 * How much of a tool call is shown.
 */
export type ToolRendering = "detailed" | "activity";

export type ToolResultMessage = {
  id?: string;
  toolCallId: string;
  toolName: string;
  /** What the model reads. */
  content: Array<ContentBlock>;
  /** What a user interface reads. */
  details?: unknown;
  usage?: Usage;
  addedToolNames?: Array<string>;
  isError: boolean;
  timestamp: number;
};

/**
 * One happening on its way to a session.
 */
export type Trigger = {
  /** `ask_user_question`, `plan_review`, `session_complete`, `session_error`, `escalate`, or `service:name`. */
  type: string;
  /** Overwritten by the relay; `external:{source}` for triggers from outside. */
  sourceSessionId: SessionId;
  sourceSessionName?: string;
  targetSessionId: SessionId;
  payload: unknown;
  deliverAs: DeliverAs;
  expectsResponse: boolean;
  triggerId: TriggerId;
  timeoutMs?: number;
  ts: string;
};

export type TriggerDefs = {
  triggerDefs: Array<ServiceTriggerDef>;
};

/**
 * Names a trigger, or says that the history was cleared.
 */
export type TriggerDelivered = {
  triggerId?: TriggerId;
  cleared?: boolean;
};

export type TriggerDirection = "inbound" | "outbound";

export type TriggerError = {
  message: string;
  triggerId: TriggerId;
};

/**
 * Narrows which happenings reach a subscriber.
 */
export type TriggerFilter = {
  /** A property of the payload. */
  field: string;
  /** A scalar, or a list of which any may match. */
  value: string | number | boolean | Array<string | number | boolean>;
  op?: FilterOp;
};

export type TriggerHistory = {
  triggers: Array<TriggerHistoryEntry>;
};

/**
 * One line of a session's trigger history.
 */
export type TriggerHistoryEntry = {
  triggerId: TriggerId;
  type: string;
  source: string;
  summary?: string;
  payload: unknown;
  deliverAs: DeliverAs;
  ts: string;
  direction: TriggerDirection;
  response?: TriggerHistoryResponse;
  state?: TriggerState;
};

export type TriggerHistoryResponse = {
  action?: string;
  text?: string;
  ts: string;
};

/**
 * One delivery of a trigger; receivers drop repeated ones.
 */
export type TriggerId = string;

/**
 * Starts a session whenever something happens on a runner.
 */
export type TriggerListener = {
  listenerId: string;
  triggerType: string;
  prompt?: string;
  cwd?: string;
  model?: ModelInfo;
  params?: { [key: string]: unknown };
  autoClose?: boolean;
  createdAt: string;
};

export type TriggerListeners = {
  listeners: Array<TriggerListener>;
};

export type TriggerParamKind = "string" | "number" | "boolean" | "json";

export type TriggerResponse = {
  triggerId: TriggerId;
  response: string;
  action?: string;
  targetSessionId?: SessionId;
};

export type TriggerState = "pending" | "inflight" | "delivered" | "failed" | "expired";

export type TriggerStatusUpdate = {
  triggerId: TriggerId;
  sourceSessionId: SessionId;
  statusText: string;
  ts: string;
};

/**
 * One subscription over HTTP.
 */
export type TriggerSubscription = {
  subscriptionId: string;
  triggerType: string;
  runnerId: RunnerId;
  params?: { [key: string]: unknown };
  filters?: Array<TriggerFilter>;
  filterMode?: FilterMode;
};

export type TriggerSubscriptionDelta = {
  revision: number;
  action: SubscriptionAction;
  subscription: TriggerSubscriptionEntry;
};

/**
 * One subscription as a runner's services see it.
 */
export type TriggerSubscriptionEntry = {
  subscriptionId: string;
  /** `runner-listener:{listenerId}` for listeners of the runner itself. */
  sessionId: SessionId;
  triggerType: string;
  runnerId: RunnerId;
  params?: { [key: string]: unknown };
  filters?: Array<TriggerFilter>;
  filterMode?: FilterMode;
};

export type TriggerSubscriptions = {
  subscriptions: Array<TriggerSubscription>;
};

export type TriggerSubscriptionsApplied = {
  revision: number;
  applied: number;
  errors?: Array<string>;
};

export type TriggerSubscriptionsChanged = {
  triggerType: string;
  action: SubscriptionAction;
};

export type TriggerSubscriptionsSnapshot = {
  /** Taken before the subscriptions were read, so that later deltas are newer. */
  revision: number;
  subscriptions: Array<TriggerSubscriptionEntry>;
  /** The full truth: applied whatever came before. */
  isReconnect?: boolean;
};

export type TrustResult = {
  trusted: boolean;
};

export type TunnelInfo = {
  port: number;
  name?: string;
  /** A path such as `/tunnel/3000`; the reachable address is built by the client. */
  url: string;
  /** Made by the daemon itself; lists hide it. */
  pinned?: boolean;
};

/**
 * Service `tunnel`: `tunnel_list_result`.
 */
export type TunnelList = {
  tunnels: Array<TunnelInfo>;
};

export type TunnelToken = {
  token: string;
  expiresAt: string;
  url: string;
  hostUrl?: string;
};

export type TunnelTokenRequest = {
  sessionId?: SessionId;
  runnerId?: RunnerId;
  port?: number;
};

export type TurnEnd = {
  turnIndex: number;
  message: Message;
  toolResults: Array<Message>;
};

export type TurnStart = {
  turnIndex: number;
  timestamp: number;
};

export type UiNotify = {
  /** May contain ANSI colours. */
  message: string;
  notifyType?: NotifyType;
};

export type UnsubscribeAnswer = {
  ok: boolean;
  subscriptionId?: string;
  triggerType: string;
  removed: number;
};

export type UpdateApiKeyRequest = {
  keyId?: string;
  name?: string;
  enabled?: boolean;
};

export type UpdateUserRequest = {
  name?: string;
  image?: string | null;
};

export type UploadedAttachment = {
  attachmentId: string;
  filename: string;
  mimeType: string;
  size: number;
  expiresAt: string;
};

export type UploadedAttachments = {
  attachments: Array<UploadedAttachment>;
};

/**
 * Tokens of one answer and their price.
 */
export type Usage = {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  cacheWrite1h?: number;
  /** Part of `output` that was thinking. */
  reasoning?: number;
  totalTokens: number;
  cost: Cost;
};

export type UsageByModel = {
  provider: string;
  model: string;
  sessions: number;
  cost: number;
  inputTokens: number;
  outputTokens: number;
};

export type UsageByProject = {
  project: string;
  projectShort: string;
  sessions: number;
  cost: number;
  inputTokens: number;
  outputTokens: number;
};

export type UsageDay = {
  date: string;
  sessions: number;
  cost: number;
  costInput: number;
  costOutput: number;
  costCacheRead: number;
  costCacheWrite: number;
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
};

export type UsageRange = "7d" | "30d" | "90d" | "all";

/**
 * Use over a span of days, over all sessions of a machine.
 */
export type UsageReport = {
  generatedAt: unknown;
  dateRange: DateRange;
  totalDateRange: DateRange;
  summary: UsageSummary;
  daily: Array<UsageDay>;
  byModel: Array<UsageByModel>;
  byProject: Array<UsageByProject>;
  recentSessions: Array<UsageSession>;
};

export type UsageResult = {
  providerUsage: { [key: string]: unknown };
  refreshedAt: number;
};

export type UsageSession = {
  id: string;
  project: string;
  projectShort: string;
  sessionName: string | null;
  startedAt: string;
  endedAt: string | null;
  messageCount: number;
  totalCost: number | null;
  primaryModel: string;
};

export type UsageSummary = {
  totalSessions: number;
  totalCost: number;
  totalInputTokens: number;
  totalOutputTokens: number;
  totalCacheReadTokens: number;
  totalCacheWriteTokens: number;
  avgSessionCost: number;
  avgSessionTokens: number;
  avgSessionDurationMs: number | null;
  sessionsWithCost: number;
};

/**
 * An account.
 */
export type UserId = string;

export type UserMessage = {
  id?: string;
  /** The command it came from. */
  requestId?: CommandId;
  content: MessageContent;
  timestamp: number;
};

export type VapidKey = {
  publicKey: string;
};

export type VerifyPasswordRequest = {
  password?: string;
};

/**
 * `/viewer`.
 */
export type ViewerAuth = {
  protocolVersion?: ClaimedVersion;
  clientVersion?: string;
  /** Look at this session at once, as generation 0 or the one given. */
  sessionId?: SessionId;
  generation?: Generation;
  /** What the viewer holds of that session already. */
  have?: Position;
  /** The same for viewers that know no epochs. */
  after?: Seq;
  capabilities?: PeerCapabilities;
  /** A name for this browser, shown to other people next to what it did. */
  device?: string;
  apiKey?: string;
};

export type ViewerConnected = {
  sessionId: SessionId;
  /** Where the log stands before the content that follows. */
  lastSeq?: Seq;
  /** The session is not live: a snapshot follows, then the end. */
  replayOnly?: boolean;
  isActive?: boolean;
  lastHeartbeatAt?: string | null;
  sessionName?: string | null;
  /** `hub`: meta data comes from the hub, not from snapshots. */
  meta_source?: MetaSource;
  generation?: Generation;
  epoch?: Epoch;
  presence?: SessionPresence;
};

export type ViewerEvent = {
  /** An [`AgentEvent`](crate::agent_event::AgentEvent), as the session sent it. */
  event: unknown;
  /** Position in the log; absent for what is not logged. */
  seq?: Seq;
  /** Not happening now: content of a hydration. */
  replay?: boolean;
  /** Follows what the viewer has without a gap. */
  deltaReplay?: boolean;
  generation?: Generation;
  sessionId?: SessionId;
  epoch?: Epoch;
};

/**
 * A reply on its way to viewers.
 */
export type ViewerExecResult = {
  id: CommandId;
  ok: boolean;
  command: string;
  result?: unknown | null;
  error?: string;
  sessionId: SessionId;
};

export type ViewerInput = {
  text: string;
  attachments?: Array<Attachment>;
  client?: string;
  deliverAs?: DeliverAs;
  /** The command this becomes. */
  requestId?: CommandId;
  /** The session it was typed for; the relay refuses it for another. */
  sessionId?: SessionId;
  /** What the author had on screen. */
  composedAt?: Position;
  /** Worthless when not delivered by then. */
  deadline?: number;
};

export type ViewerModelSet = {
  provider: string;
  modelId: string;
  requestId?: CommandId;
  sessionId?: SessionId;
  composedAt?: Position;
};

export type ViewerTerminalInput = {
  terminalId?: TerminalId;
  /** Base64. */
  data: string;
};

export type ViewerTerminalRef = {
  terminalId?: TerminalId;
};

export type ViewerTerminalResize = {
  terminalId?: TerminalId;
  cols?: number;
  rows?: number;
};

export type ViewerTriggerResponse = {
  triggerId: TriggerId;
  response?: string;
  action?: string;
  targetSessionId?: SessionId;
  requestId?: CommandId;
};

export type ViewerVisibility = {
  /** Anything but `false` means visible. */
  visible?: boolean;
};

/**
 * Relay to session: how many people watch.
 */
export type Viewers = {
  count: number;
  visible?: number;
};

/**
 * A refusal that may turn into success: the session is being resumed.
 */
export type WakingBody = {
  error: string;
  waking?: boolean;
};

/**
 * A failure, with what a program and what a person need to know.
 */
export type WireError = {
  code: ErrorCode;
  message: string;
};

/**
 * Session to relay: no longer.
 */
export type WithdrawDecision = {
  token: string;
  decisionId: DecisionId;
  /** Set when a newer decision takes its place. */
  supersededBy?: DecisionId;
  reason?: string;
};

export type WriteContentRequest = {
  name?: string;
  content?: string;
};

export type WriteNamed = {
  requestId: RequestId;
  name: string;
  content: string;
};
