//! Requests that are answered beside the loop: files, definitions, models, settings, logins, services.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pizzapi_protocol::events::RawJson;
use pizzapi_protocol::ids::RequestId;
use pizzapi_protocol::json::Open;
use pizzapi_protocol::runner::{
    AgentResult, AgentsList, AuthType, DataReply, ErrorReply, FileEncoding, FileResult, FromServer, ModelsList,
    PluginsList, SkillResult, SkillsList, UsageRange, from_client,
};
use pizzapi_protocol::service::ServiceEnvelope;
use pizzapi_socket_client::Link;
use serde_json::{Map, Value, json};
use tokio::task::AbortHandle;

use crate::RunnerConfig;
use crate::services::definitions::{Definitions, Kind};
use crate::services::files::{self, ReadOptions, allowed};
use crate::services::settings::Settings;
use crate::services::{Failure, Reply, answer, git, processes};

/// How long a change of a repository waits for another one.
const GIT_LOCK_TIME: Duration = Duration::from_secs(5);

/// What requests need; shared with their tasks.
#[derive(Clone)]
pub struct Requests {
    inner: Arc<Inner>,
}

struct Inner {
    config: RunnerConfig,
    skills: Definitions,
    agents: Definitions,
    settings: Settings,
    /// Reads that may be abandoned, by request id.
    reads: Mutex<HashMap<RequestId, AbortHandle>>,
    /// One change at a time per repository, all its worktrees included.
    git_locks: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
    git_version: std::sync::atomic::AtomicU64,
}

/// A session as services see it.
#[derive(Debug, Clone, Default)]
pub struct SessionView {
    pub cwd: Option<PathBuf>,
    pub pid: Option<u32>,
}

impl Requests {
    pub fn new(config: RunnerConfig) -> Self {
        let claude = config.user_home.join(".claude");
        Self {
            inner: Arc::new(Inner {
                skills: Definitions::new(Kind::Skill, vec![config.home.join("skills")]),
                agents: Definitions::new(Kind::Agent, vec![config.home.join("agents"), claude.join("agents")]),
                settings: Settings::new(&config.home),
                reads: Mutex::default(),
                git_locks: Mutex::default(),
                git_version: std::sync::atomic::AtomicU64::new(0),
                config,
            }),
        }
    }

    pub fn skills(&self) -> &Definitions {
        &self.inner.skills
    }

    pub fn agents(&self) -> &Definitions {
        &self.inner.agents
    }

