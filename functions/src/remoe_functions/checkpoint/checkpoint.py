"""A checkpoint folder as the rest of Remoe sees it: tensors by name, experts by identity.

Its experts are served as it stores them, or from a sidecar in fewer bits: whoever asks for an
expert is given the one or the other, and need not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remoe_functions.checkpoint.blocks import BlockFormat
from remoe_functions.checkpoint.cache_bytes import cache_bytes_per_token
from remoe_functions.checkpoint.config import read_config
from remoe_functions.checkpoint.errors import CheckpointError, SidecarError
from remoe_functions.checkpoint.experts import ExpertTable
from remoe_functions.checkpoint.families import family_of
from remoe_functions.checkpoint.ffn import ExpertWeights, FfnForm
from remoe_functions.checkpoint.shards import Shards
from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId

if TYPE_CHECKING:
    from remoe_functions.checkpoint.sidecar import Sidecar, SidecarShape


class Checkpoint:
    """A mapped Hugging Face checkpoint of a Mixture-of-Experts model.

    Attributes:
        directory: the folder.
        config: its `config.json`.
        form: what every expert of it computes, with matrices as the model holds them; those of
            an expert in blocks may lie otherwise, see its own `ExpertWeights.form`.
    """

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any],
        shards: Shards,
        experts: Iterable[ExpertId] | None = None,
        sidecar: Path | None = None,
    ) -> None:
        self.directory = directory
        self.config = config
        self._shards = shards
        self._table = ExpertTable.find(config, family_of(config), shards, experts)
        self.form: FfnForm = self._table.form
        self._sidecar = self._open_sidecar(sidecar)
        self._home = shards if self._sidecar is None else self._sidecar.shards
        self._weights: dict[ExpertId, ExpertWeights] = {}

    @classmethod
    def open(
        cls,
        directory: Path,
        experts: Iterable[ExpertId] | None = None,
        *,
        sidecar: Path | None = None,
    ) -> Checkpoint:
        """Map a folder and check that it holds what its config says.

        Args:
            directory: the folder.
            experts: check these experts alone, and leave headers of files that hold nothing of
                theirs unread: what a function does, for a large model has many files.
            sidecar: file of quantized experts, to serve those instead of the folder's own.

        Raises:
            UnsupportedModelError: not a model whose experts are understood.
            SidecarError: the sidecar is missing, or of other weights.
            CheckpointError: missing, truncated, corrupt, or contradicting its config.
        """
        config = read_config(directory)
        family_of(config)
        shards = Shards(directory)
        try:
            if experts is None:
                shards.check()
            return cls(directory, config, shards, experts, sidecar)
        except SidecarError:
            shards.close()
            raise
        except CheckpointError as error:
            shards.close()
            raise type(error)(f"{directory}: {error}") from error

    def _open_sidecar(self, path: Path | None) -> Sidecar | None:
        if path is None:
            return None
        from remoe_functions.checkpoint.sidecar import Sidecar  # a function's start may spare it

        return Sidecar(path, self._table, self._shards, self.revision)

    @cached_property
    def architecture(self) -> Architecture:
        """The model's shape; `revision` tells its weights from others of the same shape.

        A sidecar changes `expert_bytes` and nothing else: routing is nearly the same, and what
        was recorded of it stays true.
        """
        return Architecture(
            name=self.directory.resolve().name,
            revision=self.revision,
            layers=self._table.layers,
            experts_per_layer=self._table.experts_per_layer,
            top_k=self._table.top_k,
            hidden_size=self._table.hidden_size,
            expert_bytes=self.expert(ExpertId(self._table.layers[0], 0)).nbytes,
            main_bytes=self._main_bytes(),
            cache_bytes_per_token=cache_bytes_per_token(self.config),
        )

    @property
    def hidden_size(self) -> int:
        """Width of a token row."""
        return self._table.hidden_size

    @cached_property
    def revision(self) -> str:
        """What tells these weights from others of the same shape."""
        config = json.dumps(self.config, sort_keys=True)
        return hashlib.sha256(f"{config}{self._shards.digest()}".encode()).hexdigest()[:16]

    def _main_bytes(self) -> int:
        places = (self._shards.place(name) for name in self.names if self._table.is_main(name))
        return sum(place.end - place.begin for place in places)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all tensors, sorted."""
        return self._shards.names

    def tensor(self, name: str) -> MappedTensor:
        """The tensor of that name, as a read-only view on the file.

        Raises:
            CheckpointError: there is none of that name.
        """
        return self._shards.tensor(name)

    def is_expert_tensor(self, name: str) -> bool:
        """Whether a tensor belongs to a routed expert, so that the main model need not hold it."""
        return self._table.is_expert_tensor(name)

    def sidecar_shape(self, precision: BlockFormat) -> SidecarShape:
        """What a sidecar of this checkpoint holds."""
        from remoe_functions.checkpoint.sidecar import SidecarShape

        return SidecarShape.of(precision, self._table, self._shards)

    def expert(self, expert: ExpertId) -> ExpertWeights:
        """An expert's weights, as read-only views on the file.

        Raises:
            CheckpointError: the model has no such expert.
        """
        if expert not in self._weights:
            self._weights[expert] = self._find(expert)
        return self._weights[expert]

    def _find(self, expert: ExpertId) -> ExpertWeights:
        if self._sidecar is None:
            return self._table.weights(expert, self._shards)
        self._table.check_known(expert)
        return self._sidecar.weights(expert)

    def read_ahead(self, experts: Iterable[ExpertId]) -> None:
        """Have the system read experts' weights from the disk; needs no numpy.

        Raises:
            CheckpointError: the model has no such expert.
        """
        self._home.read_ahead(piece for expert in experts for piece in self._pieces(expert))

    def read_ahead_shared(self) -> None:
        """Have the system read from the disk what every token needs: all but routed experts."""
        self._home.read_ahead(
            (name, None) for name in self.names if not self.is_expert_tensor(name)
        )

    def touch(self, expert: ExpertId) -> None:
        """Bring an expert's weights into this process's memory.

        Raises:
            CheckpointError: the model has no such expert.
        """
        for name, part in self._pieces(expert):
            self._home.touch(name, part)

    def release(self, expert: ExpertId) -> None:
        """Let an expert's whole pages leave the resident set; they come back when next read.

        Raises:
            CheckpointError: the model has no such expert.
        """
        for name, part in self._pieces(expert):
            self._home.release(name, part)

    def _pieces(self, expert: ExpertId) -> Iterable[tuple[str, int | None]]:
        if self._sidecar is None:
            return self._table.pieces(expert)
        self._table.check_known(expert)
        return self._sidecar.pieces(expert)

    def close(self) -> None:
        """Unmap the files; a file whose tensors are still referenced goes with the last of them."""
        self._weights.clear()
        self._shards.close()
        if self._sidecar is not None:
            self._sidecar.close()
