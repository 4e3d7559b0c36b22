"""From an upload to checked, deduplicated Parquet parts, and back to frames."""
