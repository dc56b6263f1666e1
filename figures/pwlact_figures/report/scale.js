// From values to places: scales, ticks, paths.

/** The linear map from [low, high] to [start, end]. */
function scale([low, high], [start, end]) {
  return (value) => start + ((value - low) / (high - low)) * (end - start);
}

/** Round numbers within [low, high], about `count`: multiples of 1, 2 or 5 times a power of ten, at least `least`. */
function ticks([low, high], count, least = 0) {
  const wanted = Math.max((high - low) / count, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= wanted * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const more = Math.floor(high / step + 1e-9) - first;
  // + 0 turns -0 into 0; the sum of whole numbers stays exact where adding steps up would drift
  return Array.from({ length: Math.min(more, 20) + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)) + 0);
}

/** Smallest interval that holds all finite values, widened by a share of itself; [0, 1] where there are none. */
function extent(values, margin = 0.06) {
  const known = values.filter(Number.isFinite);
  if (!known.length) return [0, 1];
  const low = known.reduce((a, b) => Math.min(a, b));
  const high = known.reduce((a, b) => Math.max(a, b));
  const more = margin * (high - low) || 0.5 * Math.max(1e-3, Math.abs(high));
  return [low - more, high + more];
}

/** Data of a path through the points; it breaks where y is missing. */
function line(xs, ys) {
  let data = "";
  let pen = "M";
  xs.forEach((x, i) => {
    if (!Number.isFinite(ys[i])) {
      pen = "M";
      return;
    }
    data += `${pen}${place(x)} ${place(ys[i])}`;
    pen = "L";
  });
  return data;
}

/** Data of the outline of a histogram: heights between neighbouring edges, from `floor` up and back. */
function steps(edges, heights, floor) {
  if (!heights.length) return "";
  let data = `M${place(edges[0])} ${place(floor)}`;
  heights.forEach((y, i) => {
    data += `V${place(y)}H${place(edges[i + 1])}`;
  });
  return `${data}V${place(floor)}`;
}

/** A coordinate with as many digits as a screen shows. */
function place(value) {
  return Number(value.toFixed(2));
}

/** Value at x of the line through (xs, ys), or null outside or where it is missing. */
function between(xs, ys, x) {
  const next = xs.findIndex((end) => end >= x);
  if (next < 0 || x < xs[0]) return null;
  if (next === 0) return ys[0];
  const share = (x - xs[next - 1]) / (xs[next] - xs[next - 1]);
  const [left, right] = [ys[next - 1], ys[next]];
  return Number.isFinite(left) && Number.isFinite(right) ? left + share * (right - left) : null;
}
