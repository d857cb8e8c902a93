"""Lineage: a graph of runs and artifact versions, walked and drawn. Pure: reads nothing, asks only its arguments."""