    /// Serve `event` in a task of its own, if it is one of these. The answer goes to the connection the request came on, or nowhere.
    pub fn serve(
        &self,
        event: FromServer,
        link: Link,
        transcript: impl FnOnce(&str) -> Option<PathBuf>,
    ) -> Result<(), FromServer> {
        let inner = self.inner.clone();
        match event {
            FromServer::ListSkills(request) => {
                let reply = SkillsList { skills: typed(inner.skills.list()), request_id: Some(request.request_id) };
                emit::<from_client::SkillsList>(&link, &reply);
            }
            FromServer::CreateSkill(request) | FromServer::UpdateSkill(request) => {
                skill_result(&link, request.request_id, inner.skills.put(Some(&request.name), &request.content));
            }
            FromServer::DeleteSkill(request) => {
                skill_result(&link, request.request_id, inner.skills.delete(Some(&request.name)))
            }
            FromServer::GetSkill(request) => {
                skill_result(&link, request.request_id, inner.skills.get(Some(&request.name)))
            }
            FromServer::ListAgents(request) => {
                let reply = AgentsList { agents: typed(inner.agents.list()), request_id: Some(request.request_id) };
                emit::<from_client::AgentsList>(&link, &reply);
            }
            FromServer::CreateAgent(request) | FromServer::UpdateAgent(request) => {
                agent_result(&link, request.request_id, inner.agents.put(Some(&request.name), &request.content));
            }
            FromServer::DeleteAgent(request) => {
                agent_result(&link, request.request_id, inner.agents.delete(Some(&request.name)))
            }
            FromServer::GetAgent(request) => {
                agent_result(&link, request.request_id, inner.agents.get(Some(&request.name)))
            }
            FromServer::ListPlugins(request) => {
                let reply = PluginsList {
                    plugins: Vec::new(),
                    request_id: request.request_id,
                    ok: Some(true),
                    message: None,
                    scoped: request.cwd.map(|_| true),
                };
                emit::<from_client::PluginsList>(&link, &reply);
            }
            FromServer::ListFiles(request) => spawn_reply(link, request.request_id, async move {
                files::list(&inner.path(&request.path, "Missing path")?).await
            }),
            FromServer::BrowseDirectory(request) => spawn_reply(link, request.request_id, async move {
                let path = if request.path.trim().is_empty() { "~" } else { &request.path };
                files::browse(&inner.path(path, "Missing path")?, &inner.config.workspace).await
            }),
            FromServer::SearchFiles(request) => spawn_reply(link, request.request_id, async move {
                files::search(&inner.path(&request.cwd, "Missing cwd")?, &request.query, request.limit.map(u64::from))
                    .await
            }),
            FromServer::ReadFile(request) => {
                let id = request.request_id.clone();
                let task = tokio::spawn({
                    let (inner, id) = (inner.clone(), id.clone());
                    async move {
                        let options = ReadOptions {
                            base64: request.encoding == Some(FileEncoding::Base64),
                            max_bytes: request.max_bytes,
                            reject_truncated: request.reject_truncated.unwrap_or(false),
                        };
                        let reply = match inner.path(&request.path, "Missing path") {
                            Ok(path) => files::read(&path, options).await,
                            Err(failure) => Err(failure),
                        };
                        file_result(&link, id.clone(), reply).await;
                        inner.reads.lock().remove(&id);
                    }
                });
                if !task.is_finished() {
                    inner.reads.lock().insert(id, task.abort_handle());
                }
            }
            FromServer::CancelFileRequest(request) => {
                if let Some(read) = inner.reads.lock().remove(&request.request_id) {
                    read.abort();
                }
            }
            FromServer::SandboxGetStatus(request) => {
                spawn_reply(link, request.request_id, async move { inner.settings.sandbox_status() });
            }
            FromServer::SandboxUpdateConfig(request) => spawn_reply(link, request.request_id, async move {
                let config = request.config.to().map_err(|_| Failure::new("Invalid sandbox config body"))?;
                inner.settings.sandbox_update(config)
            }),
            FromServer::SettingsGetConfig(request) => {
                spawn_reply(link, request.request_id, async move { inner.settings.get() });
            }
            FromServer::SettingsUpdateSection(request) => spawn_reply(link, request.request_id, async move {
                let value = request.value.to().map_err(|error| Failure::new(format!("unreadable value: {error}")))?;
                inner.settings.update(&request.section, value)
            }),
            FromServer::PackagesList(request) => spawn_reply(link, request.request_id, async {
                Ok(json!({ "packages": [], "message": "No packages are installed on this runner." }))
            }),
            FromServer::PackagesInstall(request) | FromServer::PackagesRemove(request) => {
                spawn_reply(link, request.request_id, async { Err(no_packages()) });
            }
            FromServer::PackagesUpdate(request) => spawn_reply(link, request.request_id, async { Err(no_packages()) }),
            FromServer::ListModels(request) => {
                tokio::spawn(async move {
                    let (models, error) = match inner.config.host.models().await {
                        Ok(models) => (models, None),
                        Err(failure) => (Vec::new(), Some(failure.message)),
                    };
                    let reply = ModelsList { request_id: Some(request.request_id), models, error };
                    emit_when_ready::<from_client::ModelsList>(&link, &reply).await;
                });
            }
            FromServer::GetUsage(request) => {
                tokio::spawn(async move {
                    let range = match request.range {
                        Some(UsageRange::Week) => "7d",
                        Some(UsageRange::Month) => "30d",
                        Some(UsageRange::Quarter) => "90d",
                        Some(UsageRange::All) | None => "all",
                    };
                    let request_id = Some(request.request_id);
                    match inner.config.host.usage(range).await {
                        Ok(data) => {
                            let reply = DataReply { request_id, data: RawJson::from(data) };
                            emit_when_ready::<from_client::UsageData>(&link, &reply).await;
                        }
                        Err(failure) => {
                            emit::<from_client::UsageError>(&link, &ErrorReply { request_id, error: failure.message });
                        }
                    }
                });
            }
            FromServer::AnalyzeSession(request) => {
                let transcript = transcript(request.session_id.as_str());
                tokio::spawn(async move {
                    let request_id = Some(request.request_id);
                    match inner.config.host.analyze(request.session_id.as_str(), transcript).await {
                        Ok(data) => {
                            let reply = DataReply { request_id, data: RawJson::from(data) };
                            emit_when_ready::<from_client::AnalyzeSessionData>(&link, &reply).await;
                        }
                        Err(failure) => {
                            let reply = ErrorReply { request_id, error: failure.message };
                            emit::<from_client::AnalyzeSessionError>(&link, &reply);
                        }
                    }
                });
            }
            FromServer::AuthList(request) => {
                spawn_reply(link, request.request_id, async move { inner.config.host.auth_list().await });
            }
            FromServer::AuthLoginStart(request) => spawn_reply(link, request.request_id, async move {
                let api_key = request.auth_type == Some(AuthType::ApiKey);
                inner.config.host.auth_login_start(&request.provider_id, api_key).await
            }),
            FromServer::AuthLoginSubmit(request) => spawn_reply(link, request.request_id, async move {
                inner.config.host.auth_login_submit(&request.login_id, &request.value).await
            }),
            FromServer::AuthLoginStatus(request) => {
                spawn_reply(link, request.request_id, async move {
                    inner.config.host.auth_login_status(&request.login_id).await
                });
            }
            FromServer::AuthLoginCancel(request) => {
                spawn_reply(link, request.request_id, async move {
                    inner.config.host.auth_login_cancel(&request.login_id).await
                });
            }
            other => return Err(other),
        }
        Ok(())
    }

