"""The deep autoencoder benchmark: LocoProp against optimisers of the usual kind, all tuned with one budget.

References:
    G. Hinton, R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006: the autoencoder.
    E. Amid, R. Anil, M. Warmuth, "LocoProp: enhancing BackProp via local loss optimization", 2022: the benchmark.
"""
