"""Sound: of arrays, kept as 16-bit WAV, or of files."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, ClassVar

from mlvc.media import content
from mlvc.media.values import FileMedia, Json, existing_file

_LOUDEST = 32767


class Audio(FileMedia):
    """Sound.

    Args:
        data_or_path: array of shape (samples,) or (samples, channels), floats within [-1, 1] or 16-bit integers; or a file's path.
        sample_rate: samples a second; needed with an array.
        caption: free text.

    Raises:
        ValueError: an array without a sample rate, or no such file.
    """

    __slots__ = ("_duration", "_sample_rate")
    _log_type: ClassVar[str] = "audio-file"
    _folder: ClassVar[str] = "media/audio"

    def __init__(self, data_or_path: Any, sample_rate: int | None = None, caption: str | None = None) -> None:
        self._caption = caption
        self._sample_rate = sample_rate
        self._duration: float | None = None
        if isinstance(data_or_path, (str, os.PathLike)):
            path = existing_file(data_or_path)
            self._content, self._suffix = path, path.suffix[1:].lower() or "wav"
            return
        if sample_rate is None:
            raise ValueError('Argument "sample_rate" is required when instantiating wandb.Audio with raw data.')
        import numpy as np

        samples = np.asarray(data_or_path)
        self._duration = len(samples) / float(sample_rate)
        self._content, self._suffix = _wave(samples, int(sample_rate)), "wav"

    @classmethod
    def durations(cls, audio_list: Sequence[Audio]) -> list[float | None]:
        """Returns the length of each, in seconds; None where only the file knows."""
        return [audio._duration for audio in audio_list]

    @classmethod
    def sample_rates(cls, audio_list: Sequence[Audio]) -> list[int | None]:
        """Returns the sample rate of each."""
        return [audio._sample_rate for audio in audio_list]

    def _details(self) -> Json:
        said = FileMedia._details(self)
        if self._sample_rate is not None:
            said["sample_rate"] = self._sample_rate
        if self._duration is not None:
            said["duration"] = self._duration
        return said

    def _restore(self, entry: Json) -> None:
        self._sample_rate, self._duration = entry.get("sample_rate"), entry.get("duration")

    def to_data_array(self) -> list[Any]:
        """Returns the samples of a WAV file as floats within [-1, 1], of shape (samples,) or (samples, channels)."""
        import wave

        import numpy as np

        with wave.open(io.BytesIO(content.read(self._content))) as file:
            if file.getsampwidth() != 2:
                raise TypeError(f"only 16-bit WAV can be read as an array, this one has {8 * file.getsampwidth()} bits")
            channels = file.getnchannels()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64) / _LOUDEST
        shaped: list[Any] = (samples if channels == 1 else samples.reshape(-1, channels)).tolist()
        return shaped


def _wave(samples: Any, sample_rate: int) -> bytes:
    import wave


    if samples.ndim not in (1, 2):
        raise ValueError(f"sound has shape (samples,) or (samples, channels), found {list(samples.shape)}")
    if samples.dtype.kind == "f":
        samples = (samples.clip(-1, 1) * _LOUDEST).round()
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return written.getvalue()
