//! `pizzapi setup`: an account and a key for this machine, by password or by approving it in a browser.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use pizzapi_config::url::{DEFAULT_RELAY_URL, browser_url, http_url};
use pizzapi_config::{save_relay, write_private};
use pizzapi_protocol::password::check_password;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Program;
use super::prompt::{ask, confirm, secret};
use crate::output::{self, WithHint};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const CLAIM_POLL: Duration = Duration::from_secs(2);
const CLAIM_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How often the address is repeated where nobody may have seen it the first time.
const CLAIM_REMINDER: Duration = Duration::from_secs(60);

/// A client that verifies like the system does, or with the bundled roots where the system has none.
pub fn client() -> anyhow::Result<reqwest::Client> {
    let builder = || reqwest::Client::builder().timeout(REQUEST_TIMEOUT);
    builder()
        .build()
        .or_else(|error| {
            tracing::debug!(%error, "no certificates of the system; the bundled roots are used");
            let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            builder().tls_backend_preconfigured(config).build()
        })
        .context("failed to prepare the HTTP client")
}

pub async fn run(program: &Program, scan: bool) -> anyhow::Result<ExitCode> {
    let current = browser_url(program.config.relay.url.as_deref().unwrap_or(DEFAULT_RELAY_URL));
    if scan {
        let url = if io::stdin().is_terminal() { ask("Relay address", &current)? } else { current };
        link_device(program, &url, &super::runner::hostname(&program.vars)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    wizard(program, &current).await?;
    Ok(ExitCode::SUCCESS)
}

/// Before the first session: offers to connect this machine. Answers whether it is connected now.
pub async fn first_run(program: &Program) -> anyhow::Result<bool> {
    output::line(format!("{} Welcome to PizzaPi.", "🍕"));
    output::line("A relay lets you follow and steer this session from a browser or phone.");
    if confirm("Skip and continue without relay?", false)? {
        return Ok(false);
    }
    match wizard(program, &browser_url(DEFAULT_RELAY_URL)).await {
        Ok(()) => Ok(true),
        Err(error) if error.downcast_ref::<output::Interrupted>().is_some() => Err(error),
        Err(error) => {
            output::note(output::describe(&error, io::stderr().is_terminal()));
            output::note("The session continues without relay; `pizzapi setup` tries again.");
            Ok(false)
        }
    }
}

async fn wizard(program: &Program, current: &str) -> anyhow::Result<()> {
    let url = http_url(&ask("Relay address", current)?);
    output::line("Name: leave it blank when you have an account already.");
    let name = ask("Name", "")?;
    let email = ask("Email", "")?;
    if email.is_empty() {
        bail!("an email address is required");
    }
    let password = secret("Password")?;
    if password.is_empty() {
        bail!("a password is required");
    }
    if !name.is_empty() {
        let report = check_password(&password);
        if !report.valid {
            for check in &report.checks {
                output::note(format!("  {} {}", if check.met { "✓" } else { "✗" }, check.label));
            }
            bail!("the password does not follow these rules");
        }
    }
    let response = client()?
        .post(format!("{url}/api/register"))
        .json(&json!({"name": name, "email": email, "password": password}))
        .send()
        .await
        .with_context(|| format!("failed to reach the relay at {url}"))
        .hint("is it running, and is the address right?")?;
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    let Some(key) = body.get("key").and_then(Value::as_str).filter(|_| status.is_success()) else {
        bail!("the relay refused: {}", error_text(&body).unwrap_or_else(|| status.to_string()));
    };
    save(program, &url, key)?;
    output::line(format!("Connected: sessions on this machine appear at {url}"));
    Ok(())
}

/// The human part of an error body, whichever of the usual shapes it has.
fn error_text(body: &Value) -> Option<String> {
    let error = body.get("error").or_else(|| body.get("message"))?;
    let text = error.as_str().or_else(|| error.get("message").and_then(Value::as_str))?;
    Some(text.to_owned())
}

/// Key and address belong together: one without the other would point a key at the wrong relay.
pub fn save(program: &Program, url: &str, key: &str) -> anyhow::Result<()> {
    let file = program.home().config_file();
    save_relay(&file, url, key).with_context(|| format!("failed to save the key in `{}`", file.display()))
}

#[derive(Deserialize)]
struct Claim {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claimed {
    status: String,
    api_key: Option<String>,
}

fn pending_file(program: &Program) -> PathBuf {
    program.config.agent_dir.pairing_file()
}

/// Address of a pairing that waits for approval right now.
pub fn pending_claim(program: &Program) -> Option<String> {
    let content: Value = serde_json::from_slice(&std::fs::read(pending_file(program)).ok()?).ok()?;
    let fresh = content.get("expiresAt").and_then(Value::as_i64).is_some_and(|end| end > now_ms());
    fresh.then(|| content.get("claimUrl").and_then(Value::as_str).map(str::to_owned)).flatten()
}

fn now_ms() -> i64 {
    (time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64
}

/// Shows a code, waits until a signed-in person approves it, and keeps the key.
pub async fn link_device(program: &Program, relay: &str, label: &str) -> anyhow::Result<String> {
    let url = http_url(relay);
    let client = client()?;
    let response = client
        .post(format!("{url}/api/setup-claim"))
        .json(&json!({"relayUrl": url, "label": label}))
        .send()
        .await
        .with_context(|| format!("failed to reach the relay at {url}"))
        .hint("is it running, and is the address right?")?;
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    if !status.is_success() {
        bail!("the relay refused to link this machine: {}", error_text(&body).unwrap_or_else(|| status.to_string()));
    }
    let claim: Claim = serde_json::from_value(body).context("the relay's answer was not understood")?;
    let page = format!("{url}/setup-claim?t={}", claim.token);
    let expires = now_ms() + CLAIM_LIFETIME.as_millis() as i64;
    let pending = json!({"claimUrl": page, "expiresAt": expires, "relayUrl": url, "startedAt": now_ms()});
    let pending_path = pending_file(program);
    if let Err(error) = write_private(&pending_path, pending.to_string().as_bytes()) {
        output::warning(format!("cannot note the pairing for `runner status`: {error}"));
    }
    let result = await_approval(&client, &url, &claim.token, &page).await;
    // A note that stays behind expires by itself.
    let _ = std::fs::remove_file(&pending_path);
    let key = result?;
    save(program, &url, &key)?;
    output::line(format!("This machine is linked to {url}."));
    Ok(key)
}

async fn await_approval(client: &reqwest::Client, url: &str, token: &str, page: &str) -> anyhow::Result<String> {
    if let Some(code) = qr(page) {
        output::line(code);
    }
    output::line("Approve this machine while signed in:");
    output::line(format!("  {page}"));
    let started = tokio::time::Instant::now();
    let mut reminded = started;
    while started.elapsed() < CLAIM_LIFETIME {
        tokio::time::sleep(CLAIM_POLL).await;
        if reminded.elapsed() >= CLAIM_REMINDER {
            reminded = tokio::time::Instant::now();
            output::line(format!("  still waiting: {page}"));
        }
        let answer = async {
            let response = client.get(format!("{url}/api/setup-claim/{token}")).send().await?;
            response.error_for_status()?.json::<Claimed>().await
        };
        match answer.await {
            Ok(Claimed { status, api_key: Some(key) }) if status == "approved" => return Ok(key),
            Ok(claimed) if matches!(claimed.status.as_str(), "expired" | "redeemed") => {
                bail!("the pairing code is {}", claimed.status);
            }
            Ok(_) => {}
            Err(error) => output::warning(format!("the relay did not answer ({error}); trying again")),
        }
    }
    Err(anyhow::anyhow!("nobody approved this machine in time")).hint("run the command again for a new code")
}

/// The address as blocks, two rows to a line, with the quiet zone scanners need.
fn qr(content: &str) -> Option<String> {
    let code = qrcode::QrCode::with_error_correction_level(content, qrcode::EcLevel::L).ok()?;
    let width = code.width();
    let modules = code.to_colors();
    const QUIET: isize = 4;
    let dark = |x: isize, y: isize| {
        let inside = x >= 0 && y >= 0 && (x as usize) < width && (y as usize) < width;
        inside && modules[y as usize * width + x as usize] == qrcode::Color::Dark
    };
    let mut out = String::new();
    let end = width as isize + QUIET;
    let mut y = -QUIET;
    while y < end {
        for x in -QUIET..end {
            // Light modules are drawn: on a dark terminal that gives the usual dark-on-light code.
            out.push(match (dark(x, y), y + 1 < end && dark(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        out.push('\n');
        y += 2;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_in_every_shape() {
        assert_eq!(error_text(&json!({"error": "no"})).as_deref(), Some("no"));
        assert_eq!(error_text(&json!({"error": {"code": "x", "message": "no"}})).as_deref(), Some("no"));
        assert_eq!(error_text(&json!({"message": "no"})).as_deref(), Some("no"));
        assert_eq!(error_text(&json!({})), None);
    }
}
