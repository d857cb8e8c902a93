"""One repository on one backend: the only layer that appends to a journal. `repository.Repository` is the way in."""
