"""Changes of how a model computes, as data: JSON in, JSON out, no torch."""

from headscope.interventions.directions import (
    Direction,
    Means,
    Sum,
    Token,
    TokenDifference,
    Vector,
)
from headscope.interventions.expressions import direction
from headscope.interventions.kinds import Intervention
from headscope.interventions.stack import Interventions

__all__ = [
    "Direction",
    "Intervention",
    "Interventions",
    "Means",
    "Sum",
    "Token",
    "TokenDifference",
    "Vector",
    "direction",
]
