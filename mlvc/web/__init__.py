"""A local web site of one repository: registry, lineage, runs and artifacts, as pages and as JSON."""
