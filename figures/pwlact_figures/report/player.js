// The slider over the epochs, its play button and the address: #epoch=3 chooses an epoch.

const PAUSE_MS = 350;

class Player {
  /** epochs: the number at each place of the slider; show(frame, epoch) draws one. */
  constructor(epochs, show) {
    Object.assign(this, { epochs, show, timer: null });
    const last = epochs.length - 1;
    this.button = html("button", { type: "button", class: "play" });
    this.slider = html("input", { type: "range", id: "epoch", min: 0, max: last, step: 1, value: last });
    this.output = html("output", { for: "epoch" });
    this.element = html(
      "div",
      { class: "player" },
      this.button,
      html("label", { for: "epoch" }, "epoch"),
      this.output,
      html("span", { class: "end" }, String(epochs[0])),
      this.slider,
      html("span", { class: "end" }, String(epochs[last])),
    );
    this.button.disabled = last === 0;
    this.slider.disabled = last === 0;
    this.listen();
    this.label();
  }

  listen() {
    this.button.addEventListener("click", () => (this.timer === null ? this.play() : this.pause()));
    this.slider.addEventListener("input", () => {
      this.pause();
      this.draw();
    });
    // only at the end of a move: browsers refuse an address that changes many times a second
    this.slider.addEventListener("change", () => this.remember());
    addEventListener("hashchange", () => this.recall());
  }

  /** Go to the place of the slider that is nearest to an epoch. */
  choose(epoch) {
    this.pause();
    const distance = this.epochs.map((e) => Math.abs(e - epoch));
    this.slider.value = distance.indexOf(Math.min(...distance));
    this.draw();
    this.remember();
  }

  /** Go where the address says, if it says so. */
  recall() {
    const asked = new URLSearchParams(location.hash.slice(1)).get("epoch");
    if (asked !== null && /^\d+$/.test(asked)) {
      this.choose(Number(asked));
    }
  }

  draw() {
    const frame = Number(this.slider.value);
    const epoch = this.epochs[frame];
    this.output.textContent = epoch;
    this.slider.setAttribute("aria-valuetext", `epoch ${epoch} of ${this.epochs.at(-1)}`);
    this.show(frame, epoch);
  }

  play() {
    const last = this.epochs.length - 1;
    if (Number(this.slider.value) === last) {
      this.slider.value = 0;
      this.draw();
    }
    this.timer = setInterval(() => {
      this.slider.value = Number(this.slider.value) + 1;
      this.draw();
      if (Number(this.slider.value) === last) this.pause();
    }, PAUSE_MS);
    this.label();
  }

  pause() {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.label();
    this.remember();
  }

  label() {
    const playing = this.timer !== null;
    this.button.textContent = playing ? "⏸" : "▶";
    this.button.setAttribute("aria-label", playing ? "pause" : "play all epochs");
  }

  remember() {
    history.replaceState(null, "", `#epoch=${this.epochs[Number(this.slider.value)]}`);
  }
}
