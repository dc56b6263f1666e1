"""The pictures: each file computes or reads data and draws it with matplotlib, without a screen."""
