#pragma once

namespace hone {

// "hone" in ASCII.
inline constexpr int kSqliteApplicationId = 0x686f6e65;
inline constexpr int kSqliteSchemaVersion = 2;

// Version 2. docs/trial_store.md explains the tables.
inline constexpr char kSqliteSchema[] = R"sql(
CREATE TABLE study (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL,
  spec TEXT NOT NULL,
  spec_hash TEXT NOT NULL,
  seed TEXT NOT NULL,
  program_version TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  trials INTEGER NOT NULL,
  chain TEXT NOT NULL
) STRICT;
CREATE TABLE objective (
  position INTEGER PRIMARY KEY,
  metric TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('minimize', 'maximize'))
) STRICT;
CREATE TABLE study_constraint (
  position INTEGER PRIMARY KEY,
  metric TEXT NOT NULL,
  comparison TEXT NOT NULL CHECK (comparison IN ('<=', '>=')),
  bound REAL NOT NULL
) STRICT;
CREATE TABLE environment (
  id INTEGER PRIMARY KEY,
  content TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE trial (
  id INTEGER PRIMARY KEY,
  study INTEGER NOT NULL REFERENCES study (id),
  number INTEGER NOT NULL,
  architecture TEXT NOT NULL,
  architecture_hash TEXT NOT NULL,
  seed TEXT NOT NULL,
  fidelity TEXT NOT NULL,
  origin TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('complete', 'failed')),
  failure_code TEXT,
  failure_reason TEXT,
  environment INTEGER REFERENCES environment (id),
  finished_at TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  UNIQUE (study, number)
) STRICT;
CREATE TABLE metric (
  trial INTEGER NOT NULL REFERENCES trial (id),
  name TEXT NOT NULL,
  value REAL NOT NULL,
  unit TEXT NOT NULL,
  low REAL,
  high REAL,
  PRIMARY KEY (trial, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE latency_round (
  trial INTEGER NOT NULL REFERENCES trial (id),
  position INTEGER NOT NULL,
  milliseconds REAL NOT NULL,
  PRIMARY KEY (trial, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE kernel (
  trial INTEGER NOT NULL REFERENCES trial (id),
  position INTEGER NOT NULL,
  layer TEXT NOT NULL,
  primitive TEXT NOT NULL,
  precision TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (trial, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE artifact (
  trial INTEGER NOT NULL REFERENCES trial (id),
  position INTEGER NOT NULL,
  role TEXT NOT NULL,
  path TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (trial, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE score (
  trial INTEGER PRIMARY KEY REFERENCES trial (id),
  s1 REAL NOT NULL,
  s2 REAL NOT NULL,
  s3 REAL NOT NULL,
  s4 REAL NOT NULL
) STRICT;
CREATE INDEX score_order ON score (s1, s2, s3, s4);
CREATE VIEW pareto_front AS
SELECT t.number, t.architecture, a.s1, a.s2, a.s3, a.s4
FROM score a JOIN trial t ON t.id = a.trial
WHERE NOT EXISTS (
  SELECT 1 FROM score b
  WHERE b.s1 <= a.s1 AND b.s2 <= a.s2 AND b.s3 <= a.s3 AND b.s4 <= a.s4
    AND (b.s1 < a.s1 OR b.s2 < a.s2 OR b.s3 < a.s3 OR b.s4 < a.s4))
ORDER BY t.number;
)sql";

}  // namespace hone
