"""Runs under way: what they log survives them at once; what they were is sealed when they end, or die."""
