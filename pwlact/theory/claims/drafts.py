"""The five drafts and the prefixes of their claims."""

from pwlact.theory.claims.ledger import Draft

CORRELATION = Draft("correlation", "correlation-activation-paper")
COMPETITIVE = Draft("competitive", "competitive-activations")
EM = Draft("em", "layerwise-implicit-em")
HOMEWORK = Draft("homework", "homework-perceptron-to-relumax")
MATCHING = Draft("matching", "dualistic-view-and-locoprop")

DRAFTS = (CORRELATION, COMPETITIVE, EM, HOMEWORK, MATCHING)
