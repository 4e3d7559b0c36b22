"""The same artifact and features behind other servers, as each one's documentation teaches.

Each runs in a virtual environment of its own, which has what `model` needs, and imports `model`
from this repository.
"""
