"""Between two stores: copy the packs that are missing, then append to the journal."""
