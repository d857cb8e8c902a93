"""Content by id: cutting files into chunks, packing them, finding and reading them back, proven.

`ingest` writes, `store` reads, `pack_index` knows which pack holds what, `closure` says what a transaction needs.
"""
