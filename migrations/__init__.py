"""Database migrations (Alembic). `app.db.migrate` applies them."""
