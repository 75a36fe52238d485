-- What has come in the last half minute: one moment's rows of one table, as journal.py packs them.
CREATE TABLE journal (
  number INTEGER PRIMARY KEY,
  moment INTEGER NOT NULL,
  name TEXT NOT NULL,
  rows INTEGER NOT NULL,
  data BLOB NOT NULL
);
-- When the wall clock was stepped while a capture ran: times before are of the old clock, times from then on of the new.
CREATE TABLE clock_steps (
  at_ns INTEGER NOT NULL,
  step_ns INTEGER NOT NULL,
  monotonic_ns INTEGER NOT NULL,
  boot TEXT
);
