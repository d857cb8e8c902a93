"""Where bytes live, by key: the narrow waist. Above it everything speaks ids, below it bytes.

`interface.Backend` is the contract; `local` and `memory` are two of its kinds. Wrappers add retrying or faults.
"""
