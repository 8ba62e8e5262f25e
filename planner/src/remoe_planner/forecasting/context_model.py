"""What is fitted, apart from what is counted: the numbers that turn counts into a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.calibration import Calibration
from remoe_planner.forecasting.context_features import feature_count
from remoe_planner.forecasting.context_keys import Context
from remoe_planner.forecasting.count_spread import CountSpread
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.sharpening import Sharpening

_UNFITTED_STRENGTHS = {
    Context.WORD: 2.0,
    Context.TOKEN: 6.0,
    Context.PAIR: 3.0,
    Context.TRIPLE: 2.0,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContextModel:
    """Fitted numbers.

    Attributes:
        strengths: [contexts, layers] tokens that the vaguer estimate is worth at each context
            (the concentration of a Dirichlet prior).
        basis: [layers * experts, rank] directions in which tokens differ most: a token's estimate
            projected on them is its embedding.
        weights: [layers, features, experts] what a token's context adds to its own estimate.
        sharpening: correction of the whole forecast.
        calibration: how far it is expected to be off; None where it was never measured.
        count_spread: how counts stray from those expected; None where it was never measured.
    """

    strengths: NDArray[np.float32]
    basis: NDArray[np.float32]
    weights: NDArray[np.float32]
    sharpening: Sharpening
    calibration: Calibration | None = None
    count_spread: CountSpread | None = None

    @property
    def nbytes(self) -> int:
        return self.strengths.nbytes + self.basis.nbytes + self.weights.nbytes

    @property
    def rank(self) -> int:
        return int(self.basis.shape[1])

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """The model as plain arrays."""
        calibration = self.calibration.arrays() if self.calibration else {}
        spread = self.count_spread.arrays() if self.count_spread else {}
        return {
            "strengths": self.strengths,
            "basis": self.basis,
            "weights": self.weights,
            **{f"sharpening.{name}": value for name, value in self.sharpening.arrays().items()},
            **{f"calibration.{name}": value for name, value in calibration.items()},
            **{f"count_spread.{name}": value for name, value in spread.items()},
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> ContextModel:
        """The model that `arrays` was taken from."""
        measured = part(arrays, "calibration")
        spread = part(arrays, "count_spread")
        return cls(
            strengths=arrays["strengths"],
            basis=arrays["basis"],
            weights=arrays["weights"],
            sharpening=Sharpening.restored(part(arrays, "sharpening")),
            calibration=Calibration.restored(measured) if measured else None,
            count_spread=CountSpread(**spread) if spread else None,
        )


def unfitted_model(shape: RoutingShape) -> ContextModel:
    """What is used before there is a history to fit on: the tables alone."""
    strengths = np.array([_UNFITTED_STRENGTHS[context] for context in Context], np.float32)
    return ContextModel(
        strengths=np.repeat(strengths[:, None], shape.layers, axis=1),
        basis=np.zeros((shape.cells, 0), np.float32),
        weights=np.zeros((shape.layers, feature_count(0), shape.experts), np.float32),
        sharpening=Sharpening.none(shape.layers),
    )


def fitted_model(arrays: Mapping[str, NDArray[Any]], shape: RoutingShape) -> ContextModel:
    """The model that `ContextModel.arrays` was taken from.

    Raises:
        KeyError, ValueError: the arrays are no model, or one of another shape.
    """
    model = ContextModel.restored(arrays)
    rank = model.basis.shape[-1]
    wanted = {
        "strengths": (len(Context), shape.layers),
        "basis": (shape.cells, rank),
        "weights": (shape.layers, feature_count(rank), shape.experts),
    }
    for name, dimensions in wanted.items():
        if getattr(model, name).shape != dimensions:
            raise ValueError(f"{name} must be {dimensions}, got {getattr(model, name).shape}")
    if model.sharpening.powers.shape != (shape.layers,):
        raise ValueError(f"powers must be [{shape.layers}], got {model.sharpening.powers.shape}")
    return model


def part(arrays: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """The arrays under `name.`, by the rest of their names."""
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }
