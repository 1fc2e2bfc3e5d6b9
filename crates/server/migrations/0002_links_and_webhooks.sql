-- What may be used once.
CREATE TABLE nonce (
    value TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX nonce_by_expiry ON nonce (expires_at);

-- A phone that is being linked. Secrets are hashed or sealed with the link's id, which only its holders know.
CREATE TABLE mobile_link (
    id_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    relay_url TEXT NOT NULL,
    verification TEXT,
    device_name TEXT,
    scanned_url TEXT,
    key_expires_at BIGINT,
    sealed_key TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX mobile_link_by_expiry ON mobile_link (expires_at);

CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Sealed with the server's secret: it is needed in clear to check signatures.
    sealed_secret TEXT NOT NULL,
    secret_tail TEXT NOT NULL,
    source TEXT NOT NULL,
    event_filter TEXT,
    runner_id TEXT,
    cwd TEXT,
    prompt TEXT,
    model TEXT,
    enabled BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhook_by_user ON webhook (user_id, created_at);

-- Accepted deliveries: started by whoever finds them, once.
CREATE TABLE webhook_delivery (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    session_id TEXT,
    attempts BIGINT NOT NULL DEFAULT 0,
    message TEXT,
    next_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (state, next_at);
CREATE INDEX webhook_delivery_by_webhook ON webhook_delivery (webhook_id, created_at);

-- The key pair browsers know this server's notifications by.
CREATE TABLE vapid_key (
    id BIGINT PRIMARY KEY,
    public_key TEXT NOT NULL,
    private_key {{bytes}} NOT NULL,
    created_at BIGINT NOT NULL
);
