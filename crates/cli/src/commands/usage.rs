//! Tokens and costs, read from the transcripts of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// Transcripts larger than this are not analysed.
const MAX_TRANSCRIPT_BYTES: u64 = 50 * 1024 * 1024;
const MAX_RECENT: usize = 50;
/// Estimates: characters per token.
const CHARS_PER_TOKEN: usize = 4;

#[derive(Debug, Default, Clone)]
struct Sums {
    sessions: BTreeSet<String>,
    cost: f64,
    cost_parts: [f64; 4],
    tokens: [u64; 4],
}

impl Sums {
    fn add(&mut self, session: &str, usage: &Value) {
        self.sessions.insert(session.to_owned());
        let number =
            |value: Option<&Value>| value.and_then(Value::as_f64).filter(|number| *number > 0.0).unwrap_or(0.0);
        for (index, name) in ["input", "output", "cacheRead", "cacheWrite"].into_iter().enumerate() {
            self.tokens[index] += number(usage.get(name)) as u64;
            self.cost_parts[index] += number(usage.pointer(&format!("/cost/{name}")));
        }
        self.cost += number(usage.pointer("/cost/total"));
    }
}

struct Session {
    id: String,
    project: String,
    name: Option<String>,
    started_at: String,
    ended_at: Option<String>,
    messages: usize,
    cost: f64,
    models: BTreeMap<String, usize>,
}

/// All figures of the last days. `range`: `7d`, `30d`, `90d` or `all`.
pub fn collect(sessions: &Path, range: &str) -> Value {
    let now = OffsetDateTime::now_utc();
    let days = range.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let from = days.map(|days| now - Duration::days(days));
    let mut total = Sums::default();
    let mut daily: BTreeMap<String, Sums> = BTreeMap::new();
    let mut by_model: BTreeMap<(String, String), Sums> = BTreeMap::new();
    let mut by_project: BTreeMap<String, Sums> = BTreeMap::new();
    let mut known = Vec::new();
    let (mut first, mut last) = (None::<String>, None::<String>);
    for file in transcripts(sessions) {
        let Some(session) = read_session(&file, |session, timestamp, message| {
            let date = timestamp.get(..10).unwrap_or_default().to_owned();
            first = first.take().into_iter().chain([date.clone()]).min();
            last = last.take().into_iter().chain([date.clone()]).max();
            let inside = from.is_none_or(|from| OffsetDateTime::parse(timestamp, &Rfc3339).is_ok_and(|at| at >= from));
            let Some(usage) = message.get("usage").filter(|_| inside) else { return };
            total.add(&session.id, usage);
            daily.entry(date).or_default().add(&session.id, usage);
            by_project.entry(session.project.clone()).or_default().add(&session.id, usage);
            let word = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            by_model.entry((word("provider"), word("model"))).or_default().add(&session.id, usage);
        }) else {
            continue;
        };
        let active = session.ended_at.as_ref().unwrap_or(&session.started_at);
        let recent = from.is_none_or(|from| OffsetDateTime::parse(active, &Rfc3339).is_ok_and(|at| at >= from));
        if recent {
            known.push(session);
        }
    }
    known.sort_by(|a, b| b.started_at.cmp(&a.started_at));
    let count = total.sessions.len().max(1) as f64;
    let durations: Vec<f64> = known.iter().filter_map(duration_ms).collect();
    let date = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default().get(..10).unwrap_or_default().to_owned();
    let oldest = first.unwrap_or_else(|| date(now));
    json!({
        "generatedAt": now.format(&Rfc3339).unwrap_or_default(),
        "dateRange": { "from": from.map_or_else(|| oldest.clone(), date), "to": date(now) },
        "totalDateRange": { "from": oldest, "to": last.unwrap_or_else(|| date(now)) },
        "summary": {
            "totalSessions": known.len(),
            "totalCost": total.cost,
            "totalInputTokens": total.tokens[0],
            "totalOutputTokens": total.tokens[1],
            "totalCacheReadTokens": total.tokens[2],
            "totalCacheWriteTokens": total.tokens[3],
            "avgSessionCost": total.cost / count,
            "avgSessionTokens": (total.tokens.iter().sum::<u64>() as f64 / count).round(),
            "avgSessionDurationMs": (!durations.is_empty())
                .then(|| (durations.iter().sum::<f64>() / durations.len() as f64).round()),
            "sessionsWithCost": known.iter().filter(|session| session.cost > 0.0).count(),
        },
        "daily": daily.iter().map(|(date, sums)| json!({
            "date": date, "sessions": sums.sessions.len(), "cost": sums.cost,
            "costInput": sums.cost_parts[0], "costOutput": sums.cost_parts[1],
            "costCacheRead": sums.cost_parts[2], "costCacheWrite": sums.cost_parts[3],
            "inputTokens": sums.tokens[0], "outputTokens": sums.tokens[1],
            "cacheReadTokens": sums.tokens[2], "cacheWriteTokens": sums.tokens[3],
        })).collect::<Vec<_>>(),
        "byModel": ranked(by_model.iter().map(|((provider, model), sums)| (sums, json!({
            "provider": provider, "model": model, "sessions": sums.sessions.len(), "cost": sums.cost,
            "inputTokens": sums.tokens[0], "outputTokens": sums.tokens[1],
        })))),
        "byProject": ranked(by_project.iter().map(|(project, sums)| (sums, json!({
            "project": project, "projectShort": short(project), "sessions": sums.sessions.len(), "cost": sums.cost,
            "inputTokens": sums.tokens[0], "outputTokens": sums.tokens[1],
        })))),
        "recentSessions": known.iter().take(MAX_RECENT).map(|session| json!({
            "id": session.id, "project": session.project, "projectShort": short(&session.project),
            "sessionName": session.name, "startedAt": session.started_at, "endedAt": session.ended_at,
            "messageCount": session.messages,
            "totalCost": (session.cost > 0.0).then_some(session.cost),
            "primaryModel": session.models.iter().max_by_key(|(_, turns)| **turns).map(|(model, _)| model),
        })).collect::<Vec<_>>(),
    })
}

