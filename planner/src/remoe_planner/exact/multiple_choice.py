"""One option for each layer at least total inside linear bounds, by integer programming."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from remoe_planner.choosing.choices import Choices


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounded:
    """A bound on a weighted total: weights [amounts] times totals <= most."""

    weights: NDArray[np.float64]
    most: float


def exact_picks(
    choices: Choices,
    weights: NDArray[np.float64],
    bounds: tuple[Bounded, ...],
    *,
    relative_gap: float = 1e-6,
) -> NDArray[np.intp] | None:
    """[layers], the optimal options (HiGHS), or None where no choice is inside the bounds.

    Args:
        choices: the table.
        weights: [amounts], of the total that is least.
        bounds: what must hold.
        relative_gap: how far from the optimum the solver may stop.

    Raises:
        RuntimeError: the solver gives neither an optimum nor a proof that there is none.
    """
    _, layers, options = choices.amounts.shape
    flat = choices.amounts.reshape(len(choices.amounts), -1)
    one_each = csr_array(np.kron(np.eye(layers), np.ones(options)))
    rows, most = [one_each], [np.ones(layers)]
    for bound in bounds:
        scale = max(abs(bound.most), 1e-12)
        rows.append(csr_array((bound.weights @ flat)[None] / scale))
        most.append(np.array([bound.most / scale]))
    least = np.concatenate([np.ones(layers), np.full(len(bounds), -np.inf)])
    values = weights @ flat
    found = milp(
        values / max(float(np.abs(values).max()), 1e-300),
        constraints=LinearConstraint(vstack(rows).tocsr(), least, np.concatenate(most)),
        bounds=Bounds(0, 1),
        integrality=np.ones(layers * options),
        options={"mip_rel_gap": relative_gap},
    )
    if found.status == _INFEASIBLE:
        return None
    if found.x is None:
        raise RuntimeError(f"the solver gave up: {found.message}")
    return np.asarray(found.x.reshape(layers, options).argmax(axis=1))


_INFEASIBLE = 2
