-- Erasure records of closed projects; pending until their sealed objects are gone.
CREATE TABLE erasure (
  project_id TEXT PRIMARY KEY REFERENCES project (id),
  pending BIGINT NOT NULL,
  body TEXT NOT NULL
);
