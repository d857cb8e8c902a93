"""The public Python face: `init`, `Run`, `Artifact`, `Api`, in the words that W&B's users know. `mlvc` re-exports it."""
