// Written by `just types` from crates/protocol. Do not edit.

import type {
  AgentResult,
  AgentsList,
  AnalyzeSession,
  AnswerDecision,
  AnswerReply,
  AuthLoginRef,
  AuthLoginStart,
  AuthLoginSubmit,
  Behind,
  BrowseDirectory,
  CancelCommand,
  CleanupChildSession,
  CleanupReply,
  Command,
  CommandReceipt,
  CommandStatus,
  Commands,
  DataReply,
  Decision,
  DecisionEnded,
  Decisions,
  DelinkChildren,
  DelinkOwnParent,
  Disconnected,
  Empty,
  ErrorEvent,
  ErrorReply,
  EventAck,
  Exec,
  ExecResult,
  FileResult,
  GetUsage,
  HiddenModelsUpdate,
  HubMetaEvent,
  Hydrated,
  Hydrating,
  HydrationFailed,
  LinkedChildCount,
  ListFiles,
  ListPlugins,
  LoadMessages,
  McpOauthCallback,
  McpOauthPaste,
  ModelSet,
  ModelsList,
  Named,
  NewSession,
  NewTerminal,
  OkReply,
  Owned,
  PackageRequest,
  PackagesUpdate,
  ParentDelinked,
  PluginsList,
  Pong,
  Presence,
  Probe,
  ProbeReply,
  RaiseDecision,
  ReadFile,
  ReconfigureServices,
  Refresh,
  Register,
  RegisterRunner,
  Registered,
  RelayConnected,
  RelayEvent,
  RelayInput,
  Request,
  Resync,
  Revision,
  RunnerInfo,
  RunnerRegistered,
  RunnerRemoved,
  RunnerSessionEvent,
  RunnerWarning,
  Runners,
  SandboxUpdateConfig,
  SearchFiles,
  SendSessionMessage,
  SendTrigger,
  SendTriggerResponse,
  SendTriggerStatus,
  ServiceAnnounce,
  ServiceAnnounceDelta,
  ServiceEnvelope,
  SessionEnd,
  SessionEnded,
  SessionError,
  SessionInfo,
  SessionMessage,
  SessionMessageError,
  SessionMessagesPage,
  SessionRef,
  SessionRemoved,
  SessionSpawn,
  SessionStatus,
  SessionTrigger,
  Sessions,
  SessionsList,
  SettingsUpdateSection,
  SkillResult,
  SkillsList,
  StateSnapshot,
  SubagentModelUpdate,
  SwitchSession,
  TerminalData,
  TerminalError,
  TerminalExit,
  TerminalFlow,
  TerminalInput,
  TerminalRef,
  TerminalResize,
  TerminalsList,
  TriggerDelivered,
  TriggerError,
  TriggerResponse,
  TriggerStatusUpdate,
  TriggerSubscriptionDelta,
  TriggerSubscriptionsApplied,
  TriggerSubscriptionsChanged,
  TriggerSubscriptionsSnapshot,
  ViewerConnected,
  ViewerEvent,
  ViewerExecResult,
  ViewerInput,
  ViewerModelSet,
  ViewerTerminalInput,
  ViewerTerminalRef,
  ViewerTerminalResize,
  ViewerTriggerResponse,
  ViewerVisibility,
  Viewers,
  WithdrawDecision,
  WriteNamed,
} from "./types";

