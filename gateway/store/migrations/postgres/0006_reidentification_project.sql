-- Which project an order belongs to, so that a close-out reads its own alone.
ALTER TABLE reidentification ADD COLUMN project_id TEXT NOT NULL DEFAULT '';
UPDATE reidentification SET project_id =
    coalesce(substring(body from '"project_id":"([^"]+)"'), '');
CREATE INDEX reidentification_project ON reidentification (project_id, id);
