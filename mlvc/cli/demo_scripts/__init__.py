"""The scripts of the demo, as a user would write them; `mlvc demo` copies them into its repository."""