export interface RelayClientToServerEvents {
  /** Claim a session. Sent on every connect, before anything else; answered by `registered`. */
  register: (payload: Register) => void;
  /** Something happened in the session. With `seq`, the relay acknowledges it by `event_ack` once it is stored. */
  event: (payload: RelayEvent) => void;
  /** The session is over. */
  session_end: (payload: SessionEnd) => void;
  /** The reply to `exec`. */
  exec_result: (payload: ExecResult) => void;
  /** Words for another session of the same user. Success is silent. */
  session_message: (payload: SendSessionMessage) => void;
  /** A trigger for another session; acknowledged when it was delivered. */
  session_trigger: (payload: SendTrigger, ack: (answer: OkReply) => void) => void;
  /** A parent answers a trigger of its child. */
  trigger_response: (payload: SendTriggerResponse, ack: (answer: OkReply) => void) => void;
  /** A parent is done with a child that has completed: end it. */
  cleanup_child_session: (payload: CleanupChildSession, ack: (answer: CleanupReply) => void) => void;
  /** How many live sessions point at this parent? */
  get_linked_child_count: (payload: Owned, ack: (answer: LinkedChildCount) => void) => void;
  /** A parent starts a new conversation: let go of the children it had. */
  delink_children: (payload: DelinkChildren, ack: (answer: OkReply) => void) => void;
  /** A child starts a new conversation: let go of its parent. */
  delink_own_parent: (payload: DelinkOwnParent, ack: (answer: OkReply) => void) => void;
  /** How far a child has come with a trigger, for the parent's viewers. Never stored. */
  trigger_status_update: (payload: SendTriggerStatus) => void;
  /** For a service of the session's runner. */
  service_message: (payload: ServiceEnvelope) => void;
  /** This became of a command. */
  command_receipt: (payload: CommandReceipt) => void;
  /** A person is needed. */
  raise_decision: (payload: RaiseDecision, ack: (answer: OkReply) => void) => void;
  /** A person is no longer needed. */
  withdraw_decision: (payload: WithdrawDecision, ack: (answer: OkReply) => void) => void;
  /** Somebody at the session's own terminal answered; whether first, the acknowledgement tells. */
  answer_decision: (payload: AnswerDecision, ack: (answer: AnswerReply) => void) => void;
  /** The answer to `probe`. */
  probe_reply: (payload: ProbeReply) => void;
}

export const RELAY_CLIENT_TO_SERVER = [
  "register",
  "event",
  "session_end",
  "exec_result",
  "session_message",
  "session_trigger",
  "trigger_response",
  "cleanup_child_session",
  "get_linked_child_count",
  "delink_children",
  "delink_own_parent",
  "trigger_status_update",
  "service_message",
  "command_receipt",
  "raise_decision",
  "withdraw_decision",
  "answer_decision",
  "probe_reply",
] as const satisfies readonly (keyof RelayClientToServerEvents)[];

export interface RelayServerToClientEvents {
  /** The session is yours; every later message carries the token. */
  registered: (payload: Registered) => void;
  /** Everything up to `seq` of the client's own counter is stored. */
  event_ack: (payload: EventAck) => void;
  /** A viewer needs content: answer with `capabilities` and a `session_active` carrying the nonce. */
  connected: (payload: RelayConnected) => void;
  /** Words for the agent; acknowledged when it has them. */
  input: (payload: RelayInput, ack: (answer: boolean) => void) => void;
  /** Switch the model; the result is an event. */
  model_set: (payload: ModelSet) => void;
  /** Run a remote command; answered by `exec_result` with the same id. */
  exec: (payload: Exec & { [key: string]: unknown }) => void;
  /** The owner hides these models now. */
  hidden_models_update: (payload: HiddenModelsUpdate) => void;
  /** The owner's default model for sub-agents. */
  subagent_model_update: (payload: SubagentModelUpdate) => void;
  /** Words from another session. */
  session_message: (payload: SessionMessage) => void;
  /** An earlier `session_message` or `session_trigger` could not be delivered. */
  session_message_error: (payload: SessionMessageError) => void;
  /** Something happened elsewhere. Receivers drop repeated trigger ids. */
  session_trigger: (payload: SessionTrigger) => void;
  /** The answer to a trigger; with a target, one a human gave through the parent. */
  trigger_response: (payload: TriggerResponse) => void;
  /** The session outlived its time; a disconnect follows. */
  session_expired: (payload: SessionRef) => void;
  /** The parent let go: stop waiting for it, then acknowledge. */
  parent_delinked: (payload: ParentDelinked, ack: (answer: OkReply) => void) => void;
  /** For diagnostics. */
  error: (payload: ErrorEvent) => void;
  /** From a service of the session's runner. */
  service_message: (payload: ServiceEnvelope) => void;
  /** The browser came back from signing in to an MCP server. */
  mcp_oauth_callback: (payload: McpOauthCallback) => void;
  /** A user pasted the address the browser ended on. */
  mcp_oauth_paste: (payload: McpOauthPaste) => void;
  /** Do this. Only to sessions that announced `capabilities.commands`; others get the plain events. */
  command: (payload: Command) => void;
  /** The author of a command withdrew it; answer with `command_receipt`. */
  cancel_command: (payload: CancelCommand) => void;
  /** A decision of this session ended elsewhere. */
  decision_ended: (payload: DecisionEnded) => void;
  /** Are you there? Answered by `probe_reply`. */
  probe: (payload: Probe) => void;
  /** How many people watch. */
  viewers: (payload: Viewers) => void;
}

