"""`python -m mlvc` is `mlvc`."""

from mlvc.cli.main import main

main()
