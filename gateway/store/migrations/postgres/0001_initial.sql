-- The gateway's state. Bodies are the domain's types as JSON; the other columns are
-- what is looked up by. Rows change only inside the
-- writer's transactions, which run one after the other.

CREATE TABLE log_entry (
  entry_index BIGINT PRIMARY KEY,
  leaf BYTEA NOT NULL,
  leaf_hash BYTEA NOT NULL
);
CREATE TABLE checkpoint (tree_size BIGINT PRIMARY KEY, note TEXT NOT NULL);

CREATE TABLE organisation (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE person (
  id TEXT PRIMARY KEY,
  oidc_issuer TEXT NOT NULL,
  oidc_subject TEXT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (oidc_issuer, oidc_subject)
);
CREATE TABLE invitation (
  code_sha256 TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  expires_at BIGINT NOT NULL
);
CREATE TABLE credential (
  id TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  body TEXT NOT NULL
);
CREATE INDEX credential_person ON credential (person_id);
CREATE TABLE session (
  id TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id),
  ended_at BIGINT,
  body TEXT NOT NULL
);
CREATE INDEX session_person ON session (person_id);
CREATE TABLE worker (id TEXT PRIMARY KEY, name TEXT NOT NULL);

CREATE TABLE dataset (
  dataset_id TEXT NOT NULL,
  version TEXT NOT NULL,
  registered_at BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (dataset_id, version)
);
CREATE TABLE project (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE project_handler (
  person_id TEXT NOT NULL REFERENCES person (id),
  project_id TEXT NOT NULL REFERENCES project (id),
  PRIMARY KEY (person_id, project_id)
);

CREATE TABLE module (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES project (id),
  state TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX module_project ON module (project_id, id);
CREATE INDEX module_state ON module (state, id);

CREATE TABLE run (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES project (id),
  module_id TEXT NOT NULL REFERENCES module (id),
  state TEXT NOT NULL,
  lease_expires_at BIGINT,
  request_key TEXT UNIQUE,
  body TEXT NOT NULL
);
CREATE INDEX run_project ON run (project_id, id);
CREATE INDEX run_state ON run (state, id);

CREATE TABLE output (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES run (id),
  ordinal BIGINT NOT NULL,
  released BIGINT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (run_id, ordinal)
);

CREATE TABLE review_request (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES project (id),
  run_id TEXT NOT NULL REFERENCES run (id),
  state TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX review_state ON review_request (state, id);
CREATE INDEX review_project ON review_request (project_id, id);
-- A run is under at most one request.
CREATE UNIQUE INDEX review_run ON review_request (run_id);

CREATE TABLE release (
  id TEXT PRIMARY KEY,
  review_request_id TEXT NOT NULL UNIQUE REFERENCES review_request (id),
  project_id TEXT NOT NULL REFERENCES project (id),
  body TEXT NOT NULL
);
CREATE INDEX release_project ON release (project_id, id);

CREATE TABLE alert (id TEXT PRIMARY KEY, body TEXT NOT NULL);

-- Keys wrapped by the gateway's own vault (projects) or by a project's key (the rest).
-- Dataset keys never come here.
CREATE TABLE wrapped_key (scope TEXT PRIMARY KEY, wrapped BYTEA NOT NULL);
