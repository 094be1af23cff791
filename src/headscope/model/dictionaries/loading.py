"""Getting transcoders: from a folder, or from the Hub."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from headscope.arguments import checked
from headscope.errors import HeadscopeError, ModelError
from headscope.model.dictionaries import circuit_tracer, sae_lens
from headscope.model.dictionaries.files import refuse_pickle
from headscope.model.dictionaries.transcoders import Transcoders

_PATTERNS = ("*.safetensors", circuit_tracer.CONFIG, sae_lens.CONFIG)
_MOST_CONFIGS = 1000


@checked
def load_transcoders(source: str | Path, *, revision: str | None = None) -> Transcoders:
    """Open the transcoders of every layer of a model, without pickle.

    Weights are memory-mapped: opening a set reads little more than its headers.

    Args:
        source: A folder in circuit-tracer's format (config.yaml beside one file per layer) or in
            SAELens's (in it, or in a folder per layer, cfg.json and sae_weights.safetensors); or a
            Hub name, `owner/name` or `owner/name/folder`.
        revision: Branch, tag or commit on the Hub.

    Raises:
        HeadscopeError: It could not be had, or is not of these formats.
    """
    folder, name = Path(source), str(source)
    if folder.exists():
        name, revision = folder.resolve().name, None
    else:
        folder = _from_hub(name, revision)
    refuse_pickle(folder)
    if not folder.is_dir():
        raise ModelError(f"{source} is a file.", "Pass the folder that it is in.")
    if (folder / circuit_tracer.CONFIG).is_file():
        return circuit_tracer.read(folder, name, revision, _fetch)
    configs = sorted(islice(folder.rglob(sae_lens.CONFIG), _MOST_CONFIGS))
    if configs:
        return sae_lens.read(configs, name, revision)
    for path in sorted(folder.iterdir()):
        refuse_pickle(path)
    raise ModelError(
        f"{source} has neither {circuit_tracer.CONFIG} nor {sae_lens.CONFIG}.",
        "circuit-tracer's and SAELens's formats are read; config.yaml says model_kind, "
        "feature_input_hook and feature_output_hook.",
    )


def _from_hub(name: str, revision: str | None) -> Path:
    """The local copy of `owner/name/folder`."""
    owner, _, rest = name.partition("/")
    repository, _, below = rest.partition("/")
    if not (owner and repository) or owner in (".", ".."):
        raise HeadscopeError(
            f"There is no folder {name}.", "Pass one that exists, or owner/name on the Hub."
        )
    from huggingface_hub import snapshot_download

    patterns = [f"{below}/*{p}" if below else p for p in _PATTERNS]
    download = partial(snapshot_download, f"{owner}/{repository}", revision=revision)
    return Path(_reached(name, partial(download, allow_patterns=patterns))) / below


def _fetch(address: str) -> Path:
    """The local copy of `hf://owner/name/file?revision=main`."""
    parts = urlsplit(address)
    repository, _, file = parts.path.lstrip("/").partition("/")
    revision = parse_qs(parts.query).get("revision", [None])[0]
    from huggingface_hub import hf_hub_download

    download = partial(hf_hub_download, f"{parts.netloc}/{repository}", file, revision=revision)
    return Path(_reached(address, download))


def _reached(what: str, download: partial[str]) -> str:
    """Where `download` puts what it gets.

    Raises:
        HeadscopeError: Nothing came.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return download()
    except (OSError, HfHubHTTPError, HFValidationError) as failed:
        reason = (str(failed).strip().splitlines() or [type(failed).__name__])[0].rstrip(".")
        raise HeadscopeError(
            f"{what!r} is neither a folder here nor reachable on the Hub ({reason}).",
            "Offline, pass a folder; hs.load_demo_transcoders() needs no network.",
        ) from failed
