/** What the events of a session are to its transcript. */

/** Events that write into the transcript and must not overtake a snapshot that is being put together. */
export const WAITS_FOR_CHUNKS = new Set([
  "message_start",
  "message_update",
  "message_end",
  "turn_end",
  "tool_execution_start",
  "tool_execution_update",
  "tool_execution_end",
  "agent_start",
  "agent_end",
  "cli_error",
  "ui_notify",
  "model_select",
]);

/** Events without effect here on purpose: others show them. */
export const KNOWN_EVENTS = new Set([
  "heartbeat",
  "session_active",
  "session_metadata_update",
  "capabilities",
  "turn_start",
  "todo_update",
  "model_set_result",
  "plugin_trust_prompt",
  "plugin_trust_expired",
  "mcp_auth_required",
  "mcp_auth_paste_required",
  "mcp_auth_complete",
  "mcp_startup_report",
  "session_started",
  "exec_result",
]);
