"""The public Python face: what scripts written for W&B call.

`beginning.init` starts a run, `tracked_run.Run` is one, `artifacts.Artifact` what it logs and uses, `public_api.Api` reads
without recording.
"""
