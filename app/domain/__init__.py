"""One file per resource: plain functions over a session that never commit."""