/// The most used first: by cost, then by tokens for models without prices.
fn ranked<'a>(rows: impl Iterator<Item = (&'a Sums, Value)>) -> Vec<Value> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|(a, _), (b, _)| {
        b.cost.total_cmp(&a.cost).then_with(|| b.tokens.iter().sum::<u64>().cmp(&a.tokens.iter().sum()))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

fn duration_ms(session: &Session) -> Option<f64> {
    let start = OffsetDateTime::parse(&session.started_at, &Rfc3339).ok()?;
    let end = OffsetDateTime::parse(session.ended_at.as_deref()?, &Rfc3339).ok()?;
    Some((end - start).whole_milliseconds() as f64)
}

fn short(project: &str) -> &str {
    project.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(project)
}

/// Files directly in the folder and in the folders of working directories.
fn transcripts(sessions: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files = Vec::new();
    for path in entries(sessions) {
        if path.is_dir() {
            files.extend(entries(&path));
        } else {
            files.push(path);
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files
}

/// Reads one transcript, showing each assistant message to `visit`. Lines that are damaged are skipped.
fn read_session(path: &Path, mut visit: impl FnMut(&Session, &str, &Value)) -> Option<Session> {
    let mut lines = BufReader::new(File::open(path).ok()?).lines().map_while(Result::ok);
    let header: Value = serde_json::from_str(&lines.next()?).ok()?;
    let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut session = Session {
        id: word(&header, "id")?,
        project: word(&header, "cwd").unwrap_or_default(),
        name: None,
        started_at: word(&header, "timestamp").unwrap_or_default(),
        ended_at: None,
        messages: 0,
        cost: 0.0,
        models: BTreeMap::new(),
    };
    for entry in lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok()) {
        match entry.get("type").and_then(Value::as_str) {
            Some("session_info") => session.name = word(&entry, "name"),
            Some("message") => {
                let Some(message) = entry.get("message") else { continue };
                let timestamp = word(&entry, "timestamp").unwrap_or_default();
                let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
                if matches!(role, "user" | "assistant") {
                    session.messages += 1;
                    session.ended_at = Some(timestamp.clone());
                }
                if role == "assistant" {
                    session.cost +=
                        message.pointer("/usage/cost/total").and_then(Value::as_f64).unwrap_or(0.0).max(0.0);
                    *session.models.entry(word(message, "model").unwrap_or_default()).or_default() += 1;
                    visit(&session, &timestamp, message);
                }
            }
            _ => {}
        }
    }
    Some(session)
}

/// What fills the context of one session, entry by entry. Sizes are estimates where the provider reported none.
pub fn analyze(path: &Path) -> std::io::Result<Value> {
    if std::fs::metadata(path)?.len() > MAX_TRANSCRIPT_BYTES {
        return Err(std::io::Error::other("the transcript is too large to analyse"));
    }
    let mut lines = BufReader::new(File::open(path)?).lines().map_while(Result::ok);
    let header: Value = lines.next().and_then(|line| serde_json::from_str(&line).ok()).unwrap_or_default();
    let mut blocks = Vec::new();
    let mut compactions = Vec::new();
    let mut models: BTreeMap<(String, String), (u64, f64, f64, f64)> = BTreeMap::new();
    let mut active = Value::Null;
    let (mut cost, mut turn, mut context, mut peak) = (0.0, 0_u64, 0_u64, 0_u64);
    for entry in lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok()) {
        let id = entry.get("id").cloned().unwrap_or_default();
        match entry.get("type").and_then(Value::as_str) {
            Some("message") => {
                let message = entry.get("message").cloned().unwrap_or_default();
                let role = message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
                let estimate =
                    (message.get("content").map_or(0, |content| content.to_string().len()) / CHARS_PER_TOKEN) as u64;
                let usage = message.get("usage").filter(|_| role == "assistant").cloned();
                let number = |pointer: &str| {
                    usage.as_ref().and_then(|usage| usage.pointer(pointer)).and_then(Value::as_f64).unwrap_or(0.0)
                };
                let before = context;
                let mut block = json!({ "turnIndex": turn, "entryId": id, "role": role, "tokens": estimate });
                if let Some(usage) = &usage {
                    turn += 1;
                    cost += number("/cost/total");
                    let measured = number("/totalTokens") as u64;
                    context = if measured > 0 { measured } else { context + estimate };
                    block["tokens"] = json!(number("/output") as u64);
                    block["usage"] = usage.clone();
                    let word = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                    let key = (word("provider"), word("model"));
                    block["model"] = json!({ "provider": key.0, "id": key.1 });
                    active = block["model"].clone();
                    let sums = models.entry(key).or_default();
                    sums.0 += 1;
                    sums.1 += number("/cost/total");
                    sums.2 += number("/cacheRead");
                    sums.3 += number("/input") + number("/cacheRead") + number("/cacheWrite");
                } else {
                    context += estimate;
                }
                block["rawTokenDelta"] = json!(context as i64 - before as i64);
                peak = peak.max(context);
                blocks.push(block);
            }
            Some("compaction") => {
                let before = entry.get("tokensBefore").and_then(Value::as_u64).unwrap_or(context);
                let summary =
                    entry.get("summary").and_then(Value::as_str).map_or(0, |text| text.len() / CHARS_PER_TOKEN);
                context = summary as u64;
                compactions.push(json!({
                    "entryId": id, "tokensBeforeCompaction": before, "estimatedSummaryTokens": summary,
                    "estimatedTokensAfter": null, "estimatedTokensFreed": null,
                    "firstKeptId": entry.get("firstKeptEntryId"), "timestamp": entry.get("timestamp"),
                }));
            }
            _ => {}
        }
    }
    let rate = |read: f64, all: f64| (all > 0.0).then(|| read / all);
    let (read, all) = models.values().fold((0.0, 0.0), |sum, model| (sum.0 + model.2, sum.1 + model.3));
    Ok(json!({
        "sessionId": header.get("id"),
        "activeModel": active,
        "modelsUsed": models.iter().map(|((provider, id), (turns, cost, read, all))| json!({
            "provider": provider, "id": id, "turns": turns, "totalCost": cost, "cacheHitRate": rate(*read, *all),
        })).collect::<Vec<_>>(),
        "blocks": blocks,
        "summary": {
            "totalTokens": context, "totalCost": cost, "cacheHitRate": rate(read, all),
            "estimatedCacheSavings": null, "compactionCount": compactions.len(), "tokensFreedByCompaction": null,
            "peakContextUsage": peak, "contextUtilization": null,
        },
        "compactions": compactions,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, lines: &[Value]) {
        std::fs::create_dir_all(folder).unwrap();
        let content: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(folder.join(name), content).unwrap();
    }

    fn assistant(timestamp: &str, cost: f64) -> Value {
        json!({"type": "message", "id": "x", "timestamp": timestamp, "message": {
            "role": "assistant", "provider": "anthropic", "model": "opus",
            "usage": {"input": 10, "output": 5, "cacheRead": 30, "cacheWrite": 0, "totalTokens": 45,
                      "cost": {"input": 0.1, "output": 0.2, "cacheRead": 0, "cacheWrite": 0, "total": cost}}}})
    }

    #[test]
    fn figures_are_summed_over_both_kinds_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        let header =
            |id: &str| json!({"type": "session", "id": id, "cwd": "/src/oven", "timestamp": "2024-01-01T10:00:00Z"});
        write(folder.path(), "flat.jsonl", &[header("a"), assistant("2024-01-01T10:01:00Z", 0.5)]);
        write(
            &folder.path().join("--src-oven--"),
            "b.jsonl",
            &[header("b"), json!("damaged"), assistant("2024-01-02T10:01:00Z", 0.25)],
        );
        let all = collect(folder.path(), "all");
        assert_eq!(all["summary"]["totalCost"], 0.75);
        assert_eq!(all["summary"]["totalInputTokens"], 20);
        assert_eq!(all["daily"].as_array().unwrap().len(), 2);
        assert_eq!(all["byProject"][0]["projectShort"], "oven");
        assert_eq!(all["totalDateRange"], json!({"from": "2024-01-01", "to": "2024-01-02"}));
        let recent = collect(folder.path(), "7d");
        assert_eq!(recent["summary"]["totalSessions"], 0);
    }

    #[test]
    fn a_transcript_is_taken_apart() {
        let folder = tempfile::tempdir().unwrap();
        let header = json!({"type": "session", "id": "a", "cwd": "/x", "timestamp": "2024-01-01T10:00:00Z"});
        let user = json!({"type": "message", "id": "u", "message": {"role": "user", "content": "12345678"}});
        write(folder.path(), "s.jsonl", &[header, user, assistant("2024-01-01T10:01:00Z", 0.5)]);
        let analysis = analyze(&folder.path().join("s.jsonl")).unwrap();
        assert_eq!(analysis["blocks"].as_array().unwrap().len(), 2);
        assert_eq!(analysis["summary"]["totalTokens"], 45);
        assert_eq!(analysis["modelsUsed"][0]["cacheHitRate"], 0.75);
    }
}
