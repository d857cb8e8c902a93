"""What mlvc asks of Git, through the user's own `git` program: it runs their filters, hooks and settings."""
