-- The gateway's state. Bodies are the domain's types as JSON; the other columns are
-- what is looked up by. Rows change only inside the
-- writer's transactions, which run one after the other. Text sorts by its bytes whatever
-- the database's locale, as in SQLite: listings page by it.

CREATE TABLE log_entry (
  entry_index BIGINT PRIMARY KEY,
  leaf BYTEA NOT NULL,
  leaf_hash BYTEA NOT NULL
);
CREATE TABLE checkpoint (tree_size BIGINT PRIMARY KEY, note TEXT NOT NULL);

CREATE TABLE organisation (id TEXT COLLATE "C" PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE person (
  id TEXT COLLATE "C" PRIMARY KEY,
  oidc_issuer TEXT COLLATE "C" NOT NULL,
  oidc_subject TEXT COLLATE "C" NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (oidc_issuer, oidc_subject)
);
CREATE TABLE invitation (
  code_sha256 TEXT COLLATE "C" PRIMARY KEY,
  person_id TEXT COLLATE "C" NOT NULL REFERENCES person (id),
  expires_at BIGINT NOT NULL
);
CREATE TABLE credential (
  id TEXT COLLATE "C" PRIMARY KEY,
  person_id TEXT COLLATE "C" NOT NULL REFERENCES person (id),
  body TEXT NOT NULL
);
CREATE INDEX credential_person ON credential (person_id);
CREATE TABLE session (
  id TEXT COLLATE "C" PRIMARY KEY,
  person_id TEXT COLLATE "C" NOT NULL REFERENCES person (id),
  ended_at BIGINT,
  body TEXT NOT NULL
);
CREATE INDEX session_person ON session (person_id);
CREATE TABLE worker (id TEXT COLLATE "C" PRIMARY KEY, name TEXT COLLATE "C" NOT NULL);

CREATE TABLE dataset (
  dataset_id TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  registered_at BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (dataset_id, version)
);
CREATE TABLE project (id TEXT COLLATE "C" PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE project_handler (
  person_id TEXT COLLATE "C" NOT NULL REFERENCES person (id),
  project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
  PRIMARY KEY (person_id, project_id)
);

CREATE TABLE module (
  id TEXT COLLATE "C" PRIMARY KEY,
  project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
  state TEXT COLLATE "C" NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX module_project ON module (project_id, id);
CREATE INDEX module_state ON module (state, id);

CREATE TABLE run (
  id TEXT COLLATE "C" PRIMARY KEY,
  project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
  module_id TEXT COLLATE "C" NOT NULL REFERENCES module (id),
  state TEXT COLLATE "C" NOT NULL,
  lease_expires_at BIGINT,
  request_key TEXT COLLATE "C" UNIQUE,
  body TEXT NOT NULL
);
CREATE INDEX run_project ON run (project_id, id);
CREATE INDEX run_state ON run (state, id);

CREATE TABLE output (
  id TEXT COLLATE "C" PRIMARY KEY,
  run_id TEXT COLLATE "C" NOT NULL REFERENCES run (id),
  ordinal BIGINT NOT NULL,
  released BIGINT NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (run_id, ordinal)
);

CREATE TABLE review_request (
  id TEXT COLLATE "C" PRIMARY KEY,
  project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
  run_id TEXT COLLATE "C" NOT NULL REFERENCES run (id),
  state TEXT COLLATE "C" NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX review_state ON review_request (state, id);
CREATE INDEX review_project ON review_request (project_id, id);
-- A run is under at most one request.
CREATE UNIQUE INDEX review_run ON review_request (run_id);

CREATE TABLE release (
  id TEXT COLLATE "C" PRIMARY KEY,
  review_request_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES review_request (id),
  project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
  body TEXT NOT NULL
);
CREATE INDEX release_project ON release (project_id, id);

CREATE TABLE alert (id TEXT COLLATE "C" PRIMARY KEY, body TEXT NOT NULL);

-- Keys wrapped by the gateway's own vault (projects) or by a project's key (the rest).
-- Dataset keys never come here.
CREATE TABLE wrapped_key (scope TEXT COLLATE "C" PRIMARY KEY, wrapped BYTEA NOT NULL);
