"""HTTP: one router per resource, what they share, and how errors are told."""