    /// Serve a message to one of the built-in services.
    pub fn serve_service(&self, message: ServiceEnvelope, session: SessionView, link: Link) {
        let inner = self.inner.clone();
        tokio::spawn(async move {
            let payload: Map<String, Value> = message.payload.to().unwrap_or_default();
            let (kind, body) = match message.service_id.as_str() {
                "git" => inner.git(&message, &payload, &session, &link).await,
                "process" => inner.process(&message.kind, &payload, &session).await,
                other => {
                    tracing::debug!(service = other, "a message for a service that does not run here");
                    return;
                }
            };
            let reply = ServiceEnvelope {
                service_id: message.service_id,
                kind,
                id: None,
                request_id: message.request_id,
                session_id: message.session_id,
                payload: RawJson::from(body),
            };
            emit_when_ready::<from_client::ServiceMessage>(&link, &reply).await;
        });
    }
}

impl Inner {
    fn path(&self, path: &str, missing: &str) -> Result<PathBuf, Failure> {
        allowed(&self.config.workspace, Some(path), &self.config.user_home, missing)
    }

    async fn git(
        &self,
        message: &ServiceEnvelope,
        payload: &Map<String, Value>,
        session: &SessionView,
        link: &Link,
    ) -> (String, Value) {
        let kind = message.kind.as_str();
        let reply = self.git_reply(kind, payload, session).await;
        if reply.is_ok() && git::changes(kind) {
            let version = self.git_version.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let changed = ServiceEnvelope {
                service_id: "git".to_owned(),
                kind: "git_repo_changed".to_owned(),
                id: None,
                request_id: None,
                session_id: message.session_id.clone(),
                payload: RawJson::from(json!({ "cwd": payload.get("cwd"), "version": version })),
            };
            emit::<from_client::ServiceMessage>(link, &changed);
        }
        (git::result_kind(kind), answer(reply))
    }

