"""`watch`: histograms of a torch module's weights and gradients, logged beside what the training loop logs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mlvc.errors import UsageError

if TYPE_CHECKING:
    from mlvc.api.tracked_run import Run

GRADIENTS, PARAMETERS, ALL = "gradients", "parameters", "all"
_CHOICES = (GRADIENTS, PARAMETERS, ALL, None)


class Watched:
    """One module: its hooks, until `stop`."""

    def __init__(self, run: Run, module: Any, log: str | None, log_freq: int, prefix: str) -> None:
        self.module = weakref.ref(module)
        self._run = run
        self._every = max(1, log_freq)
        self._hooks: list[Any] = []
        self._passes = 0
        if log in (PARAMETERS, ALL):
            self._hooks.append(module.register_forward_hook(self._log_parameters(prefix)))
        if log in (GRADIENTS, ALL):
            for name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    self._hooks.append(parameter.register_hook(self._log_gradient(f"{GRADIENTS}/{prefix}{name}")))

    def _log_parameters(self, prefix: str) -> Callable[..., None]:
        def hook(module: Any, *_: Any) -> None:
            self._passes += 1
            if self._passes % self._every == 0:
                self._log({f"{PARAMETERS}/{prefix}{name}": p for name, p in module.named_parameters()})

        return hook

    def _log_gradient(self, key: str) -> Callable[[Any], None]:
        seen = 0

        def hook(gradient: Any) -> None:
            nonlocal seen
            seen += 1
            if seen % self._every == 0:
                self._log({key: gradient})

        return hook

    def _log(self, tensors: dict[str, Any]) -> None:
        from mlvc.media.histograms import Histogram

        self._run.log({key: Histogram(tensor) for key, tensor in tensors.items()}, commit=False)

    def stop(self) -> None:
        """Takes the hooks off."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()


def watch(run: Run, models: Any, log: str | None, log_freq: int, idx: int | None, known: int) -> list[Watched]:
    """Hooks into modules.

    Args:
        run: where histograms go, with `commit=False`.
        models: a `torch.nn.Module`, or several.
        log: gradients, parameters, all or None.
        log_freq: each so many passes.
        idx: number of the first module, for its prefix.
        known: how many modules are watched already.

    Raises:
        ValueError: `log` is none of those.
        TypeError: something is no module.
    """
    if log not in _CHOICES:
        raise ValueError("log must be one of 'gradients', 'parameters', 'all', or None")
    several: Sequence[Any] = models if isinstance(models, (list, tuple)) else (models,)
    found = []
    for number, module in enumerate(several, known if idx is None else idx):
        if not hasattr(module, "named_parameters") or not hasattr(module, "register_forward_hook"):
            raise TypeError(f"Expected a pytorch model (torch.nn.Module). Received {type(module)}")
        prefix = f"graph_{number}" if number else ""
        found.append(Watched(run, module, log, log_freq, prefix))
    return found


def unwatch(watched: list[Watched], models: Any) -> list[Watched]:
    """Takes hooks off some modules, or all (None); returns those that stay watched."""
    if models is None:
        several: list[Any] = [one.module() for one in watched]
    else:
        several = list(models) if isinstance(models, (list, tuple)) else [models]
    for module in several:
        if module is not None and not any(one.module() is module for one in watched):
            raise UsageError("the module is not watched")
    gone = [one for one in watched if one.module() is None or any(one.module() is module for module in several)]
    for one in gone:
        one.stop()
    return [one for one in watched if one not in gone]
