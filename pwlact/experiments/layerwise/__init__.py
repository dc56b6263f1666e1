"""Layers that compete by implicit EM: what each part of the objective does to units and to what they are good for."""
