//! What users add: MCP servers, sub-agents, hooks, skills and templates.

use pizzapi_agent::{Accepted, Local, Outcome, Output};
use pizzapi_testkit::model::Reply;
use pretty_assertions::assert_eq;
use serde_json::json;

use crate::bench::{Bench, spoken, write};

/// An MCP server as a shell script: one tool that answers with its argument.
const SERVER: &str = r#"
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-03-26","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}}}\n' "$id" ;;
    *'"tools/list"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"echo","description":"says it again","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}},"annotations":{"readOnlyHint":true}},{"name":"act","description":"acts","inputSchema":{"type":"object"}}]}}\n' "$id" ;;
    *'"tools/call"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"heard you"}]}}\n' "$id" ;;
  esac
done
"#;

#[tokio::test]
async fn tools_of_an_mcp_server_are_offered_called_and_asked_for() {
    let bench = Bench::new().await;
    write(&bench.home(), "server.sh", SERVER);
    let config = json!({ "mcpServers": {
        "Echo": { "command": "sh", "args": [bench.home().join("server.sh")] },
        "gone": { "command": "/nonexistent/server" },
    }});
    write(&bench.home(), "config.json", &config.to_string());
    bench.model.push(Reply::tool("mcp__echo__echo", json!({ "text": "hi" })));
    bench.model.push(Reply::tool("mcp__echo__act", json!({}))).push(Reply::text("ok"));
    let mut session = bench.session().await;
    session.say("go").await;
    // The tool that only reads runs; the other waits for permission.
    session.until("a decision", |output| matches!(output, Output::Local(Local::DecisionRaised(_)))).await;
    assert_eq!(spoken(&session.agent.messages())[2], "toolResult: heard you");
    assert!(session.agent.offer_text(r#"{"action":"deny"}"#, None).await);
    session.settled().await;
    let status = session.agent.exec("mcp", &json!({})).await;
    let pizzapi_agent::ExecReply::Ok(Some(status)) = status else { panic!("a status") };
    assert_eq!(status["toolNames"], json!(["mcp__echo__echo", "mcp__echo__act"]));
    assert_eq!(status["errors"][0]["server"], "gone");
    let toggled = session.agent.exec("mcp_toggle_server", &json!({ "serverName": "Echo", "disabled": true })).await;
    let pizzapi_agent::ExecReply::Ok(Some(toggled)) = toggled else { panic!("a status") };
    assert_eq!((toggled["toolCount"].as_u64(), &toggled["config"]["disabledServers"]), (Some(0), &json!(["Echo"])));
    session.agent.shutdown().await;
}

#[tokio::test]
async fn a_sub_agent_works_beside_and_its_result_starts_a_turn() {
    let bench = Bench::new().await;
    write(&bench.cwd(), "secret.txt", "42");
    bench.model.push(Reply::tool("subagent", json!({ "task": "find the number" })));
    let mut session = bench.session().await;
    // Parent and child ask the same server; which of them is second is not decided, so both get the same answer.
    bench.model.push(Reply::text("one of us")).push(Reply::text("one of us")).push(Reply::text("thanks"));
    let (_, outcome) = session.run("delegate").await;
    assert_eq!(outcome, Outcome::Completed);
    let result = |messages: &[pizzapi_protocol::Message]| {
        messages.iter().any(|m| m.role() == "custom" && m.text().contains("one of us"))
    };
    while !result(&session.agent.messages()) {
        session.settled().await;
    }
    assert!(bench.bodies().iter().any(|body| body["system"].to_string().contains("You work for another agent")));
    let state = session.agent.snapshot();
    assert_eq!(state.subagents, 0);
    assert_eq!(state.usage.input, 4 * 120, "what the sub-agent used counts");
}

#[tokio::test]
async fn skills_templates_and_hooks_change_what_is_said() {
    let bench = Bench::new().await;
    std::fs::create_dir_all(bench.home().join("skills/pizza")).unwrap();
    std::fs::create_dir_all(bench.home().join("prompts")).unwrap();
    write(&bench.home(), "skills/pizza/SKILL.md", "---\nname: pizza\ndescription: how to bake\n---\nuse flour");
    write(&bench.home(), "prompts/greet.md", "Say hello to $1.");
    let hook = r#"read line; case "$line" in *forbidden*) echo "not that" >&2; exit 2;; esac"#;
    let config = json!({ "hooks": { "PreToolUse": [{ "matcher": "bash", "hooks": [{ "command": hook }] }] } });
    write(&bench.home(), "config.json", &config.to_string());
    bench.model.push(Reply::text("1")).push(Reply::text("2"));
    bench.model.push(Reply::tool("bash", json!({ "command": "echo forbidden", "title": "x" }))).push(Reply::text("3"));
    let mut session = bench.session().await;
    session.run("/greet Ana").await;
    session.run("/skill:pizza now").await;
    session.run("run it").await;
    let spoken = spoken(&session.agent.messages());
    assert_eq!(spoken[0], "user: Say hello to Ana.");
    assert!(spoken[2].contains("use flour") && spoken[2].ends_with("now"));
    assert_eq!(spoken[6], "toolResult: Blocked by a hook: not that");
    let system = bench.bodies()[0]["system"].to_string();
    assert!(system.contains("pizza") && system.contains("how to bake"));
    let names: Vec<String> = session.agent.commands().into_iter().map(|command| command.name).collect();
    assert!(names.contains(&"greet".to_owned()) && names.contains(&"skill:pizza".to_owned()));
    assert!(matches!(session.say("/name New name").await, Accepted::Command(_)));
    assert_eq!(session.agent.snapshot().session_name.as_deref(), Some("New name"));
}
