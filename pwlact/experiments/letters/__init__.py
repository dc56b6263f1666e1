"""From the perceptron to deep networks on handwritten letters: width, depth, sparse outputs, one file a part."""
