"""The heart: a pure function from a journal's transactions to what people see.

`folding.fold(transaction, look)` returns the changes that a transaction makes to the view; `questions` reads the view.
Both see it only through `look`, so the same code folds into a dictionary in a test and into SQLite on disk. Nothing here
reads a clock, a disk, a network, a locale or the environment.

Start with `folding`, then `facts` (what stands), `aliases` (the multi-value register) and `versions` (numbers, life).
"""