export const RELAY_SERVER_TO_CLIENT = [
  "registered",
  "event_ack",
  "connected",
  "input",
  "model_set",
  "exec",
  "hidden_models_update",
  "subagent_model_update",
  "session_message",
  "session_message_error",
  "session_trigger",
  "trigger_response",
  "session_expired",
  "parent_delinked",
  "error",
  "service_message",
  "mcp_oauth_callback",
  "mcp_oauth_paste",
  "command",
  "cancel_command",
  "decision_ended",
  "probe",
  "viewers",
] as const satisfies readonly (keyof RelayServerToClientEvents)[];

export interface ViewerClientToServerEvents {
  /** Answers every `connected` of the relay; never causes a snapshot after a hit. */
  connected: (payload: Empty) => void;
  /** Look at another session. The newest call wins. */
  switch_session: (payload: SwitchSession) => void;
  /** Something was missed: send what came after `lastSeq`, or everything. */
  resync: (payload: Resync) => void;
  /** Older messages; answered by `session_messages_page`. */
  load_messages: (payload: LoadMessages) => void;
  /** Words for the agent; acknowledged when it has them. */
  input: (payload: ViewerInput, ack: (answer: boolean) => void) => void;
  model_set: (payload: ViewerModelSet) => void;
  /** Run a remote command; answered by `exec_result`. */
  exec: (payload: Exec & { [key: string]: unknown }) => void;
  /** For a service of the session's runner. */
  service_message: (payload: ServiceEnvelope) => void;
  /** A person answers a trigger. Acknowledged only when it worked; `trigger_error` tells otherwise. */
  trigger_response: (payload: ViewerTriggerResponse, ack: (answer: null) => void) => void;
  /** The address the browser ended on after signing in. */
  mcp_oauth_paste: (payload: McpOauthPaste, ack: (answer: OkReply) => void) => void;
  /** Can a person see the page? */
  viewer_visibility: (payload: ViewerVisibility) => void;
  /** Withdraw a command that was not consumed yet; `command_status` tells what became of it. */
  cancel_command: (payload: CancelCommand) => void;
  /** A person's answer to a decision; the first one wins. */
  answer_decision: (payload: AnswerDecision, ack: (answer: AnswerReply) => void) => void;
  /** Is the relay there? Acknowledged by the loop that serves this viewer. */
  probe: (payload: Probe, ack: (answer: ProbeReply) => void) => void;
}

export const VIEWER_CLIENT_TO_SERVER = [
  "connected",
  "switch_session",
  "resync",
  "load_messages",
  "input",
  "model_set",
  "exec",
  "service_message",
  "trigger_response",
  "mcp_oauth_paste",
  "viewer_visibility",
  "cancel_command",
  "answer_decision",
  "probe",
] as const satisfies readonly (keyof ViewerClientToServerEvents)[];

export interface ViewerServerToClientEvents {
  /** The switch was accepted; content follows. */
  connected: (payload: ViewerConnected) => void;
  /** Something happened in the session, now or (`replay`) earlier. */
  event: (payload: ViewerEvent) => void;
  /** The session went away. */
  disconnected: (payload: Disconnected) => void;
  /** The reply to `exec`. */
  exec_result: (payload: ViewerExecResult) => void;
  /** The answer to `load_messages`. */
  session_messages_page: (payload: SessionMessagesPage) => void;
  /** From a service of the session's runner. */
  service_message: (payload: ServiceEnvelope) => void;
  /** What the services of the session's runner offer. */
  service_announce: (payload: ServiceAnnounce) => void;
  /** What changed in it. */
  service_announce_delta: (payload: ServiceAnnounceDelta) => void;
  error: (payload: ErrorEvent) => void;
  /** A `trigger_response` could not be delivered. */
  trigger_error: (payload: TriggerError) => void;
  /** The trigger history changed. */
  trigger_delivered: (payload: TriggerDelivered) => void;
  trigger_subscriptions_changed: (payload: TriggerSubscriptionsChanged) => void;
  /** How far a child has come with a trigger. */
  trigger_status_update: (payload: TriggerStatusUpdate) => void;
  /** A snapshot is on its way in pieces. */
  hydrating: (payload: Hydrating) => void;
  /** The attach is complete: exactly one of this and `hydration_failed` per generation. */
  hydrated: (payload: Hydrated) => void;
  hydration_failed: (payload: HydrationFailed) => void;
  /** The log goes further than what you have. */
  behind: (payload: Behind) => void;
  /** This became of a command. */
  command_status: (payload: CommandStatus) => void;
  /** All open commands of the session, on attach. */
  commands: (payload: Commands) => void;
  /** Is the session's process there, and who else? */
  presence: (payload: Presence) => void;
}

