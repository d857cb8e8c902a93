"""The command line: parse, call one function of the workspace, show the result. `main` is the way in."""
