"""Engines over the small networks, loaded once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hwr_batch.engine import Engine, load
from hwr_batch.zoo.card import Context, ModelBundle

from . import networks

SMALL = ("english", "chinese", "japanese")


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelBundle]:
    """The small networks as bundles; English as the named tensors that the package builds from."""
    folder = tmp_path_factory.mktemp("models")
    weights = {"weights.npz": networks.npz_bytes(networks.english_tensors(), folder)}
    english = ModelBundle(
        networks.card("weights.npz", Context.RECURRENT), networks.charset(networks.CLASSES), weights, {}
    )
    return {
        "english": english,
        "chinese": networks.bundle(networks.chinese(), folder),
        "japanese": networks.bundle(networks.japanese(), folder),
    }


@pytest.fixture(scope="session", params=SMALL)
def exact_engine(request: pytest.FixtureRequest, bundles: dict[str, ModelBundle]) -> Iterator[Engine]:
    engine = load(bundles[request.param], networks.options())
    yield engine
    engine.close()
