-- Sessions as they were marked, by both clocks: the wall clock may be stepped, the monotonic one starts at boot.
CREATE TABLE sessions (
  session TEXT PRIMARY KEY,
  device TEXT NOT NULL,
  mode TEXT NOT NULL,
  start_ns INTEGER NOT NULL,
  end_ns INTEGER,
  start_monotonic_ns INTEGER,
  end_monotonic_ns INTEGER,
  boot TEXT,
  notes TEXT NOT NULL DEFAULT ''
);
CREATE INDEX flows_by_time ON flows (last_seen);
CREATE INDEX exchanges_by_time ON exchanges ("end");
CREATE INDEX exchanges_by_flow ON exchanges (flow_id);
CREATE INDEX tls_by_time ON tls (time);
CREATE INDEX dns_by_time ON dns (time);
CREATE INDEX http_by_time ON http (time);
