-- Every fold touched most pages of it, and only a start after a kill asked it anything: SQLite makes one of its own then.
DROP INDEX exchanges_by_flow;