    async fn git_reply(&self, kind: &str, payload: &Map<String, Value>, session: &SessionView) -> Reply {
        let cwd = self.path(payload.get("cwd").and_then(Value::as_str).unwrap_or_default(), "Missing cwd")?;
        let family = git::family(&cwd).await;
        if let Some(own) = &session.cwd
            && family != git::family(own).await
        {
            return Err(Failure::new("that folder belongs to another repository than this session"));
        }
        let family = family.ok_or_else(|| Failure::new(format!("`{}` is not in a git repository", cwd.display())))?;
        if kind == "git_worktree_add" {
            let path = payload.get("path").and_then(Value::as_str).unwrap_or_default();
            let target = if std::path::Path::new(path).is_absolute() { path.into() } else { cwd.join(path) };
            self.path(&target.to_string_lossy(), "Missing path")?;
        }
        if !git::changes(kind) {
            return git::serve(kind, &cwd, payload).await;
        }
        let lock = self.git_locks.lock().entry(family).or_default().clone();
        match tokio::time::timeout(GIT_LOCK_TIME, lock.lock()).await {
            Ok(_held) => git::serve(kind, &cwd, payload).await,
            Err(_) => Err(Failure::new("another change of this repository is under way")
                .with("reason", "busy")
                .with("retryable", true)),
        }
    }

    async fn process(&self, kind: &str, payload: &Map<String, Value>, session: &SessionView) -> (String, Value) {
        let pid = payload.get("pid").and_then(Value::as_i64);
        let reply = match (kind, session.pid, pid) {
            (_, None, _) => Err(Failure::new("this session has no process on this runner")),
            ("process_list", Some(worker), _) => processes::list(worker),
            ("process_kill", Some(worker), Some(pid)) => processes::kill(worker, pid).await,
            ("process_kill", ..) => Err(Failure::new("Missing pid")),
            (other, ..) => Err(Failure::new(format!("unknown request `{other}`"))),
        };
        match reply {
            Ok(body) => ("process_list_result".to_owned(), body),
            Err(failure) => ("process_error".to_owned(), json!({ "error": failure.message })),
        }
    }
}

fn no_packages() -> Failure {
    Failure::new("this runner does not install packages; skills, agents and MCP servers are configured in its settings")
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Vec<T> {
    serde_json::from_value(value).unwrap_or_default()
}

fn skill_result(link: &Link, request_id: RequestId, reply: Reply) {
    let body = answer(reply);
    let result = SkillResult {
        request_id: Some(request_id),
        ok: body["ok"] == true,
        message: text(&body, "message"),
        skills: body.get("skills").cloned().map(typed),
        content: text(&body, "content"),
        name: text(&body, "name"),
    };
    emit::<from_client::SkillResult>(link, &result);
}

fn agent_result(link: &Link, request_id: RequestId, reply: Reply) {
    let body = answer(reply);
    let result = AgentResult {
        request_id: Some(request_id),
        ok: body["ok"] == true,
        message: text(&body, "message"),
        agents: body.get("agents").cloned().map(typed),
        content: text(&body, "content"),
        name: text(&body, "name"),
    };
    emit::<from_client::AgentResult>(link, &result);
}

fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn spawn_reply(link: Link, request_id: RequestId, work: impl Future<Output = Reply> + Send + 'static) {
    tokio::spawn(async move { file_result(&link, request_id, work.await).await });
}

async fn file_result(link: &Link, request_id: RequestId, reply: Reply) {
    let mut result: Open<FileResult> = match reply {
        Ok(body) => FileResult::success(&body).unwrap_or_else(|error| FileResult::refused(error.to_string())),
        Err(failure) => FileResult::refused(failure.message),
    };
    result.request_id = Some(request_id);
    emit_when_ready::<from_client::FileResult>(link, &result).await;
}

/// An answer to a connection that is gone needs nobody: the asker was told of the loss.
pub fn emit<E: pizzapi_protocol::events::Event>(link: &Link, payload: &E::Payload) {
    if let Err(error) = link.emit::<E>(payload) {
        tracing::debug!(event = E::NAME, %error, "not sent");
    }
}

async fn emit_when_ready<E: pizzapi_protocol::events::Event>(link: &Link, payload: &E::Payload) {
    if let Err(error) = link.emit_when_ready::<E>(payload).await {
        tracing::debug!(event = E::NAME, %error, "not sent");
    }
}
