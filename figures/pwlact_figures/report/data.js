// The data of the run: JSON, in which long arrays are base64 (see packing.py).

const MISSING = 65535;

/** Bytes of base64 text. */
function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Channels of each frame, as values: 16-bit numbers, low byte first, 0 for the low end of the range. */
function unpackCurves({ curves, drawn, range: [low, high] }, knots) {
  const raw = bytes(curves);
  const value = (i) => {
    const step = raw[2 * i] + 256 * raw[2 * i + 1];
    return step === MISSING ? null : low + (step / (MISSING - 1)) * (high - low);
  };
  return split(raw.length / 2, drawn * knots).map((frame) => split(frame.length, knots, frame.start).map((c) => c.map(value)));
}

/** Heights of each frame by class and bin, from 0 to 255. */
function unpackHeights({ inputs }, classes, bins) {
  const raw = bytes(inputs);
  return split(raw.length, classes * bins).map((frame) =>
    split(frame.length, bins, frame.start).map((row) => row.map((i) => raw[i])),
  );
}

/** The numbers start .. start + length - 1 in runs of `size`; each run knows where it starts. */
function split(length, size, start = 0) {
  if (!size) return [];
  return Array.from({ length: Math.floor(length / size) }, (_, k) => {
    const run = Array.from({ length: size }, (_, i) => start + k * size + i);
    run.start = start + k * size;
    return run;
  });
}

/** Sum over the classes, bin by bin. */
function summed(rows) {
  return rows.reduce((sum, row) => sum.map((value, i) => value + row[i]), rows[0].map(() => 0));
}

/** The largest of all numbers in nested lists, at least 1. */
function highest(nested) {
  return nested.flat(Infinity).reduce((a, b) => Math.max(a, b), 1);
}
