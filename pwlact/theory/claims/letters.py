"""Claims of the homework draft about classifiers of handwritten letters, all still to be run."""

from pwlact.theory.claims.drafts import HOMEWORK
from pwlact.theory.claims.ledger import Claim

_ROWS = (
    ("perceptron", "the perceptron reaches 61.1 % test accuracy"),
    ("logistic", "logistic regression reaches 69.6 % test accuracy"),
    (
        "logistic-grid",
        "tuned logistic regression reaches 72.1 % test accuracy (rate 1e-3, penalty 1e-4, 71.95 % validation)",
    ),
    ("pooling-accuracy", "2 x 2 max pooling costs negligible accuracy (70.95 against 71.95 % validation)"),
    ("pooling-time", "max pooling halves the training time (about 80 to 35 seconds)"),
    ("pooling-average", "4 x 4 average pooling washes images out and costs accuracy"),
    ("mlp", "the multilayer perceptron reaches 87.8 % validation and test accuracy"),
    ("width-16", "width 16 reaches 78.1 % validation accuracy"),
    ("width-32", "width 32 reaches 84.4 % validation accuracy"),
    ("width-64", "width 64 reaches 88.1 % validation accuracy"),
    ("width-128", "width 128 reaches 89.8 % validation accuracy"),
    ("width-256", "width 256, one layer, reaches 90.9 % validation and 90.8 % test accuracy"),
    ("width-saturates", "accuracy rises up to width 128 and then saturates, while training accuracy rises on"),
    ("width-interpolates", "training accuracy rises near-monotonically towards 1 with width"),
    ("dropout-wide", "dropout helps at the widest setting"),
    ("best-width", "width 32 is the best of the width study (its own table puts 256 first)"),
    ("depth-declines", "accuracy falls from 81.7 to 52.4 % validation as depth grows from 1 to 9 at width 32"),
    ("depth-vanishing", "vanishing gradients and the lack of residual paths and normalisation explain it"),
    ("depth-shallow-best", "the shallow network is the best under identical hyperparameters"),
)


LETTER_CLAIMS: tuple[Claim, ...] = tuple(HOMEWORK.claim(name, stated, None, "pwlact letters") for name, stated in _ROWS)