export const VIEWER_SERVER_TO_CLIENT = [
  "connected",
  "event",
  "disconnected",
  "exec_result",
  "session_messages_page",
  "service_message",
  "service_announce",
  "service_announce_delta",
  "error",
  "trigger_error",
  "trigger_delivered",
  "trigger_subscriptions_changed",
  "trigger_status_update",
  "hydrating",
  "hydrated",
  "hydration_failed",
  "behind",
  "command_status",
  "commands",
  "presence",
] as const satisfies readonly (keyof ViewerServerToClientEvents)[];

export interface HubClientToServerEvents {
  /** Follow the meta state of a session; answered by `state_snapshot`. */
  subscribe_session_meta: (payload: SessionRef) => void;
  unsubscribe_session_meta: (payload: SessionRef) => void;
  /** Send the lists again: something was missed. */
  refresh: (payload: Refresh) => void;
  /** A person's answer to a decision; the first one wins. */
  answer_decision: (payload: AnswerDecision, ack: (answer: AnswerReply) => void) => void;
}

export const HUB_CLIENT_TO_SERVER = [
  "subscribe_session_meta",
  "unsubscribe_session_meta",
  "refresh",
  "answer_decision",
] as const satisfies readonly (keyof HubClientToServerEvents)[];

export interface HubServerToClientEvents {
  /** The whole list: once after each connect, and on `refresh`. */
  sessions: (payload: Sessions) => void;
  session_added: (payload: SessionInfo & { revision?: Revision }) => void;
  session_removed: (payload: SessionRemoved) => void;
  /** Members that are absent did not change. */
  session_status: (payload: SessionStatus) => void;
  /** The whole meta state of a session. */
  state_snapshot: (payload: StateSnapshot) => void;
  /** One change of it. */
  meta_event: (payload: HubMetaEvent) => void;
  /** Everything that waits for the user, oldest first: after each connect, and on `refresh`. */
  decisions: (payload: Decisions) => void;
  decision_added: (payload: Decision & { revision?: Revision }) => void;
  decision_ended: (payload: DecisionEnded) => void;
  /** How starting a session goes. */
  session_spawn: (payload: SessionSpawn) => void;
}

export const HUB_SERVER_TO_CLIENT = [
  "sessions",
  "session_added",
  "session_removed",
  "session_status",
  "state_snapshot",
  "meta_event",
  "decisions",
  "decision_added",
  "decision_ended",
  "session_spawn",
] as const satisfies readonly (keyof HubServerToClientEvents)[];

export interface RunnerClientToServerEvents {
  /** Claim a runner id. Sent on every connect; answered by `runner_registered`. */
  register_runner: (payload: RegisterRunner) => void;
  skills_list: (payload: SkillsList) => void;
  agents_list: (payload: AgentsList) => void;
  plugins_list: (payload: PluginsList) => void;
  skill_result: (payload: SkillResult) => void;
  agent_result: (payload: AgentResult) => void;
  /** The reply to most requests; its members depend on the request. */
  file_result: (payload: FileResult & { [key: string]: unknown }) => void;
  models_list: (payload: ModelsList) => void;
  usage_data: (payload: DataReply) => void;
  usage_error: (payload: ErrorReply) => void;
  analyze_session_data: (payload: DataReply) => void;
  analyze_session_error: (payload: ErrorReply) => void;
  /** Something happened in a session that has no socket of its own. */
  runner_session_event: (payload: RunnerSessionEvent) => void;
  /** The process of a new session was started; it has not connected yet. */
  session_ready: (payload: SessionRef) => void;
  /** It could not be started. */
  session_error: (payload: SessionError) => void;
  session_killed: (payload: SessionRef) => void;
  /** End a session whose process this runner does not hold. */
  disconnect_session: (payload: SessionRef) => void;
  trigger_subscriptions_applied: (payload: TriggerSubscriptionsApplied) => void;
  /** From a service: to one session, or without `sessionId` to all of this runner. */
  service_message: (payload: ServiceEnvelope) => void;
  service_announce: (payload: ServiceAnnounce) => void;
  runner_warning: (payload: RunnerWarning) => void;
  runner_warning_clear: (payload: Empty) => void;
  terminal_ready: (payload: TerminalRef) => void;
  terminal_data: (payload: TerminalData) => void;
  terminal_exit: (payload: TerminalExit) => void;
  terminal_error: (payload: TerminalError) => void;
  sessions_list: (payload: SessionsList) => void;
  terminals_list: (payload: TerminalsList) => void;
  pong: (payload: Pong) => void;
  /** The answer to `probe`. */
  probe_reply: (payload: ProbeReply) => void;
}

