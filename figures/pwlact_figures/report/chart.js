// Loss and accuracy over the epochs, with a read-out of the epoch pointed at, else of the one chosen.

const CHART = { width: 520, height: 250, left: 46, right: 12, top: 12, bottom: 36 };

class Chart {
  /**
   * spec: title, unit, digits, curves [{name, kind, values}], test (a value or null); epochs: numbers of the values,
   * `last` the end of the axis, which begins at 0; choose(epoch) is called where an epoch is clicked.
   */
  constructor(spec, epochs, last, choose) {
    Object.assign(this, { spec, epochs, last, chosen: last });
    const { width, height, left, right, top, bottom } = CHART;
    this.x = scale([0, Math.max(last, 1)], [left, width - right]);
    this.y = scale(extent([...spec.curves.flatMap((c) => c.values), spec.test]), [height - bottom, top]);
    this.drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": this.summary() });
    this.readout = html("p", { class: "readout" });
    this.frame();
    this.cursor = svg("line", { class: "cursor", y1: top, y2: height - bottom });
    this.drawing.append(this.cursor);
    spec.curves.forEach((curve) => this.curve(curve));
    if (Number.isFinite(spec.test)) this.test();
    this.listen(choose);
    this.element = html("figure", { class: "chart" }, html("figcaption", {}, spec.title), this.readout, this.drawing);
  }

  frame() {
    const { width, height, left, right, top, bottom } = CHART;
    const [low, high] = extent([...this.spec.curves.flatMap((c) => c.values), this.spec.test]);
    for (const value of ticks([low, high], 5)) {
      const y = place(this.y(value));
      this.drawing.append(
        svg("line", { class: "rule", x1: left, x2: width - right, y1: y, y2: y }),
        svg("text", { class: "tick end", x: left - 6, y: y + 4 }, said(value, 4)),
      );
    }
    for (const epoch of ticks([0, Math.max(this.last, 1)], 10, 1)) {
      const x = place(this.x(epoch));
      this.drawing.append(svg("text", { class: "tick middle", x, y: height - bottom + 15 }, said(epoch, 6)));
    }
    this.drawing.append(
      svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
      svg("text", { class: "tick middle", x: place((left + width - right) / 2), y: height - 5 }, "epoch"),
    );
  }

  curve({ kind, values }) {
    const [xs, ys] = [this.epochs.map(this.x), values.map((v) => (v === null ? null : this.y(v)))];
    this.drawing.append(svg("path", { class: `curve ${kind}`, d: line(xs, ys) }));
    // many points would hide the line that they lie on; one alone has no line
    const radius = xs.length > 60 ? 1.2 : 2.6;
    xs.forEach((x, i) => {
      if (ys[i] !== null) this.drawing.append(svg("circle", { class: kind, cx: place(x), cy: place(ys[i]), r: radius }));
    });
  }

  test() {
    const [x, y] = [place(this.x(this.last)), place(this.y(this.spec.test))];
    this.drawing.append(svg("rect", { class: "test", x: x - 4, y: y - 4, width: 8, height: 8 }));
  }

  listen(choose) {
    const epoch = (event) => {
      const box = this.drawing.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * CHART.width;
      const share = (at - this.x(0)) / (this.x(Math.max(this.last, 1)) - this.x(0));
      return Math.min(this.last, Math.max(0, Math.round(share * Math.max(this.last, 1))));
    };
    this.drawing.addEventListener("pointermove", (event) => this.point(epoch(event)));
    this.drawing.addEventListener("pointerleave", () => this.point(this.chosen));
    this.drawing.addEventListener("click", (event) => choose(epoch(event)));
  }

  /** Mark the epoch that the slider stands at. */
  show(epoch) {
    this.chosen = epoch;
    this.point(epoch);
  }

  /** Draw the cursor at an epoch and read its values out. */
  point(epoch) {
    const x = place(this.x(epoch));
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    const i = this.epochs.indexOf(epoch);
    const parts = this.spec.curves.map(({ name, kind, values }) =>
      html("span", { class: `label ${kind}` }, `${name} `, html("b", {}, this.value(i < 0 ? null : values[i]))),
    );
    if (Number.isFinite(this.spec.test)) {
      parts.push(html("span", { class: "label test" }, "test ", html("b", {}, this.value(this.spec.test))));
    }
    this.readout.replaceChildren(html("span", { class: "at" }, `epoch ${epoch}`), ...parts);
  }

  value(value) {
    return Number.isFinite(value) ? value.toFixed(this.spec.digits) + this.spec.unit : "–";
  }

  summary() {
    const ends = this.spec.curves.map(({ name, values }) => {
      const known = values.filter(Number.isFinite);
      return known.length ? `${name} from ${this.value(known[0])} to ${this.value(known.at(-1))}` : `${name} not known`;
    });
    if (Number.isFinite(this.spec.test)) ends.push(`test ${this.value(this.spec.test)}`);
    return `${this.spec.title} over ${this.epochs.length} epochs: ${ends.join("; ")}`;
  }
}
