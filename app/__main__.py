"""`python -m app` is the command `ssmtl`."""

from app.cli import main

main()
