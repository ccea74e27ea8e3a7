-- Tables of a project's own. What they hold is sealed beside the modules.
CREATE TABLE bring_in (
  id TEXT COLLATE "C" PRIMARY KEY,
  project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
  table_name TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX bring_in_project ON bring_in (project_id, id);
CREATE INDEX bring_in_state ON bring_in (state, id);
-- A project has at most one that stands under a name.
CREATE UNIQUE INDEX bring_in_name ON bring_in (project_id, table_name)
  WHERE state IN ('submitted', 'approved');
