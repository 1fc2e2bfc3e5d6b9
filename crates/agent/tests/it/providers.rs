//! Streams as providers really send them, word for word, and what becomes of them.

use pizzapi_agent::Output;
use pizzapi_protocol::{AgentEvent, AssistantMessage, ContentBlock, Message, StopReason};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bench::{Bench, Session};

/// Serves canned bodies, one per request, split at odd places.
async fn canned(bodies: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<Value>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for body in bodies {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            let length = loop {
                let n = socket.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&request).into_owned();
                if let Some((head, _)) = text.split_once("\r\n\r\n") {
                    let lower = head.to_lowercase();
                    let length =
                        lower.split("content-length: ").nth(1).and_then(|t| t.split("\r\n").next()?.parse().ok());
                    break head.len() + 4 + length.unwrap_or(0);
                }
            };
            while request.len() < length {
                let n = socket.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..n]);
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            requests.push(serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap());
            socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            // Seven bytes at a time cut lines, events and characters in two.
            for part in body.as_bytes().chunks(7) {
                socket.write_all(part).await.unwrap();
            }
            socket.shutdown().await.unwrap();
        }
        requests
    });
    (url, served)
}

async fn answer(api: &str, bodies: Vec<String>) -> (AssistantMessage, Session, tokio::task::JoinHandle<Vec<Value>>) {
    let bench = Bench::new().await;
    let (url, served) = canned(bodies).await;
    let base = if api == "anthropic-messages" { url } else { format!("{url}/v1") };
    let models = json!({ "providers": { "x": { "api": api, "baseUrl": base, "apiKey": "k",
        "models": [{ "id": "m", "reasoning": true, "contextWindow": 100_000, "cost": { "input": 1.0, "output": 1.0 } }] } } });
    std::fs::write(bench.home().join("models.json"), models.to_string()).unwrap();
    bench.settings(json!({ "retry": { "enabled": false } }));
    let mut config = bench.config();
    config.model = Some("x/m:medium".into());
    let mut session = Session::start(config).await;
    session.run("go").await;
    let first = session.agent.messages().into_iter().find_map(|message| match message {
        Message::Assistant(message) => Some(message),
        _ => None,
    });
    (first.expect("an answer"), session, served)
}

fn shape(message: &AssistantMessage) -> Vec<String> {
    message
        .content
        .iter()
        .map(|block| match block {
            ContentBlock::Text(text) => format!("text {}", text.text),
            ContentBlock::Thinking(t) => {
                format!("thinking {}{}", t.thinking, if t.redacted == Some(true) { " (redacted)" } else { "" })
            }
            ContentBlock::ToolCall(call) => format!("call {} {}", call.name, call.arguments.get()),
            _ => "?".into(),
        })
        .collect()
}

fn named(frames: &[Value]) -> String {
    frames.iter().map(|frame| format!("event: {}\ndata: {frame}\n\n", frame["type"].as_str().unwrap())).collect()
}

fn bare(frames: &[Value]) -> String {
    frames.iter().map(|frame| format!("data: {frame}\n\n")).collect::<String>() + "data: [DONE]\n\n"
}

fn anthropic_end(reason: &str) -> Vec<Value> {
    vec![
        json!({"type":"message_delta","delta":{"stop_reason":reason,"stop_sequence":null},"usage":{"output_tokens":30}}),
        json!({"type":"message_stop"}),
    ]
}

