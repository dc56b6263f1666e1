#!/bin/sh
# Unpack the development data to .data once, where a checkout has it beside itself; CIFAR-10 found elsewhere stays there.
set -eu
[ -n "${PWLACT_DATA:-}" ] && exit 0
[ -d .data/cifar-10-batches-bin ] || [ -d .data/cifar-10-batches-py ] && exit 0
[ -f "$SHARED_DATA/prepare.py" ] || exit 0
"$BIN/pip" --disable-pip-version-check install -q -c constraints.txt pillow
echo "unpacking the data in $SHARED_DATA to .data" >&2
"$BIN/python" "$SHARED_DATA/prepare.py" .data >&2
