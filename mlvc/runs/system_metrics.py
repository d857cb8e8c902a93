"""What the machine does while a run goes on: processor, memory, disk, network, and NVIDIA's cards where there are some.

Names and units are W&B's: percentages, and megabytes where the name ends in MB.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

FIRST_S = 2.0
"""The first look is taken after this many seconds: shorter runs are not worth the imports."""

INTERVAL_S = 15.0
_MB = 1 << 20


class Sampler:
    """A thread that looks at the machine now and then, and hands what it saw to `write`."""

    def __init__(self, write: Callable[[dict[str, float]], None], interval_s: float = INTERVAL_S) -> None:
        self._write = write
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_now_and_then, name="mlvc-system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; a look that is being taken is waited for."""
        self._stopped.set()
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join()

    def _look_now_and_then(self) -> None:
        if self._stopped.wait(min(FIRST_S, self._interval_s)):
            return
        look = Machine()
        while True:
            self._write(look.seen())
            if self._stopped.wait(self._interval_s):
                return


class Machine:
    """This process and the machine it runs on."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._process = psutil.Process()
        self._process.cpu_percent()
        psutil.cpu_percent()
        self._cards = _cards()

    def seen(self) -> dict[str, float]:
        """Returns what can be seen now."""
        memory = self._psutil.virtual_memory()
        found = {
            "system.cpu": float(self._psutil.cpu_percent()),
            "system.memory_percent": float(memory.percent),
            "system.proc.memory.availableMB": memory.available / _MB,
        }
        found |= self._of_process()
        network = self._psutil.net_io_counters()
        if network is not None:
            found |= {"system.network.sent": float(network.bytes_sent), "system.network.recv": float(network.bytes_recv)}
        for number, card in enumerate(self._cards):
            found |= {f"system.gpu.{number}.{name}": value for name, value in card().items()}
        return found

    def _of_process(self) -> dict[str, float]:
        try:
            with self._process.oneshot():
                resident = self._process.memory_info().rss
                return {
                    "system.proc.cpu.percent": float(self._process.cpu_percent()),
                    "system.proc.cpu.threads": float(self._process.num_threads()),
                    "system.proc.memory.rssMB": resident / _MB,
                    "system.proc.memory.percent": float(self._process.memory_percent()),
                }
        except self._psutil.Error:
            return {}


def _cards() -> list[Callable[[], dict[str, float]]]:
    """Returns what asks each NVIDIA card; none where NVIDIA's library or its Python face is missing."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []

    def asking(handle: Any) -> Callable[[], dict[str, float]]:
        def ask() -> dict[str, float]:
            try:
                use = pynvml.nvmlDeviceGetUtilizationRates(handle)
                memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
                return {
                    "gpu": float(use.gpu),
                    "memory": float(use.memory),
                    "memoryAllocated": 100.0 * memory.used / memory.total,
                    "memoryAllocatedBytes": float(memory.used),
                    "temp": float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
                    "powerWatts": pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,
                }
            except pynvml.NVMLError:
                return {}

        return ask

    return [asking(handle) for handle in handles]
