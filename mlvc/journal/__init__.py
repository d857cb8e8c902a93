"""Numbered entries, pending transactions, and the cached view that both fold to."""
