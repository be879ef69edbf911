"""Configurations as YAML: read, written, and those that come with the package."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.train.config import TrainConfig
from terrascope_nb.train.stage import LoraConfig

SHIPPED = ("mini", "1b", "8b")


def read_config(name_or_path: str | Path) -> TrainConfig:
    """A shipped configuration by its name, or one from a YAML file.

    Raises
    ------
    NotFound
        When it is neither.
    InvalidInput
        For a file that is no YAML, fields that are not known or not of their type, and contradictions.

    Examples
    --------
    >>> [s.name for s in read_config("8b").stages]
    ['grounding', 'instruction']
    """
    name = str(name_or_path)
    if name in SHIPPED:
        text = (resources.files("terrascope_nb.train") / "configs" / f"{name}.yaml").read_text("utf-8")
        return from_yaml(text, f"{name}.yaml")
    path = Path(name_or_path)
    if not path.is_file():
        raise NotFound(f"there is no file {path}; configurations that come along: {', '.join(SHIPPED)}")
    return from_yaml(path.read_text("utf-8"), path.name)


def from_yaml(text: str, where: str = "the configuration") -> TrainConfig:
    """Read a configuration; `where` begins the messages."""
    yaml = need("yaml", "read a configuration of training", "train")
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise InvalidInput(f"{where} is no YAML: {e}") from e
    try:
        return from_mapping(told)
    except InvalidInput as e:
        raise InvalidInput(f"{where}: {e}") from e


def to_yaml(config: TrainConfig) -> str:
    """A configuration with every field; `from_yaml` gives the same one back."""
    yaml = need("yaml", "write a configuration of training", "train")
    return str(yaml.safe_dump(to_mapping(config), sort_keys=False, allow_unicode=True))


def to_mapping(config: TrainConfig) -> dict[str, Any]:
    """Plain data: dictionaries, lists, numbers and texts."""
    return _plain(asdict(config))


def from_mapping(told: Any) -> TrainConfig:
    """The configuration of plain data."""
    return _build(TrainConfig, told, "")


def shrink(config: TrainConfig, steps: int = 2) -> TrainConfig:
    """The same recipe on a tiny network for a few steps: stages, losses, regions and mixture stay as they are.

    A rehearsal on a CPU of what would fail on the data only hours into a run.
    """
    stages = [
        replace(
            s, steps=steps, epochs=1.0, batch=2 * min(s.per_device, 2), per_device=min(s.per_device, 2),
            lora=None if s.lora is None else LoraConfig(min(s.lora.rank, 4), min(s.lora.alpha, 8), s.lora.dropout),
        )
        for s in config.stages
    ]  # fmt: skip
    network = replace(config.network, shape="tiny", checkpoint="", random_start=True, dtype="fp32")
    data = replace(config.data, workers=0)
    return replace(
        config, name=f"{config.name}-tiny", stages=tuple(stages), network=network, data=data, log_every=1,
        save_every=steps,
    )  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value


def _build(kind: Any, told: Any, where: str) -> Any:
    """A dataclass from a mapping; unknown keys, missing ones and values of another type are named."""
    if not isinstance(told, Mapping):
        raise InvalidInput(f"{where or 'a configuration'} is a mapping of fields, got {type(told).__name__}")
    hints = typing.get_type_hints(kind)
    for name in told:
        if name not in hints:
            raise InvalidInput(unknown(f"field {where + '.' if where else ''}…", str(name), tuple(hints)))
    made = {name: _value(hints[name], value, f"{where}.{name}".strip(".")) for name, value in told.items()}
    missing = [f.name for f in fields(kind) if f.name not in made and _needed(f)]
    if missing:
        raise InvalidInput(f"{where or 'the configuration'} lacks {', '.join(missing)}")
    return kind(**made)


def _needed(f: Any) -> bool:
    return f.default is MISSING and f.default_factory is MISSING


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _value(next(t for t in inner if t is not type(None)), value, where)
    if is_dataclass(hint):
        return _build(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InvalidInput(f"{where} is a list, got {value!r}")
        return tuple(_value(inner[0], v, f"{where}[{k}]") for k, v in enumerate(value))
    if origin is not None:  # Mapping[str, float]
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{where} is a mapping, got {value!r}")
        return {str(k): _value(inner[1], v, f"{where}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):  # YAML 1.1 reads «4e-5» as a text
        try:
            return float(value)
        except ValueError:
            pass
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise InvalidInput(f"{where} is of type {hint.__name__}, got {value!r}")
    return value
