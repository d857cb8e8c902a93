"""What bytes mean: ids, records, names and paths. Pure: reads no disk, clock, network or environment.

docs/format/ specifies every byte written here; a change starts there.
"""
