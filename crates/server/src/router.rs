//! Every route on one page.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, post, put};
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::http::{
    api_keys, attachments, auth, callbacks, envelope, health, metrics, mobile_link, push, runner_content, runner_files,
    runners, sessions, settings, setup_claim, static_ui, triggers, version, webhooks,
};
use crate::socket;

/// All of HTTP: the envelope, then Socket.IO, then routes, then the web UI.
pub fn build(app: &App) -> Router {
    let pages = Router::new().fallback(static_ui::serve).layer(CompressionLayer::new());
    Router::new()
        .merge(service())
        .merge(accounts())
        .merge(links(app))
        .merge(hooks())
        .merge(personal())
        .merge(session_routes())
        .merge(runner_routes())
        .merge(runner_requests())
        .fallback_service(pages.with_state(app.clone()))
        .layer(from_fn_with_state(app.clone(), envelope::inner))
        .with_state(app.clone())
        .layer(socket::mount(app))
        .layer(from_fn_with_state(app.clone(), envelope::outer))
}

fn service() -> Router<App> {
    Router::new()
        .route("/health", any(health::health))
        .route("/status", any(health::health))
        .route("/api/status", any(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/api/version", get(version::version))
        .route("/api/capabilities", get(version::capabilities))
        .route("/api/signup-status", get(auth::signup_status))
        .route("/api/me", get(auth::me))
}

fn accounts() -> Router<App> {
    Router::new()
        .route("/api/register", post(auth::register))
        .route("/api/auth/ok", get(auth::ok))
        .route("/api/auth/sign-up/email", post(auth::sign_up))
        .route("/api/auth/sign-in/email", post(auth::sign_in))
        .route("/api/auth/sign-out", post(auth::sign_out))
        .route("/api/auth/get-session", get(auth::get_session))
        .route("/api/auth/change-password", post(auth::change_password))
        .route("/api/auth/list-sessions", get(auth::list_logins))
        .route("/api/auth/revoke-session", post(auth::revoke_login))
        .route("/api/auth/revoke-sessions", post(auth::revoke_logins))
        .route("/api/auth/revoke-other-sessions", post(auth::revoke_other_logins))
        .route("/api/auth/update-user", post(auth::update_user))
        .route("/api/auth/verify-password", post(auth::verify_password))
        .route("/api/auth/api-key/create", post(api_keys::create))
        .route("/api/auth/api-key/list", get(api_keys::list))
        .route("/api/auth/api-key/get", get(api_keys::get))
        .route("/api/auth/api-key/update", post(api_keys::update))
        .route("/api/auth/api-key/delete", post(api_keys::delete))
        .route("/api/auth/api-key/revoke-self", post(auth::revoke_self))
        .route("/api/account", delete(auth::delete_account))
        .route("/api/account/audit", get(auth::audit))
        .route("/api/setup-claim", post(setup_claim::create))
        .route("/api/setup-claim/{token}", get(setup_claim::poll))
        .route("/api/setup-claim/{token}/approve", post(setup_claim::approve))
        .route("/api/setup-claim-info/{token}", get(setup_claim::info))
}

fn personal() -> Router<App> {
    Router::new()
        .route("/api/settings/hidden-models", get(settings::hidden_models).put(settings::set_hidden_models))
        .route("/api/settings/subagent-model", get(settings::subagent_model).put(settings::set_subagent_model))
        .route("/api/push/vapid-public-key", get(push::public_key))
        .route("/api/push/test", post(push::test))
        .route("/api/push/subscribe", post(push::subscribe))
        .route("/api/push/unsubscribe", post(push::unsubscribe))
        .route("/api/push/subscriptions", get(push::subscriptions))
        .route("/api/push/events", put(push::set_events))
        .route("/api/push/child-notifications", put(push::set_child_notifications))
        .route(
            "/api/sessions/{id}/attachments",
            post(attachments::upload).layer(DefaultBodyLimit::max(attachments::MAX_UPLOAD)),
        )
        .route("/api/attachments/{id}/token", post(attachments::token))
        .route("/api/attachments/{id}", get(attachments::download))
}

fn session_routes() -> Router<App> {
    Router::new()
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/pinned", get(sessions::pinned))
        .route("/api/sessions/{id}", get(sessions::get).patch(sessions::rename).delete(sessions::delete))
        .route("/api/sessions/{id}/pin", put(sessions::pin).delete(sessions::unpin))
        .route("/api/sessions/{id}/model", post(sessions::set_model))
        .route("/api/sessions/{id}/abort", post(sessions::abort))
        .route("/api/sessions/{id}/thinking", post(sessions::set_thinking))
        .route("/api/sessions/{id}/input", post(sessions::input))
        .route("/api/sessions/{id}/end", post(sessions::end))
        .route("/api/sessions/{id}/trigger", post(triggers::fire))
        .route("/api/sessions/{id}/triggers", get(triggers::history).delete(triggers::clear_history))
        .route("/api/sessions/{id}/available-triggers", get(triggers::available_triggers))
        .route("/api/sessions/{id}/available-sigils", get(triggers::available_sigils))
        .route("/api/sessions/{id}/trigger-subscriptions", get(triggers::subscriptions).post(triggers::subscribe))
        .route(
            "/api/sessions/{id}/trigger-subscriptions/{target}",
            put(triggers::update_subscription).delete(triggers::unsubscribe),
        )
        .route("/api/mcp-oauth-callback", get(callbacks::mcp_oauth))
        .route("/api/push/answer", post(callbacks::push_answer))
        .route("/api/spawns/{id}", get(runners::spawn_status))
}

fn runner_routes() -> Router<App> {
    Router::new()
        .route("/api/runners", get(runners::list))
        .route("/api/runners/spawn", post(runners::spawn))
        .route("/api/runners/restart", post(runners::restart))
        .route("/api/runners/stop", post(runners::stop))
        .route("/api/runners/terminal", post(runners::create_terminal))
        .route("/api/runners/{id}", get(runners::get).delete(runners::delete))
        .route("/api/runners/{id}/terminals", get(runners::terminals))
        .route("/api/runners/{id}/terminals/{terminal}", delete(runners::kill_terminal))
        .route("/api/runners/{id}/models", get(runners::models))
        .route("/api/runners/{id}/recent-folders", get(runners::recent_folders).delete(runners::forget_folder))
        .route("/api/runners/{id}/browse", get(runners::browse))
        .route("/api/runners/{id}/services", get(triggers::services))
        .route("/api/runners/{id}/services/{service}/enabled", put(triggers::enable_service))
        .route("/api/runners/{id}/triggers", get(triggers::runner_triggers))
        .route("/api/runners/{id}/schedules", get(triggers::schedules))
        .route("/api/runners/{id}/trigger-listeners", get(triggers::listeners).post(triggers::create_listener))
        .route(
            "/api/runners/{id}/trigger-listeners/{target}",
            put(triggers::update_listener).delete(triggers::delete_listener),
        )
        .route("/api/runners/{id}/trigger-broadcast", post(triggers::broadcast))
        .route("/api/runners/{id}/mcp/reload", post(runner_content::reload_mcp))
}

fn runner_requests() -> Router<App> {
    use {runner_content as content, runner_files as files};
    Router::new()
        .route("/api/runners/{id}/skills", get(content::skills).post(content::create_skill))
        .route("/api/runners/{id}/skills/refresh", post(content::refresh_skills))
        .route("/api/runners/{id}/skills/reload", post(content::reload_skills))
        .route(
            "/api/runners/{id}/skills/{name}",
            get(content::skill).put(content::update_skill).delete(content::delete_skill),
        )
        .route("/api/runners/{id}/agents", get(content::agents).post(content::create_agent))
        .route("/api/runners/{id}/agents/refresh", post(content::refresh_agents))
        .route(
            "/api/runners/{id}/agents/{name}",
            get(content::agent).put(content::update_agent).delete(content::delete_agent),
        )
        .route("/api/runners/{id}/plugins", get(content::plugins))
        .route("/api/runners/{id}/plugins/refresh", post(content::refresh_plugins))
        .route("/api/runners/{id}/packages", get(content::packages))
        .route("/api/runners/{id}/packages/install", post(content::install_package))
        .route("/api/runners/{id}/packages/remove", post(content::remove_package))
        .route("/api/runners/{id}/packages/update", post(content::update_packages))
        .route("/api/runners/{id}/files", post(files::list))
        .route("/api/runners/{id}/search-files", post(files::search))
        .route("/api/runners/{id}/read-file", post(files::read))
        .route("/api/runners/{id}/settings", get(files::settings).put(files::set_settings))
        .route("/api/runners/{id}/sandbox-status", get(files::sandbox))
        .route("/api/runners/{id}/sandbox-config", put(files::set_sandbox))
        .route("/api/runners/{id}/usage", get(files::usage))
        .route("/api/runners/{id}/analysis/{session}", get(files::analysis))
        .route("/api/runners/{id}/providers", get(files::providers))
        .route("/api/runners/{id}/providers/login", post(files::login_start))
        .route("/api/runners/{id}/providers/login/status", get(files::login_status))
        .route("/api/runners/{id}/providers/login/submit", post(files::login_submit))
        .route("/api/runners/{id}/providers/login/cancel", post(files::login_cancel))
}

fn links(app: &App) -> Router<App> {
    let from_the_app = Router::new()
        .route("/api/mobile-link/{id}", get(mobile_link::get))
        .route("/api/mobile-link/{id}/scan", post(mobile_link::scan))
        .route("/api/mobile-link/{id}/redeem", post(mobile_link::redeem))
        .layer(from_fn_with_state(app.clone(), mobile_link::cors));
    Router::new()
        .route("/api/mobile-link", post(mobile_link::create))
        .route("/api/mobile-link/{id}/approve", post(mobile_link::approve))
        .merge(from_the_app)
}

fn hooks() -> Router<App> {
    Router::new()
        .route("/api/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/api/webhooks/{id}", get(webhooks::get).put(webhooks::update).delete(webhooks::delete))
        .route("/api/webhooks/{id}/fire", post(webhooks::fire))
        .route("/api/webhooks/{id}/rotate-secret", post(webhooks::rotate_secret))
        .route("/api/webhooks/{id}/deliveries", get(webhooks::deliveries))
}
