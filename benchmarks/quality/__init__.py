"""Is one model for all tasks better than the models that it replaces? Run as a module."""
