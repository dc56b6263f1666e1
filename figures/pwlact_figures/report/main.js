// The page: charts, controls, key and panels of one run.

const run = JSON.parse(document.getElementById("data").textContent);
const last = run.epochs.at(-1);

function charts(choose) {
  const { history: past, test } = run;
  const curves = (part, factor) =>
    [["training", "train"], ["validation", "val"]].map(([name, kind]) => ({
      name,
      kind,
      values: past[`${kind}_${part}`].map((value) => (value === null ? null : factor * value)),
    }));
  const specs = [
    { title: "Loss (cross-entropy, nats)", unit: "", digits: 3, curves: curves("loss", 1), test: test.loss },
    {
      title: "Accuracy (%)",
      unit: " %",
      digits: 1,
      curves: curves("accuracy", 100),
      test: test.accuracy === null ? null : 100 * test.accuracy,
    },
  ];
  return specs.map((spec) => new Chart(spec, past.epoch, last, choose));
}

/** What the lines of the panels mean; only those that are there. */
function key() {
  const some = (test) => run.layers.some(test);
  const entries = [
    [some((l) => l.mean.length), "mean", some((l) => l.channels > 1) ? "learnt, mean of the channels" : "learnt"],
    [some((l) => l.drawn), "channels", "single channels"],
    [some((l) => l.mean.length), "start", "start (epoch 0)"],
    [some((l) => l.fit), "fit", "Swish fit of the last epoch"],
    [some((l) => l.inputs), "inputs", "distribution of the input x"],
  ];
  const sample = (kind) =>
    svg(
      "svg",
      { viewBox: "0 0 28 12", class: "sample", "aria-hidden": "true" },
      svg("path", { class: kind, d: kind === "inputs" ? "M2 12V7H8V2H18V7H26V12" : "M1 6H27" }),
    );
  return entries.filter(([there]) => there).map(([, kind, text]) => html("span", {}, sample(kind), text));
}

/** A button a class: pressed, it lifts the class out of the others. */
function classKey() {
  const lift = (button, k) => {
    const pressed = button.getAttribute("aria-pressed") === "true";
    for (const other of buttons) other.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-pressed", String(!pressed));
    for (const panel of panels) panel.lift(pressed ? null : k);
  };
  const buttons = run.classes.map((name, k) => {
    const mark = svg("svg", { viewBox: "0 0 28 12", class: "sample", "aria-hidden": "true" });
    mark.append(svg("path", { class: `class ${classStyle(k)}`, d: "M1 6H27" }));
    const button = html("button", { type: "button", class: "chip", "aria-pressed": "false" }, mark, name);
    button.addEventListener("click", () => lift(button, k));
    return button;
  });
  return html("div", { class: "classes", role: "group", "aria-label": "classes", hidden: "" }, ...buttons);
}

const panels = run.layers.map((layer, number) => new Panel(layer, run, number));
const drawn = charts((epoch) => player.choose(epoch));
const toggle = html("input", { type: "checkbox", id: "by-class" });
const classes = classKey();

const player = new Player(run.epochs, (frame, epoch) => {
  for (const chart of drawn) chart.show(epoch);
  for (const panel of panels) panel.show(frame, epoch, toggle.checked);
});

toggle.addEventListener("change", () => {
  classes.hidden = !toggle.checked;
  player.draw();
});

const grid = document.getElementById("grid");
for (const panel of panels) {
  panel.drawing.addEventListener("pointermove", (event) => {
    const x = panel.at(event);
    for (const other of panels) other.probe(x);
  });
  panel.drawing.addEventListener("pointerleave", () => {
    for (const other of panels) other.probe(null);
  });
}

document.getElementById("charts").append(...drawn.map((chart) => chart.element));
document.getElementById("controls").append(player.element);
if (run.layers.some((layer) => layer.inputs)) {
  document.getElementById("controls").append(html("label", { class: "toggle" }, toggle, " by class"));
  document.getElementById("controls").append(classes);
}
document.getElementById("key").append(...key());
grid.append(...panels.map((panel) => panel.element));
player.draw();
player.recall();
document.documentElement.dataset.ready = "true";
