"""Looking after a store: finding and healing damage, dropping what nothing needs."""
