"""What a run is missing, found without fetching, asking or reading anything."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from affectlm.config.asking import asking_of, permission_of
from affectlm.config.components import Components, assemble_run, described, run_kinds
from affectlm.config.compose import compose, to_plain
from affectlm.config.settings import RunSettings, settings
from affectlm.errors import AffectlmError
from affectlm.registry import Registry
from affectlm.store.cache import cache_folder
from affectlm.weights.named import fetching


def examine(words: Sequence[str]) -> list[dict[str, str]]:
    """One row per thing that the run needs: `item`, `status` (ok or missing), `detail` (what was found or to do)."""
    rows = [_row("python", f"{platform.python_version()}, {os.cpu_count()} processors"), _cache_row()]
    registry = Registry.installed()
    rows += [_row(f"plugin {plugin.name}", plugin.error, missing=True) for plugin in registry.broken]
    try:
        config = to_plain(compose(words))
        chosen = settings(config, RunSettings)
    except AffectlmError as error:
        return [*rows, _row("configuration", str(error), missing=True)]
    components = Components.of(config, registry, chosen)
    token = fetching.set(False)
    try:
        built: dict[str, list[Any]] = {kind: [] for kind in run_kinds(chosen)}
        wanted = components.wanted(run_kinds(chosen))
        rows += [_component_row(components, kind, options, built[kind]) for kind, options in wanted]
        return [*rows, *_fit_rows(components, chosen, built), *_asking_rows(chosen, built)]
    finally:
        fetching.reset(token)


def _component_row(
    components: Components, kind: str, options: Mapping[str, object], built: list[Any]
) -> dict[str, str]:
    """The row of a component; adds the component to `built` if it can be built."""
    item = f"{kind} {options.get('name', '')}"
    try:
        built.append(components.build(kind, options))
    except AffectlmError as error:
        return _row(item, str(error), missing=True)
    said = described(built[-1])
    return _row(item, f"ready, {said['chosen']}" if "chosen" in said else "ready")


def _fit_rows(components: Components, chosen: RunSettings, built: Mapping[str, list[Any]]) -> list[dict[str, str]]:
    """A row if all components exist but do not fit together or do not fit the settings."""
    if sum(map(len, built.values())) < len(components.wanted(run_kinds(chosen))):
        return []
    try:
        assemble_run(components, chosen, built)
    except AffectlmError as error:
        return [_row("components", str(error), missing=True)]
    return []


def _asking_rows(chosen: RunSettings, built: Mapping[str, list[Any]]) -> list[dict[str, str]]:
    """A row if prompt and language model exist but do not fit each other or the settings."""
    try:
        for prompt in built["prompt"]:
            for llm in built["llm"]:
                permission_of(chosen, llm)
                asking_of(chosen, prompt, llm).check()
    except AffectlmError as error:
        return [_row("asking", str(error), missing=True)]
    return []


def _cache_row() -> dict[str, str]:
    folder = cache_folder()
    above = next(path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(above, os.W_OK) and above.is_dir()
    detail = str(folder) if writable else f"'{above}' cannot be written; set AFFECTLM_CACHE or add cache=off"
    return _row("cache folder", detail, missing=not writable)


def _row(item: str, detail: str, *, missing: bool = False) -> dict[str, str]:
    return {"item": item, "status": "missing" if missing else "ok", "detail": detail}