fn anthropic_start() -> Value {
    json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-2026","content":[],
        "usage":{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":100,"output_tokens":1}}})
}

#[tokio::test]
async fn anthropic_keeps_signed_redacted_and_interleaved_thinking_in_order() {
    let mut frames = vec![
        anthropic_start(),
        json!({"type":"ping"}),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Überlegen "}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"🍕"}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"nature"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"secret=="}}),
        json!({"type":"content_block_stop","index":1}),
        json!({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}}),
        json!({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}),
        json!({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"path\""}}),
        json!({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":": \".\"}"}}),
        json!({"type":"content_block_stop","index":2}),
        json!({"type":"content_block_start","index":3,"content_block":{"type":"thinking","thinking":"","signature":""}}),
        json!({"type":"content_block_delta","index":3,"delta":{"type":"thinking_delta","thinking":"between"}}),
        json!({"type":"content_block_delta","index":3,"delta":{"type":"signature_delta","signature":"two"}}),
        json!({"type":"content_block_stop","index":3}),
        json!({"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_2","name":"get_current_time","input":{}}}),
        json!({"type":"content_block_stop","index":4}),
        json!({"type":"future_frame","x":1}),
    ];
    frames.extend(anthropic_end("tool_use"));
    let mut second = vec![
        anthropic_start(),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"fertig"}}),
        json!({"type":"content_block_stop","index":0}),
    ];
    second.extend(anthropic_end("end_turn"));
    let (message, session, served) = answer("anthropic-messages", vec![named(&frames), named(&second)]).await;
    assert_eq!(
        shape(&message),
        [
            "thinking Überlegen 🍕",
            "thinking  (redacted)",
            "call ls {\"path\":\".\"}",
            "thinking between",
            "call get_current_time {}"
        ]
    );
    assert_eq!(
        (message.usage.input, message.usage.cache_read, message.usage.cache_write, message.usage.output),
        (10, 100, 5, 30)
    );
    assert_eq!((message.stop_reason, message.response_model.as_deref()), (StopReason::ToolUse, Some("m-2026")));
    assert_eq!(session.agent.last_assistant_text().as_deref(), Some("fertig"));
    let requests = served.await.unwrap();
    let sent = &requests[1]["messages"];
    let kinds: Vec<&str> = sent[1]["content"].as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "redacted_thinking", "tool_use", "thinking", "tool_use"]);
    assert_eq!(sent[1]["content"][0]["signature"], "signature");
    assert_eq!(sent[1]["content"][1]["data"], "secret==");
    // Both results are one user message, and only its last block carries the cache marker.
    let results = sent[2]["content"].as_array().unwrap();
    assert_eq!(results.iter().map(|b| b["tool_use_id"].as_str().unwrap()).collect::<Vec<_>>(), ["toolu_1", "toolu_2"]);
    assert!(results[0].get("cache_control").is_none() && results[1].get("cache_control").is_some());
    assert_eq!(requests[0]["thinking"]["type"], "enabled");
    assert!(requests[0]["system"][0]["cache_control"].is_object());
}

#[tokio::test]
async fn anthropic_errors_in_the_middle_and_cut_streams_are_errors_and_keep_what_came() {
    let start = [
        anthropic_start(),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half"}}),
    ];
    let error = json!({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}});
    for (frames, text) in [([&start[..], &[error][..]].concat(), "Overloaded"), (start.to_vec(), "stream ended before")]
    {
        let (message, session, _) = answer("anthropic-messages", vec![named(&frames)]).await;
        assert_eq!(message.stop_reason, StopReason::Error);
        assert!(message.error_message.as_deref().unwrap_or_default().contains(text), "{:?}", message.error_message);
        assert_eq!(shape(&message), ["text half"]);
        assert!(session.agent.snapshot().last_error.is_some());
    }
}

#[tokio::test]
async fn an_answer_cut_by_its_length_executes_none_of_its_calls() {
    let mut frames = vec![
        anthropic_start(),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t1","name":"ls","input":{}}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"path\": \".\"}"}}),
        json!({"type":"content_block_stop","index":0}),
    ];
    frames.extend(anthropic_end("max_tokens"));
    let mut second = vec![anthropic_start()];
    second.extend(anthropic_end("end_turn"));
    let (message, session, _) = answer("anthropic-messages", vec![named(&frames), named(&second)]).await;
    assert_eq!(message.stop_reason, StopReason::Length);
    let result = session.agent.messages().into_iter().find(|m| m.role() == "toolResult").unwrap();
    assert!(result.text().contains("Not executed"), "{}", result.text());
}

fn chunk(delta: Value, finish: Option<&str>) -> Value {
    json!({"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":delta,"finish_reason":finish}]})
}

