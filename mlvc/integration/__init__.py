"""Other people's frameworks: one module each, named and laid out as `wandb.integration` has it, and one test file each.

A module is written so that importing it loads no framework: what derives from the framework's own classes is made when it is
first asked for (see `keras`). It speaks to runs through the public API alone, like a user's script.
"""
