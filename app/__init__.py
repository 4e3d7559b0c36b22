"""The service: HTTP, database, jobs."""
