"""How the operation reaches torch: kernels on tensors of any layout, operators, derivatives, batches."""
