"""Interventions on a live model: from data to hooks, and no trace afterwards."""

from headscope.model.intervening.applying import Plan, applied, held, plan, planning

__all__ = ["Plan", "applied", "held", "plan", "planning"]
