"""Backends of carriers: places that ignore, or refuse, the condition 'only if nothing is there'.

What a carrier holds is named by its content or copied from a journal, so writing it twice writes the same bytes.
"""

from __future__ import annotations

from mlvc.backend.object_store import ObjectStoreBackend
from mlvc.backend.remote_folder import RemoteFolder


class CarrierFolder(RemoteFolder):
    """See `Backend`. A folder on a file system without hard links, as a USB stick's."""

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`; of two at once, both may be told True."""
        if self.size(key) is not None:
            return False
        self.write(key, [data])
        return True


class CarrierBucket(ObjectStoreBackend):
    """See `Backend`. A bucket whose store does not honour conditional writes."""

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend.create`; of two at once, both may be told True."""
        if self.size(key) is not None:
            return False
        self.write(key, [data])
        return True
