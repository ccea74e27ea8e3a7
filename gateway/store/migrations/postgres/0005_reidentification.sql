-- Orders of re-identification for a regulator's inquiry; their tokens are objects sealed for
-- the identified zone.
CREATE TABLE reidentification (id TEXT PRIMARY KEY, state TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX reidentification_state ON reidentification (state, id);
