"""A repository plus a person's files and Git checkout. `workspace.Workspace` opens it; each module here is one concern.

This layer passes the siblings below it (working tree, runs, sync, maintenance, Git) what they need of each other.
"""