export const RUNNER_CLIENT_TO_SERVER = [
  "register_runner",
  "skills_list",
  "agents_list",
  "plugins_list",
  "skill_result",
  "agent_result",
  "file_result",
  "models_list",
  "usage_data",
  "usage_error",
  "analyze_session_data",
  "analyze_session_error",
  "runner_session_event",
  "session_ready",
  "session_error",
  "session_killed",
  "disconnect_session",
  "trigger_subscriptions_applied",
  "service_message",
  "service_announce",
  "runner_warning",
  "runner_warning_clear",
  "terminal_ready",
  "terminal_data",
  "terminal_exit",
  "terminal_error",
  "sessions_list",
  "terminals_list",
  "pong",
  "probe_reply",
] as const satisfies readonly (keyof RunnerClientToServerEvents)[];

export interface RunnerServerToClientEvents {
  runner_registered: (payload: RunnerRegistered) => void;
  /** Start a session; answered by `session_ready` or `session_error`. */
  new_session: (payload: NewSession) => void;
  /** Stop a session's processes; answered by `session_killed`. */
  kill_session: (payload: SessionRef) => void;
  session_ended: (payload: SessionEnded) => void;
  /** Exit with code 42 and come back. */
  restart: (payload: Empty) => void;
  /** Exit and stay away. */
  shutdown: (payload: Empty) => void;
  list_sessions: (payload: Empty) => void;
  ping: (payload: Empty) => void;
  new_terminal: (payload: NewTerminal) => void;
  terminal_input: (payload: TerminalInput) => void;
  terminal_resize: (payload: TerminalResize) => void;
  kill_terminal: (payload: TerminalRef) => void;
  list_terminals: (payload: Empty) => void;
  list_skills: (payload: Request) => void;
  create_skill: (payload: WriteNamed) => void;
  update_skill: (payload: WriteNamed) => void;
  delete_skill: (payload: Named) => void;
  get_skill: (payload: Named) => void;
  list_agents: (payload: Request) => void;
  create_agent: (payload: WriteNamed) => void;
  update_agent: (payload: WriteNamed) => void;
  delete_agent: (payload: Named) => void;
  get_agent: (payload: Named) => void;
  list_plugins: (payload: ListPlugins) => void;
  list_files: (payload: ListFiles) => void;
  search_files: (payload: SearchFiles) => void;
  read_file: (payload: ReadFile) => void;
  /** The asker went away; no reply is wanted. */
  cancel_file_request: (payload: Request) => void;
  browse_directory: (payload: BrowseDirectory) => void;
  sandbox_get_status: (payload: Request) => void;
  sandbox_update_config: (payload: SandboxUpdateConfig) => void;
  list_models: (payload: Request) => void;
  get_usage: (payload: GetUsage) => void;
  analyze_session: (payload: AnalyzeSession) => void;
  settings_get_config: (payload: Request) => void;
  settings_update_section: (payload: SettingsUpdateSection) => void;
  packages_list: (payload: Request) => void;
  packages_install: (payload: PackageRequest) => void;
  packages_remove: (payload: PackageRequest) => void;
  packages_update: (payload: PackagesUpdate) => void;
  auth_list: (payload: Request) => void;
  auth_login_start: (payload: AuthLoginStart) => void;
  auth_login_submit: (payload: AuthLoginSubmit) => void;
  auth_login_status: (payload: AuthLoginRef) => void;
  auth_login_cancel: (payload: AuthLoginRef) => void;
  /** Everything sessions of this runner subscribed to. */
  trigger_subscriptions_snapshot: (payload: TriggerSubscriptionsSnapshot) => void;
  trigger_subscription_delta: (payload: TriggerSubscriptionDelta) => void;
  /** For a service of this runner. */
  service_message: (payload: ServiceEnvelope) => void;
  /** Start and stop services; answered by a new `service_announce`. */
  reconfigure_services: (payload: ReconfigureServices) => void;
  /** A disconnect follows. */
  error: (payload: ErrorEvent) => void;
  /** Are you there? Answered by `probe_reply`. */
  probe: (payload: Probe) => void;
  /** All viewers lag: stop reading a terminal, or go on. */
  terminal_flow: (payload: TerminalFlow) => void;
}

