//! What went wrong with a provider, in terms of what to do about it.

use std::time::Duration;

use http::StatusCode;
use regex::RegexSet;
use serde_json::Value;
use std::sync::LazyLock;

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Worth another try after a while.
    Transient,
    /// The request is larger than the model's window: compact and try again.
    Overflow,
    /// Credit, billing or usage limit: trying again does not help.
    Quota,
    /// The key is missing, wrong or not allowed.
    Auth,
    /// Anything else the provider refuses.
    Rejected,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    pub kind: ErrorKind,
    /// The provider's own text, with the status where there was one.
    pub message: String,
    pub status: Option<u16>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

impl ProviderError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, retry_after: None }
    }

    pub(super) fn idle(limit: Duration) -> Self {
        Self::new(ErrorKind::Transient, format!("time-out: the provider was silent for {} s", limit.as_secs()))
    }

    pub(super) fn unreadable(detail: &str) -> Self {
        Self::new(ErrorKind::Transient, format!("unparsable JSON from the provider: {detail}"))
    }

    pub(super) fn cut() -> Self {
        Self::new(ErrorKind::Transient, "stream ended before a terminal event")
    }

    pub(super) fn connection(error: &reqwest::Error) -> Self {
        let what = if error.is_connect() {
            "connection failed"
        } else if error.is_timeout() {
            "connection timed out"
        } else {
            "connection lost"
        };
        // The source says what really happened (refused, reset, DNS); the outer text repeats the address.
        let mut detail = String::new();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            detail = inner.to_string();
            source = inner.source();
        }
        let host = error.url().and_then(|url| url.host_str().map(|h| format!(" to {h}"))).unwrap_or_default();
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        Self::new(ErrorKind::Transient, format!("network error: {what}{host}{detail}"))
    }

    /// An error the provider sent inside a stream or with a bad status.
    pub fn reported(status: Option<u16>, message: &str) -> Self {
        Self {
            kind: classify(status, message),
            message: match status {
                Some(status) if !message.contains(&status.to_string()) => format!("{status} {message}"),
                _ => message.to_owned(),
            },
            status,
            retry_after: None,
        }
    }

    /// Does another session-level attempt make sense?
    pub fn is_retryable(&self) -> bool {
        self.kind == ErrorKind::Transient
    }
}

/// Read a refusal: status, text and the wait it asks for.
pub(super) async fn from_response(mut response: reqwest::Response, limit: usize) -> ProviderError {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if room <= chunk.len() {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    let message = message_of(&text).unwrap_or_else(|| match text.trim() {
        "" => format!("{} status code (no body)", status.as_u16()),
        text => text.chars().take(2000).collect(),
    });
    ProviderError { retry_after, ..ProviderError::reported(Some(status.as_u16()), &message) }
}

/// The readable text of an error body; providers nest it differently.
pub(super) fn message_of(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    let value = value.as_array().and_then(|list| list.first()).cloned().unwrap_or(value);
    let error = value.get("error").unwrap_or(&value);
    let text = error
        .as_str()
        .or_else(|| error.get("message").and_then(Value::as_str))
        .or_else(|| value.get("message").and_then(Value::as_str))
        .or_else(|| value.get("detail").and_then(Value::as_str))?;
    // The machine word often is the only hint at what to do.
    let word = ["code", "type", "status"].into_iter().find_map(|key| error.get(key).and_then(Value::as_str));
    // OpenRouter hides what the host behind it said.
    let raw = error.pointer("/metadata/raw").and_then(Value::as_str).filter(|raw| !text.contains(raw));
    let mut message = match word {
        Some(word) if !text.contains(word) => format!("{word}: {text}"),
        _ => text.to_owned(),
    };
    if let Some(raw) = raw {
        message.push_str(&format!(" ({raw})"));
    }
    Some(message)
}

/// `retry-after-ms`, else `retry-after` in seconds or as a date.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|t| t.parse::<f64>().ok()).filter(|ms| *ms >= 0.0) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let at = time::OffsetDateTime::parse(value, &time::format_description::well_known::Rfc2822).ok()?;
    let wait = at - time::OffsetDateTime::now_utc();
    Some(wait.try_into().unwrap_or(Duration::ZERO))
}

static OVERFLOW: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"prompt is too long",
        r"prompt too long",
        r"request_too_large|request (size )?(is )?too large|input is too long",
        r"exceeds? (the |this )?(model'?s? )?(maximum )?(context|input) (window|length|limit)",
        r"exceeds the context window",
        r"maximum context length",
        r"maximum prompt length",
        r"maximum allowed input length",
        r"input token count .*exceeds",
        r"context[_ ]length[_ ]exceeded",
        r"context (window|length|size) (is )?(full|exceeded)",
        r"exceed(s|ed)? (the )?(available )?context (size|window|length|limit)",
        r"model_context_window_exceeded",
        r"too many tokens",
        r"token limit exceeded",
        r"reduce the length of the messages",
        r"larger than the maximum context",
        r"greater than the context length",
        r"too large for model with \d+ maximum context length",
        r"input length .*exceed",
        r"^4(00|13) status code \(no body\)$",
    ])
});
static THROTTLED: LazyLock<RegexSet> =
    LazyLock::new(|| set(&[r"rate.?limit", r"too many requests", r"throttl", r"per minute", r"try again in"]));
