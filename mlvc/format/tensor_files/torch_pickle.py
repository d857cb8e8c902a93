"""What the pickle in a PyTorch archive says of its tensors: names, dtypes, shapes. Followed as data; nothing it names is run.

`torch.save` pickles a structure of dicts and lists in which each tensor is a call of `torch._utils._rebuild_tensor_v2` with a
storage (a persistent id: which member of the archive, and of what type), an offset, a shape and strides. This module keeps a
stack as a pickle machine would, but calls stay descriptions: `_Call(name, arguments)`. A pickle that does anything unusual
yields fewer names, never an action. Opcodes: https://docs.python.org/3/library/pickletools.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from msgspec import Struct

MAX_SIZE = 64 << 20
"""Larger pickles, in bytes, are not followed."""

_MAX_DEPTH = 32

_DTYPES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16", "LongStorage": "I64",
    "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "int16": "I16",
    "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""torch's names -> the names of safetensors."""


class Named(Struct, frozen=True):
    """A tensor that is the whole of one storage, or a storage that several share; then the shape is flat.

    Attributes:
        name: the keys down to it, joined by dots.
        dtype: as safetensors names it; "" for one that it has no name for.
        shape: elements along each axis.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


class _Name(Struct, frozen=True):
    """A function or class, by what it is called."""

    text: str


class _Call(Struct, frozen=True):
    """What calling something would make."""

    of: Any
    arguments: Any


class _Stored(Struct, frozen=True):
    """A persistent id."""

    said: Any


_MARK = object()


def tensors(data: bytes) -> dict[str, Named]:
    """Returns what each storage of an archive holds, by the storage's key; what could not be followed is left out."""
    found: dict[str, list[tuple[str, str, tuple[int, ...], int]]] = {}
    sizes: dict[str, int] = {}
    try:
        top = _followed(data)
        for name, call in _walk(top, "", 0, set()):
            said = _tensor(call)
            if said is not None:
                key, dtype, shape, offset, size = said
                found.setdefault(key, []).append((name, dtype, shape, offset))
                sizes[key] = size
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, RecursionError, OverflowError):
        return {}
    return {key: _named(views, sizes[key]) for key, views in found.items()}


def _named(views: list[tuple[str, str, tuple[int, ...], int]], size: int) -> Named:
    name, dtype, shape, offset = views[0]
    is_whole = offset == 0 and prod(shape) == size
    return Named(name, dtype, shape if is_whole else (size,))


def _tensor(call: Any) -> tuple[str, str, tuple[int, ...], int, int] | None:
    """Returns storage key, dtype, shape, offset in elements, and elements of the storage, of a call that rebuilds a tensor."""
    while isinstance(call, _Call) and isinstance(call.of, _Name) and call.of.text.startswith("torch._utils _rebuild_parameter"):
        call = call.arguments[0]
    if not isinstance(call, _Call) or not isinstance(call.of, _Name) or not call.of.text.startswith("torch._utils _rebuild_tensor"):
        return None
    stored, offset, shape, strides = call.arguments[:4]
    _, kind, key, _, size = stored.said
    type_name = kind.text.rpartition(" ")[2]
    if type_name == "UntypedStorage":  # version 3 of the call names the dtype itself; sizes are then bytes
        type_name = next((a.text.rpartition(" ")[2] for a in call.arguments[4:] if isinstance(a, _Name) and a.text.startswith("torch ")), "")
        return None if type_name not in _DTYPES else _untyped(key, _DTYPES[type_name], shape, offset, size)
    if not _is_contiguous(shape, strides):
        shape = (prod(shape),) if prod(shape) == size else (size,)
    return str(key), _DTYPES.get(type_name, ""), _shape(shape), int(offset), int(size)


def _untyped(key: Any, dtype: str, shape: Any, offset: Any, size: Any) -> tuple[str, str, tuple[int, ...], int, int]:
    width = 1 if dtype == "BOOL" else int(dtype.lstrip("BFIU")) // 8
    return str(key), dtype, _shape(shape), int(offset), int(size) // width


