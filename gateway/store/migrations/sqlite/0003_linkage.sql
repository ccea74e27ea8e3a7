-- Dates that stewards set for rules of the linkage matrix, milliseconds since the epoch.
CREATE TABLE linkage_date (rule TEXT PRIMARY KEY, opens_at BIGINT NOT NULL);
