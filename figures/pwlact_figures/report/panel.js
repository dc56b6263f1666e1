// One layer: what its activation is and receives at an epoch.

const PANEL = { width: 260, height: 180, left: 32, right: 8, top: 8, bottom: 20 };
const HUES = 6;
const DASHES = 3;

/** CSS classes that tell class k from the others: six colours, then the same ones dashed, then dotted. */
function classStyle(k) {
  return `hue${k % HUES} dash${Math.floor(k / HUES) % DASHES}`;
}

class Panel {
  constructor(layer, run, number) {
    Object.assign(this, { layer, run, lifted: null });
    const { width, height, left, right, top, bottom } = PANEL;
    this.x = scale(run.view, [left, width - right]);
    this.y = scale(layer.range, [height - bottom, top]);
    this.floor = height - bottom;
    this.channels = unpackCurves(layer, run.knots.length);
    this.unpackInputs();
    const clip = `inside${number}`;
    const frame = svg("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom });
    this.inside = svg("g", { "clip-path": `url(#${clip})` });
    this.ground = svg("g");
    this.drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
    this.drawing.append(svg("defs", {}, svg("clipPath", { id: clip }, frame)));
    this.axes();
    this.drawing.append(this.inside);
    this.curves();
    this.readout = html("span", { class: "readout" });
    const head = html("div", { class: "name" }, html("b", {}, layer.name), this.readout);
    this.element = html("figure", { class: "panel" }, head, this.drawing, this.caption());
  }

  unpackInputs() {
    const classes = this.run.classes.length;
    const frames = unpackHeights(this.layer, classes, this.run.bins.length - 1);
    const sums = frames.map(summed);
    // one scale for all epochs, so that heights can be compared while the slider moves
    const half = (PANEL.height - PANEL.top - PANEL.bottom) / 2;
    const up = (most) => (value) => this.floor - (value / most) * half;
    const [one, all] = [up(highest(frames)), up(highest(sums))];
    this.byClass = frames.map((rows) => rows.map((row) => row.map(one)));
    this.together = sums.map((row) => row.map(all));
  }

  axes() {
    const { width, left, right, top } = PANEL;
    for (const value of this.layer.mean.length ? ticks(this.layer.range, 4) : []) {
      const y = place(this.y(value));
      this.drawing.append(
        svg("line", { class: value === 0 ? "rule zero" : "rule", x1: left, x2: width - right, y1: y, y2: y }),
        svg("text", { class: "tick end y", x: left - 5, y: y + 4 }, said(value)),
      );
    }
    for (const value of ticks(this.run.view, 4)) {
      const x = place(this.x(value));
      this.drawing.append(
        svg("line", { class: value === 0 ? "rule zero" : "rule", x1: x, x2: x, y1: top, y2: this.floor }),
        svg("text", { class: "tick middle", x, y: this.floor + 14 }, said(value)),
      );
    }
    this.drawing.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: this.floor, y2: this.floor }));
  }

  curves() {
    const path = (kind) => svg("path", { class: kind });
    this.start = path("start");
    this.fit = path("fit");
    this.some = path("channels");
    this.mean = path("mean");
    this.dot = svg("circle", { class: "dot", r: 3.5, visibility: "hidden" });
    this.inside.append(this.ground, this.some, this.start, this.mean, this.fit, this.dot);
    this.start.setAttribute("d", this.function(this.layer.mean[0]));
    const fit = this.layer.fit;
    if (fit) {
      const [low, high] = this.run.view;
      const xs = fit.curve.map((_, i) => this.x(low + (i / (fit.curve.length - 1)) * (high - low)));
      this.fit.setAttribute("d", line(xs, this.heights(fit.curve)));
    }
  }

  /** Path of a function given at the knots; nothing where there is none. */
  function(values) {
    return values ? line(this.run.knots.map(this.x), this.heights(values)) : "";
  }

  heights(values) {
    return values.map((value) => (Number.isFinite(value) ? this.y(value) : null));
  }

  caption() {
    const { fit, channels, drawn } = this.layer;
    const parts = [];
    if (fit) {
      const error = fit.beta_error === null ? "" : ` ± ${said(fit.beta_error, 2)}`;
      parts.push(html("span", {}, `β ${said(fit.beta)}${error}`), html("span", {}, `x₀ ${said(fit.x0)}`));
      parts.push(html("span", {}, `R² ${fit.r2.toFixed(4)}`));
    } else if (this.run.fixed) {
      parts.push(html("span", {}, `fixed: ${this.run.fixed}`));
    }
    if (channels > 1) {
      const which = drawn < channels ? `${drawn} of them thin` : "each thin";
      parts.push(html("span", {}, `mean of ${channels} channels, ${which}`));
    }
    const caption = html("figcaption", {}, html("p", {}, ...parts));
    if (fit?.caveat) caption.append(html("p", { class: "caveat" }, fit.caveat));
    return caption;
  }

  /** Draw the frame of an epoch. */
  show(frame, epoch, byClass) {
    this.values = this.layer.mean[frame];
    this.mean.setAttribute("d", this.function(this.values));
    this.some.setAttribute("d", (this.channels[frame] ?? []).map((values) => this.function(values)).join(""));
    this.ground.replaceChildren(...this.histogram(frame, byClass));
    this.drawing.setAttribute("aria-label", this.summary(epoch));
  }

  histogram(frame, byClass) {
    const edges = this.run.bins.map(this.x);
    if (!this.together[frame]) return [];
    if (!byClass) return [svg("path", { class: "inputs", d: steps(edges, this.together[frame], this.floor) })];
    return this.byClass[frame].map((row, k) => {
      const d = steps(edges, row, this.floor);
      return this.fade(svg("path", { class: `class ${classStyle(k)}`, "data-class": k, d }), k);
    });
  }

  /** Let one class stand out of the others; null: none. */
  lift(k) {
    this.lifted = k;
    for (const path of this.ground.children) this.fade(path, Number(path.dataset.class));
  }

  fade(path, k) {
    path.classList.toggle("lifted", k === this.lifted);
    path.classList.toggle("faded", this.lifted !== null && k !== this.lifted);
    return path;
  }

  /** Mark the activation at x and read it out; nothing where x is null. */
  probe(x) {
    const y = x === null || !this.values ? null : between(this.run.knots, this.values, x);
    const known = Number.isFinite(y);
    this.dot.setAttribute("visibility", known ? "visible" : "hidden");
    this.readout.textContent = known ? `f(${said(x, 2)}) = ${said(y)}` : "";
    if (!known) return;
    this.dot.setAttribute("cx", place(this.x(x)));
    this.dot.setAttribute("cy", place(this.y(y)));
  }

  /** x at a pointer, or null beside the frame. */
  at(event) {
    const box = this.drawing.getBoundingClientRect();
    const { width, left, right } = PANEL;
    const share = (((event.clientX - box.left) / box.width) * width - left) / (width - left - right);
    const [low, high] = this.run.view;
    return share < 0 || share > 1 ? null : low + share * (high - low);
  }

  summary(epoch) {
    const { layer, run } = this;
    const inputs = this.together.length ? ", over the histogram of its input" : "";
    if (!this.values) return `${layer.name}: ${run.fixed ?? "activation not known"} at epoch ${epoch}${inputs}`;
    const ends = [0, run.knots.length - 1].map((i) => `f(${said(run.knots[i])}) = ${said(this.values[i])}`);
    const fit = layer.fit ? `; Swish fit of the last epoch: beta ${said(layer.fit.beta)}` : "";
    return `${layer.name}: learnt activation at epoch ${epoch}, ${ends.join(", ")}${inputs}${fit}`;
  }
}