#[tokio::test]
async fn chat_completions_put_reasoning_text_and_parallel_calls_together() {
    for field in ["reasoning_content", "reasoning", "reasoning_text"] {
        let frames = [
            chunk(json!({"role":"assistant","content":null}), None),
            chunk(json!({field: "hm, "}), None),
            chunk(json!({field: "so"}), None),
            chunk(json!({"content":"Text."}), None),
            chunk(
                json!({"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"ls","arguments":""}}]}),
                None,
            ),
            chunk(
                json!({"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"get_current_time","arguments":""}}]}),
                None,
            ),
            // Pieces of both calls, interleaved.
            chunk(
                json!({"tool_calls":[{"index":0,"function":{"arguments":"{\"path\":"}},{"index":1,"function":{"arguments":"{"}}]}),
                None,
            ),
            chunk(
                json!({"tool_calls":[{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":"\".\"}"}}]}),
                None,
            ),
            chunk(json!({}), Some("tool_calls")),
            json!({"id":"c1","choices":[],"usage":{"prompt_tokens":50,"completion_tokens":7,"total_tokens":57,
                "prompt_tokens_details":{"cached_tokens":20},"completion_tokens_details":{"reasoning_tokens":3}}}),
        ];
        let second = [chunk(json!({"content":"end"}), Some("stop"))];
        let (message, _, served) = answer("openai-completions", vec![bare(&frames), bare(&second)]).await;
        assert_eq!(
            shape(&message),
            ["thinking hm, so", "text Text.", "call ls {\"path\":\".\"}", "call get_current_time {}"],
            "{field}"
        );
        assert_eq!((message.usage.input, message.usage.cache_read, message.usage.reasoning), (30, 20, Some(3)));
        let sent = &served.await.unwrap()[1]["messages"];
        assert_eq!(sent[2][field], "hm, so", "thinking goes back under the name it came with");
        assert_eq!(sent[2]["tool_calls"].as_array().unwrap().len(), 2);
        assert_eq!((sent[3]["role"].as_str(), sent[3]["tool_call_id"].as_str()), (Some("tool"), Some("call_a")));
    }
}

#[tokio::test]
async fn chat_completions_of_loose_servers_are_understood() {
    // Whole calls without an index, arguments as an object, no id, and no usage.
    let frames = [
        chunk(json!({"tool_calls":[{"id":"x1","function":{"name":"ls","arguments":{"path":"."}}}]}), None),
        chunk(json!({"tool_calls":[{"id":"x2","function":{"name":"get_current_time","arguments":"{}"}}]}), None),
        chunk(json!({}), Some("stop")),
    ];
    let second = [chunk(json!({"content":"end"}), Some("stop"))];
    let (message, _, _) = answer("openai-completions", vec![bare(&frames), bare(&second)]).await;
    assert_eq!(shape(&message), ["call ls {\"path\":\".\"}", "call get_current_time {}"]);
    assert_eq!(message.stop_reason, StopReason::ToolUse);
    // Content in parts.
    let parts = json!([{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"so"}]);
    let frames = [chunk(json!({"content": parts}), Some("stop"))];
    let (message, _, _) = answer("openai-completions", vec![bare(&frames)]).await;
    assert_eq!(shape(&message), ["thinking hm", "text so"]);
    // Signatures of Gemini travel with their call.
    let call = json!({"index":0,"id":"g","function":{"name":"ls","arguments":"{}"},"extra_content":{"google":{"thought_signature":"gsig"}}});
    let frames = [chunk(json!({"tool_calls":[call]}), Some("tool_calls"))];
    let (_, _, served) = answer("openai-completions", vec![bare(&frames), bare(&second)]).await;
    let sent = &served.await.unwrap()[1]["messages"][2]["tool_calls"][0];
    assert_eq!(sent["extra_content"]["google"]["thought_signature"], "gsig");
    // An error inside a stream with status 200.
    let frames = [json!({"error":{"message":"Provider returned error","code":502}})];
    let (message, _, _) = answer("openai-completions", vec![bare(&frames)]).await;
    assert_eq!(message.stop_reason, StopReason::Error);
}

#[tokio::test]
async fn responses_carry_reasoning_items_back_as_they_came() {
    let reasoning = json!({"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"First."},{"type":"summary_text","text":"Then."}],"encrypted_content":"opaque"});
    let call = json!({"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"ls","arguments":"{\"path\":\".\"}"});
    let frames = [
        json!({"type":"response.created","response":{"id":"resp_1","model":"m"}}),
        json!({"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}),
        json!({"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0}),
        json!({"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"First."}),
        json!({"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":1}),
        json!({"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"Then."}),
        json!({"type":"response.output_item.done","output_index":0,"item":reasoning}),
        json!({"type":"response.output_item.added","output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"ls","arguments":""}}),
        json!({"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"path\":"}),
        json!({"type":"response.function_call_arguments.delta","output_index":1,"delta":"\".\"}"}),
        json!({"type":"response.output_item.done","output_index":1,"item":call}),
        json!({"type":"response.completed","response":{"id":"resp_1","status":"completed","usage":{"input_tokens":80,
            "input_tokens_details":{"cached_tokens":30},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":89}}}),
    ];
    let second = [
        json!({"type":"response.output_item.done","output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant",
            "content":[{"type":"output_text","text":"end"}]}}),
        json!({"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}),
    ];
    let (message, session, served) = answer("openai-responses", vec![named(&frames), named(&second)]).await;
    assert_eq!(shape(&message), ["thinking First.\n\nThen.", "call ls {\"path\":\".\"}"]);
    assert_eq!((message.usage.input, message.usage.cache_read, message.usage.reasoning), (50, 30, Some(4)));
    let requests = served.await.unwrap();
    assert_eq!(requests[0]["store"], false);
    assert_eq!(requests[0]["include"][0], "reasoning.encrypted_content");
    let input = requests[1]["input"].as_array().unwrap();
    assert!(input.contains(&reasoning), "{input:?}");
    let sent = input.iter().find(|item| item["type"] == "function_call").unwrap();
    assert_eq!((sent["call_id"].as_str(), sent["id"].as_str()), (Some("call_1"), Some("fc_1")));
    assert!(input.iter().any(|item| item["type"] == "function_call_output" && item["call_id"] == "call_1"));
    let Some(Message::Assistant(last)) = session.agent.messages().pop() else { panic!("an answer") };
    assert_eq!((shape(&last), last.stop_reason), (vec!["text end".to_owned()], StopReason::Length));
}

#[tokio::test]
async fn ollama_streams_lines_and_is_told_how_long_its_context_is() {
    let lines = |list: &[Value]| list.iter().map(|line| format!("{line}\n")).collect::<String>();
    let first = lines(&[
        json!({"model":"m","message":{"role":"assistant","content":"","thinking":"hm "},"done":false}),
        json!({"model":"m","message":{"role":"assistant","content":"","thinking":"so"},"done":false}),
        json!({"model":"m","message":{"role":"assistant","content":"Text"},"done":false}),
        json!({"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"ls","arguments":{"path":"."}}}]},"done":false}),
        json!({"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":50,"eval_count":7}),
    ]);
    // The last line comes without its end.
    let second = json!({"model":"m","message":{"content":"end"},"done":true,"done_reason":"length"}).to_string();
    let (message, session, served) = answer("ollama-chat", vec![first, second]).await;
    assert_eq!(shape(&message), ["thinking hm so", "text Text", "call ls {\"path\":\".\"}"]);
    assert_eq!((message.usage.input, message.usage.output, message.stop_reason), (50, 7, StopReason::ToolUse));
    let requests = served.await.unwrap();
    assert_eq!(requests[0]["options"]["num_ctx"], 100_000);
    assert_eq!(requests[0]["think"], true);
    let sent = &requests[1]["messages"];
    assert_eq!(
        (sent[2]["thinking"].as_str(), sent[2]["tool_calls"][0]["function"]["name"].as_str()),
        (Some("hm so"), Some("ls"))
    );
    assert_eq!((sent[3]["role"].as_str(), sent[3]["tool_name"].as_str()), (Some("tool"), Some("ls")));
    let Some(Message::Assistant(last)) = session.agent.messages().pop() else { panic!("an answer") };
    assert_eq!(last.stop_reason, StopReason::Length);
}

#[tokio::test]
async fn an_abort_closes_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bench = Bench::new().await;
    let models = json!({ "providers": { "x": { "api": "anthropic-messages", "baseUrl": url, "apiKey": "k", "models": [{ "id": "m" }] } } });
    std::fs::write(bench.home().join("models.json"), models.to_string()).unwrap();
    let mut config = bench.config();
    config.model = Some("x/m".into());
    let mut session = Session::start(config).await;
    session.say("go").await;
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut buffer = vec![0; 65536];
    assert!(socket.read(&mut buffer).await.unwrap() > 0);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    socket.write_all((head.to_owned() + &named(&[anthropic_start()])).as_bytes()).await.unwrap();
    session
        .until("an answer", |output| {
            matches!(output, Output::Event(event)
        if matches!(&**event, AgentEvent::MessageStart(start) if start.message.role() == "assistant"))
        })
        .await;
    session.agent.abort().await;
    session.settled().await;
    // The rest of the request may still be there; then the connection is at its end.
    loop {
        match tokio::time::timeout(std::time::Duration::from_secs(5), socket.read(&mut buffer)).await.expect("closed") {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
}