def _shape(given: Any) -> tuple[int, ...]:
    if any(type(n) is not int or n < 0 for n in given):
        raise ValueError("a shape is no list of sizes")
    return tuple(given)


def _is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _walk(value: Any, name: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yields every call in nested containers, with the keys that lead there; what stands in two places, once."""
    if depth > _MAX_DEPTH or id(value) in seen:
        return
    if isinstance(value, (dict, list, tuple)):
        seen.add(id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _walk(item, f"{name}.{key}" if name else str(key), depth + 1, seen)
    elif isinstance(value, _Call):
        yield name or "tensor", value


def _followed(data: bytes) -> Any:
    """Returns what a pickle describes: containers and plain values as such, calls and names as descriptions."""
    from pickletools import genops

    machine = _Machine()
    for opcode, argument, _ in genops(data):
        if opcode.name == "STOP":
            return machine.stack[-1]
        step = _STEPS.get(opcode.name)
        if step is not None:
            step(machine, argument)
        elif opcode.arg is not None and not opcode.stack_before and len(opcode.stack_after) == 1:
            machine.stack.append(argument)  # a number, a text, bytes
        else:
            raise ValueError(f"the pickle does something else: {opcode.name}")
    raise ValueError("the pickle does not end")


class _Machine:
    """A pickle machine's stack and memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
        taken = self.stack[at + 1 :]
        del self.stack[at:]
        return taken

    def pack(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def name(self) -> None:
        function, module = self.pop(), self.pop()
        self.push(_Name(f"{module} {function}"))

    def call(self) -> None:
        arguments, of = self.pop(), self.pop()
        is_ordered = isinstance(of, _Name) and of.text == "collections OrderedDict"
        self.push((dict(arguments[0]) if arguments else {}) if is_ordered else _Call(of, arguments))

    def put_pairs(self, taken: list[Any]) -> None:
        if isinstance(self.stack[-1], dict):
            pairs = zip(taken[::2], taken[1::2], strict=True)
            self.stack[-1].update((key, value) for key, value in pairs if isinstance(key, (str, int)))

    def extend(self, taken: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(taken)

    def build(self) -> None:
        state = self.pop()
        if isinstance(self.stack[-1], _Call) and isinstance(state, dict):
            self.stack[-1] = state  # a module pickled whole: its attributes are what it holds

    def remember(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def pop_pair(self) -> list[Any]:
        value, key = self.pop(), self.pop()
        return [key, value]


_Step = Callable[[_Machine, Any], None]
_STEPS: dict[str, _Step] = {
    "PROTO": lambda _machine, _: None,
    "FRAME": lambda _machine, _: None,
    "MARK": lambda machine, _: machine.push(_MARK),
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.to_mark().clear(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "PUT"), lambda machine, key: machine.remember(int(key))),
    **dict.fromkeys(("BINGET", "LONG_BINGET", "GET"), lambda machine, key: machine.push(machine.memo[int(key)])),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_SET": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.to_mark())),
    "TUPLE1": lambda machine, _: machine.pack(1),
    "TUPLE2": lambda machine, _: machine.pack(2),
    "TUPLE3": lambda machine, _: machine.pack(3),
    "LIST": lambda machine, _: machine.push(machine.to_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.put_pairs(machine.pop_pair()),
    "SETITEMS": lambda machine, _: machine.put_pairs(machine.to_mark()),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.to_mark()),
    "GLOBAL": lambda machine, named: machine.push(_Name(named)),
    "STACK_GLOBAL": lambda machine, _: machine.name(),
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
    "PERSID": lambda machine, said: machine.push(_Stored(said)),
    "BINPERSID": lambda machine, _: machine.push(_Stored(machine.pop())),
}
"""Opcode -> what it does to the machine. Others that only push a value are known by their own description."""
