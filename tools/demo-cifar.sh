#!/bin/sh
# Train for about two minutes on real CIFAR-10 images where they are found, else on generated ones, saying so.
set -eu
sh tools/prepare-data.sh
data=${PWLACT_DATA:-.data}
if "$BIN/pwlact" data cifar10 "$data" --check --json >/dev/null 2>&1; then
    echo "training on the CIFAR-10 images in $data"
else
    data=.data/synthetic
    echo "no CIFAR-10 found: training on GENERATED images, which say nothing about CIFAR-10"
    echo "(fetch it with: $BIN/pwlact data cifar10 .data)"
    [ -f $data/test_batch.bin ] || "$BIN/pwlact" data synthetic $data --train 15000
fi
# so few steps take a higher rate of the knots to come as far
"$BIN/pwlact" cifar --arch resnet10 --mode local --width 0.25 --epochs 4 --limit 10000 --act-lr 1e-2 \
    --data "$data" --out runs/demo-cifar --force