export const RUNNER_SERVER_TO_CLIENT = [
  "runner_registered",
  "new_session",
  "kill_session",
  "session_ended",
  "restart",
  "shutdown",
  "list_sessions",
  "ping",
  "new_terminal",
  "terminal_input",
  "terminal_resize",
  "kill_terminal",
  "list_terminals",
  "list_skills",
  "create_skill",
  "update_skill",
  "delete_skill",
  "get_skill",
  "list_agents",
  "create_agent",
  "update_agent",
  "delete_agent",
  "get_agent",
  "list_plugins",
  "list_files",
  "search_files",
  "read_file",
  "cancel_file_request",
  "browse_directory",
  "sandbox_get_status",
  "sandbox_update_config",
  "list_models",
  "get_usage",
  "analyze_session",
  "settings_get_config",
  "settings_update_section",
  "packages_list",
  "packages_install",
  "packages_remove",
  "packages_update",
  "auth_list",
  "auth_login_start",
  "auth_login_submit",
  "auth_login_status",
  "auth_login_cancel",
  "trigger_subscriptions_snapshot",
  "trigger_subscription_delta",
  "service_message",
  "reconfigure_services",
  "error",
  "probe",
  "terminal_flow",
] as const satisfies readonly (keyof RunnerServerToClientEvents)[];

export interface RunnersClientToServerEvents {
  /** Send the list again: something was missed. */
  refresh: (payload: Refresh) => void;
}

export const RUNNERS_CLIENT_TO_SERVER = [
  "refresh",
] as const satisfies readonly (keyof RunnersClientToServerEvents)[];

export interface RunnersServerToClientEvents {
  /** The whole list: once after each connect, and on `refresh`. */
  runners: (payload: Runners) => void;
  /** A runner registered; also when it was listed already. */
  runner_added: (payload: RunnerInfo & { revision?: Revision }) => void;
  runner_updated: (payload: RunnerInfo & { revision?: Revision }) => void;
  runner_removed: (payload: RunnerRemoved) => void;
}

export const RUNNERS_SERVER_TO_CLIENT = [
  "runners",
  "runner_added",
  "runner_updated",
  "runner_removed",
] as const satisfies readonly (keyof RunnersServerToClientEvents)[];

export interface TerminalClientToServerEvents {
  terminal_input: (payload: ViewerTerminalInput) => void;
  /** The first one starts the terminal. */
  terminal_resize: (payload: ViewerTerminalResize) => void;
  kill_terminal: (payload: ViewerTerminalRef) => void;
}

export const TERMINAL_CLIENT_TO_SERVER = [
  "terminal_input",
  "terminal_resize",
  "kill_terminal",
] as const satisfies readonly (keyof TerminalClientToServerEvents)[];

export interface TerminalServerToClientEvents {
  /** What was on the screen before has been sent. */
  terminal_connected: (payload: TerminalRef) => void;
  terminal_ready: (payload: TerminalRef) => void;
  terminal_data: (payload: TerminalData) => void;
  terminal_exit: (payload: TerminalExit) => void;
  terminal_error: (payload: TerminalError) => void;
}

export const TERMINAL_SERVER_TO_CLIENT = [
  "terminal_connected",
  "terminal_ready",
  "terminal_data",
  "terminal_exit",
  "terminal_error",
] as const satisfies readonly (keyof TerminalServerToClientEvents)[];
