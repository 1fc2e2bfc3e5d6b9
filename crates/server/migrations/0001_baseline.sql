-- Accounts and credentials.

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    email_verified BIGINT NOT NULL DEFAULT 0,
    image TEXT,
    password TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- One row; locking it makes "is there an account yet?" and the insert one step.
CREATE TABLE signup_gate (
    id BIGINT PRIMARY KEY,
    passed BIGINT NOT NULL
);
INSERT INTO signup_gate (id, passed) VALUES (1, 0);

CREATE TABLE login (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE,
    remember BIGINT NOT NULL,
    ip_address TEXT,
    user_agent TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_by_user ON login (user_id);
CREATE INDEX login_by_expiry ON login (expires_at);

CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT,
    prefix TEXT,
    start TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,
    label TEXT,
    enabled BIGINT NOT NULL DEFAULT 1,
    expires_at BIGINT,
    remaining BIGINT,
    request_count BIGINT NOT NULL DEFAULT 0,
    last_request BIGINT,
    last_address TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX api_key_by_user ON api_key (user_id, created_at);

CREATE TABLE device_claim (
    token_hash TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    relay_url TEXT NOT NULL,
    label TEXT,
    requester_address TEXT,
    user_id TEXT,
    key_id TEXT,
    sealed_key TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    approved_at BIGINT,
    redeemed_at BIGINT
);
CREATE INDEX device_claim_by_expiry ON device_claim (expires_at);

-- Credentials taken back, for nodes that did not do it themselves.
CREATE TABLE revocation (
    id {{auto_id}},
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE audit (
    id {{auto_id}},
    at BIGINT NOT NULL,
    user_id TEXT,
    action TEXT NOT NULL,
    subject TEXT,
    address TEXT,
    detail TEXT
);
CREATE INDEX audit_by_user ON audit (user_id, id);

-- Runners and sessions.

CREATE TABLE runner (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    name TEXT,
    info TEXT NOT NULL DEFAULT '{}',
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);
CREATE INDEX runner_by_user ON runner (user_id);

CREATE TABLE relay_session (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    user_name TEXT,
    cwd TEXT NOT NULL,
    share_url TEXT NOT NULL,
    name TEXT,
    named_by_user BIGINT NOT NULL DEFAULT 0,
    is_ephemeral BIGINT NOT NULL,
    is_pinned BIGINT NOT NULL DEFAULT 0,
    runner_id TEXT,
    runner_name TEXT,
    parent_session_id TEXT,
    model TEXT,
    life TEXT NOT NULL,
    epoch BIGINT NOT NULL DEFAULT 0,
    head_seq BIGINT NOT NULL DEFAULT 0,
    started_at BIGINT NOT NULL,
    last_active_at BIGINT NOT NULL,
    ended_at BIGINT,
    expires_at BIGINT
);
CREATE INDEX relay_session_by_user ON relay_session (user_id, last_active_at, id);
CREATE INDEX relay_session_by_expiry ON relay_session (expires_at);
CREATE INDEX relay_session_by_runner ON relay_session (runner_id);

CREATE TABLE relay_session_snapshot (
    session_id TEXT PRIMARY KEY REFERENCES relay_session (id) ON DELETE CASCADE,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    state {{bytes}} NOT NULL
);

CREATE TABLE command (
    ordinal {{auto_id}},
    session_id TEXT NOT NULL,
    command_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device TEXT,
    kind TEXT NOT NULL,
    composed_epoch BIGINT,
    composed_seq BIGINT,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    code TEXT,
    message TEXT,
    acted_by TEXT,
    created_at BIGINT NOT NULL,
    deadline BIGINT,
    state_at BIGINT NOT NULL,
    UNIQUE (session_id, command_id)
);
CREATE INDEX command_open ON command (session_id, state, ordinal);
CREATE INDEX command_by_age ON command (state, state_at);
CREATE INDEX command_by_deadline ON command (state, deadline);

CREATE TABLE decision (
    session_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    detail TEXT NOT NULL,
    options TEXT NOT NULL,
    default_option TEXT,
    deadline BIGINT,
    created_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    answered_by TEXT,
    device TEXT,
    option TEXT,
    answer TEXT,
    ended_at BIGINT,
    PRIMARY KEY (session_id, decision_id)
);
CREATE INDEX decision_open ON decision (user_id, state, created_at);
CREATE INDEX decision_by_deadline ON decision (state, deadline);

CREATE TABLE trigger_history (
    ordinal {{auto_id}},
    session_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    entry TEXT NOT NULL,
    at BIGINT NOT NULL,
    UNIQUE (session_id, trigger_id)
);

CREATE TABLE trigger_subscription (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    runner_id TEXT NOT NULL,
    trigger_type TEXT NOT NULL,
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX trigger_subscription_by_session ON trigger_subscription (session_id, trigger_type);
CREATE INDEX trigger_subscription_by_runner ON trigger_subscription (runner_id, trigger_type);

CREATE TABLE trigger_listener (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    runner_id TEXT NOT NULL,
    trigger_type TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX trigger_listener_by_runner ON trigger_listener (runner_id, trigger_type);

-- What a person set.

CREATE TABLE hidden_model (
    user_id TEXT NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (user_id, model)
);

CREATE TABLE preference (
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, name)
);

CREATE TABLE recent_folder (
    user_id TEXT NOT NULL,
    runner_id TEXT NOT NULL,
    path TEXT NOT NULL,
    uses BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, runner_id, path)
);

CREATE TABLE push_subscription (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    p256dh TEXT NOT NULL,
    auth TEXT NOT NULL,
    events TEXT NOT NULL DEFAULT '*',
    suppress_children BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    UNIQUE (user_id, endpoint)
);

CREATE TABLE attachment (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    uploader_id TEXT,
    filename TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    extracted BIGINT NOT NULL DEFAULT 0,
    digest TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX attachment_by_session ON attachment (session_id);
CREATE INDEX attachment_by_owner ON attachment (owner_id, digest);
CREATE INDEX attachment_by_expiry ON attachment (expires_at);