static QUOTA: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"quota",
        r"billing",
        r"insufficient.{0,10}(credit|balance|funds)",
        r"credit balance",
        r"usage.?limit",
        r"payment required",
        r"out of credits",
        r"(monthly|weekly|daily) limit",
    ])
});
static AUTH: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"invalid.{0,12}api.?key",
        r"incorrect api key",
        r"api key not valid",
        r"authentication",
        r"unauthori[sz]ed",
        r"permission.?(denied|error)",
        r"no auth credentials",
        r"\bforbidden\b",
    ])
});
static TRANSIENT: LazyLock<RegexSet> = LazyLock::new(|| {
    set(&[
        r"overloaded",
        r"rate.?limit",
        r"too many requests",
        r"service.{0,3}unavailable",
        r"(server|internal).?error",
        r"provider returned error",
        r"network|connection|\bdns\b|fetch failed|socket hang.?up",
        r"time.?d?.?out|timeout",
        r"\bterminated\b",
        r"websocket",
        r"stream ended before",
        r"http/?2",
        r"retry delay|retry your request",
        r"resource.?exhausted",
        r"unparsable json|unexpected end of json",
        r"upstream|bad gateway",
        r"throttl",
        r"temporarily",
        r"capacity",
    ])
});

fn set(patterns: &[&str]) -> RegexSet {
    RegexSet::new(patterns.iter().map(|p| format!("(?i){p}"))).expect("the patterns are constants")
}

/// What a status and a text mean for the next step.
pub fn classify(status: Option<u16>, message: &str) -> ErrorKind {
    let throttled = THROTTLED.is_match(message) || status == Some(StatusCode::TOO_MANY_REQUESTS.as_u16());
    if !throttled && OVERFLOW.is_match(message) {
        return ErrorKind::Overflow;
    }
    if QUOTA.is_match(message) || status == Some(402) {
        // "Quota exceeded … per minute" is a rate limit by another name.
        let passing = message.to_lowercase().contains("per minute") || message.to_lowercase().contains("retry in");
        return if passing { ErrorKind::Transient } else { ErrorKind::Quota };
    }
    match status {
        Some(401 | 403) => return ErrorKind::Auth,
        Some(413) => return ErrorKind::Overflow,
        Some(408 | 409 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=529) => return ErrorKind::Transient,
        Some(400..=499) => {
            // A refused request stays refused, unless the text says that a host behind it had the trouble.
            return if AUTH.is_match(message) {
                ErrorKind::Auth
            } else if throttled || message.to_lowercase().contains("provider returned error") {
                ErrorKind::Transient
            } else {
                ErrorKind::Rejected
            };
        }
        _ => {}
    }
    if AUTH.is_match(message) {
        ErrorKind::Auth
    } else if TRANSIENT.is_match(message) {
        ErrorKind::Transient
    } else {
        ErrorKind::Rejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retry_table_decides_what_is_tried_again() {
        let table: &[(Option<u16>, &str, ErrorKind)] = &[
            (Some(429), "rate_limit_error: slow down", ErrorKind::Transient),
            (Some(529), "overloaded_error: Overloaded", ErrorKind::Transient),
            (Some(524), "a timeout occurred", ErrorKind::Transient),
            (None, "ResourceExhausted: try later", ErrorKind::Transient),
            (None, "overloaded_error: Overloaded", ErrorKind::Transient),
            (Some(400), "prompt is too long: 210000 tokens > 200000 maximum", ErrorKind::Overflow),
            (Some(400), "context_length_exceeded: This model's maximum context length is 128000", ErrorKind::Overflow),
            (Some(413), "413 status code (no body)", ErrorKind::Overflow),
            (Some(400), "400 status code (no body)", ErrorKind::Overflow),
            (Some(429), "insufficient_quota: You exceeded your current quota", ErrorKind::Quota),
            (Some(400), "Your credit balance is too low to access the API", ErrorKind::Quota),
            (Some(401), "authentication_error: invalid x-api-key", ErrorKind::Auth),
            (Some(429), "Rate limit reached: too many tokens per minute", ErrorKind::Transient),
            (Some(400), "messages.1: tool_use ids must be unique", ErrorKind::Rejected),
        ];
        for (status, message, kind) in table {
            assert_eq!(classify(*status, message), *kind, "{status:?} {message}");
        }
    }

    #[test]
    fn error_bodies_of_different_shapes_give_their_text() {
        assert_eq!(
            message_of(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#).as_deref(),
            Some("overloaded_error: Overloaded")
        );
        assert_eq!(message_of(r#"{"error":"model not found"}"#).as_deref(), Some("model not found"));
        assert_eq!(message_of(r#"[{"error":{"message":"bad","status":"INVALID"}}]"#).as_deref(), Some("INVALID: bad"));
        assert_eq!(message_of("<html>"), None);
    }

    #[test]
    fn a_wait_may_be_given_in_seconds_or_milliseconds() {
        let mut headers = http::HeaderMap::new();
        headers.insert("retry-after", http::HeaderValue::from_static("7"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(7)));
        headers.insert("retry-after-ms", http::HeaderValue::from_static("1500"));
        assert_eq!(retry_after(&headers), Some(Duration::from_millis(1500)));
    }
}
