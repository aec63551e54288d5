"""Which files hold which split of which configuration, from a dataset card or from the files' names.

The rules are those of `datasets` ("Repository structure" in its documentation), read from the listing alone: the
card's `configs` first, then names such as `data/train-00000-of-00020.parquet` or `test/0000.parquet`, else all is
train.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError

_SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SHARD = re.compile(r"(?:.*/)?(?P<split>\w[\w.-]*?)-\d{4,6}-of-\d{4,6}(?:-[0-9a-f]+)?\.\w+")
_CONVERTED = re.compile(r"(?P<config>[^/]+)/(?:partial-)?(?P<split>[\w.]+)/\d{4}\.parquet")
_NOT_DATA = (".md", ".gitattributes", ".gitignore", ".py", ".yaml", ".yml", ".txt", "dataset_infos.json", "LICENSE")


@dataclass(frozen=True)
class Layout:
    """The chosen split.

    Attributes:
        config: name of the configuration.
        split: name of the split.
        files: paths of its data files, sorted.
        splits: all splits of the configuration.
        features: the card's features of the configuration (`dataset_info.features`); empty if it says nothing.
        num_rows: rows of the split by the card.
    """

    config: str
    split: str
    files: tuple[str, ...]
    splits: tuple[str, ...]
    features: tuple[Any, ...] = ()
    num_rows: int | None = None


@dataclass
class _Config:
    name: str
    splits: dict[str, list[str]] = field(default_factory=dict)
    default: bool = False


def find_layout(
    paths: Iterable[str], card: dict[str, Any], config: str | None, split: str | None, where: str
) -> Layout | None:
    """The files of the split asked for (by default: of train, else of the first split); None without data files.

    Raises:
        `UserError`: no such configuration or split, or several configurations and none is the default.
    """
    configs = _configs(paths, card)
    if not any(any(found.splits.values()) for found in configs):
        return None
    chosen = _choose_config(configs, config, where)
    name = choose_split(list(chosen.splits), split, where)
    info = _info_of(card, chosen.name, len(configs))
    splits = info.get("splits")
    counts = {entry.get("name"): entry.get("num_examples") for entry in splits or () if isinstance(entry, dict)}
    features = info.get("features")
    return Layout(
        chosen.name,
        name,
        tuple(chosen.splits[name]),
        tuple(chosen.splits),
        tuple(features) if isinstance(features, list) else (),
        counts.get(name),
    )


def config_names(paths: Iterable[str], card: dict[str, Any]) -> list[str]:
    """The configurations that have data files."""
    return [config.name for config in _configs(paths, card) if any(config.splits.values())]


def choose_split(splits: Sequence[str], wanted: str | None, where: str) -> str:
    """The split asked for, else train, else the first.

    Raises:
        `UserError`: there is no such split; it names those there are.
    """
    if wanted is None:
        return "train" if "train" in splits else splits[0]
    if wanted not in splits:
        raise UserError(f"{where} has no split {wanted!r}", _those(splits, wanted, "splits"))
    return wanted


def _configs(paths: Iterable[str], card: dict[str, Any]) -> list[_Config]:
    data = sorted(path for path in paths if not path.endswith(_NOT_DATA) and not path.startswith("."))
    return _card_configs(card, data) or _converted_configs(data) or _named_splits(data)


def _choose_config(configs: Sequence[_Config], wanted: str | None, where: str) -> _Config:
    names = [config.name for config in configs]
    if wanted is not None:
        if wanted not in names:
            raise UserError(f"{where} has no configuration {wanted!r}", _those(names, wanted, "configurations"))
        return configs[names.index(wanted)]
    defaults = [config for config in configs if config.default] or [c for c in configs if c.name == "default"]
    if len(configs) > 1 and len(defaults) != 1:
        raise UserError(f"{where} has several configurations: {', '.join(names)}", "Name one with --config.")
    return defaults[0] if defaults else configs[0]


def _those(names: Sequence[str], wanted: str, what: str) -> str:
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"The {what} are: {listed}." + (f" Did you mean {near[0]!r}?" if near else "")


def _card_configs(card: dict[str, Any], data: Sequence[str]) -> list[_Config]:
    """Configurations as the card's `configs` list them; those without data files of their own go by names."""
    entries = card.get("configs")
    configs = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        folder = str(entry.get("data_dir") or "").strip("./")
        inside = [path for path in data if not folder or path.startswith(folder + "/")]
        found = _Config(str(entry.get("config_name", "default")), default=bool(entry.get("default")))
        if entry.get("data_files") is None:
            found.splits = _named_splits(inside)[0].splits
        else:
            found.splits = _listed_splits(entry["data_files"], data, folder)
        if any(found.splits.values()):
            found.splits = {name: files for name, files in found.splits.items() if files}
            configs.append(found)
    return configs


def _listed_splits(listed: Any, data: Sequence[str], folder: str) -> dict[str, list[str]]:
    """Splits of a `data_files` entry: a pattern, a list of patterns, `{split: patterns}` or `[{split, path}]`."""
    if isinstance(listed, dict):
        pairs = list(listed.items())
    elif isinstance(listed, list) and listed and isinstance(listed[0], dict):
        pairs = [(entry.get("split", "train"), entry.get("path")) for entry in listed if isinstance(entry, dict)]
    else:
        pairs = [("train", listed)]
    splits: dict[str, list[str]] = {}
    for split, patterns in pairs:
        patterns = [patterns] if isinstance(patterns, str) else patterns or []
        full = [f"{folder}/{pattern}" if folder else str(pattern) for pattern in patterns]
        matches = [re.compile(glob_to_regex(pattern.removeprefix("./"))) for pattern in full]
        found = [path for path in data if any(match.fullmatch(path) for match in matches)]
        splits[str(split)] = sorted({*splits.get(str(split), []), *found})
    return splits


def glob_to_regex(pattern: str) -> str:
    """A regular expression for a glob: `**/` any folders, `*` and `?` inside a name, `[abc]`, `{a,b}`."""
    out, index, depth = "", 0, 0
    while index < len(pattern):
        rest = pattern[index:]
        for token, meaning in (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]")):
            if rest.startswith(token):
                out, index = out + meaning, index + len(token)
                break
        else:
            bracket = re.match(r"\[(!?)([^\]]+)\]", rest)
            if bracket:
                out += f"[{'^' if bracket.group(1) else ''}{bracket.group(2)}]"
                index += bracket.end()
                continue
            character = rest[0]
            depth += (character == "{") - (character == "}" and depth > 0)
            special = {"{": "(?:", "}": ")", ",": "|" if depth else ","}
            out += special.get(character, re.escape(character))
            index += 1
    return out


def _converted_configs(data: Sequence[str]) -> list[_Config]:
    """Configurations of the Hub's own conversions: `CONFIG/SPLIT/0000.parquet` throughout."""
    matches = [_CONVERTED.fullmatch(path) for path in data]
    if not data or not all(matches):
        return []
    configs: dict[str, _Config] = {}
    for path, match in zip(data, matches, strict=True):
        assert match is not None
        config = configs.setdefault(match["config"], _Config(match["config"]))
        config.splits.setdefault(match["split"], []).append(path)
    return list(configs.values())


def _named_splits(data: Sequence[str]) -> list[_Config]:
    """One configuration whose splits go by the names of files and folders."""
    parquet = [path for path in data if path.endswith(".parquet")]
    config = _Config("default")
    for path in parquet or data:
        shard = _SHARD.fullmatch(path)
        config.splits.setdefault(shard["split"] if shard else split_of(path), []).append(path)
    if not config.splits:
        return [config]
    if set(config.splits) & {"train", "validation", "test"}:
        config.splits.pop("", None)
    else:
        config.splits["train"] = config.splits.pop("", config.splits.get("train", [])) or []
    order = ["train", "validation", "test"]
    ranked = sorted(config.splits, key=lambda name: order.index(name) if name in order else 3)
    config.splits = {name: config.splits[name] for name in ranked if config.splits[name]}
    return [config]


def split_of(path: str) -> str:
    """The split (`train`, `validation`, `test`) that a folder or the file of a path is called after, '' if none is."""
    for part in reversed(path.lower().split("/")):
        words = set(re.split(r"[^a-z]+", part.rsplit(".", 1)[0]))
        for split, names in _SPLIT_WORDS.items():
            if words & set(names):
                return split
    return ""


def _info_of(card: dict[str, Any], config: str, num_configs: int) -> dict[str, Any]:
    """The card's `dataset_info` of a configuration."""
    info = card.get("dataset_info")
    entries: list[dict[str, Any]] = [
        entry for entry in (info if isinstance(info, list) else [info]) if isinstance(entry, dict)
    ]
    for entry in entries:
        if entry.get("config_name", "default") == config:
            return entry
    return entries[0] if len(entries) == 1 and num_configs == 1 else {}
