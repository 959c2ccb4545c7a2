// The lab's one screen.  `draw(element, state, send)` knows no Jupyter: it draws a state (see session/screen_state.py)
// into an element, and calls `send({do: ...})` for what is pressed.  `render` below is the thin shell for a kernel.

// ---------------------------------------------------------------- small helpers

const SVG = "http://www.w3.org/2000/svg";

function node(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  if (["button", "input", "select", "textarea"].includes(tag)) made.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes its keys
  made.append(...children.filter((child) => child != null));
  return made;
}

const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const put = (element, name, value) => { if (element.getAttribute(name) !== value) element.setAttribute(name, value); };
const style = (element, name, value) => {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
};
const show = (element, on) => { if (element.hidden === on) element.hidden = !on; };
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
const percent = (x) => (isNumber(x) ? `${Math.round(100 * x)} %` : "–");
const whole = (x) => Math.round(x).toLocaleString("en");

function short(x, digits = 3) { // three significant digits, without exponents for the usual sizes
  if (!isNumber(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e5 || size < 1e-4) return x.toExponential(1).replace("e+", "e").replace("-", "−");
  const text = size >= 100 ? x.toFixed(0) : x.toPrecision(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  return text.replace("-", "−");
}

function listOf(x, classes) { // "3 of class 0, 5 of class 1"
  return classes.map((name, k) => [x.filter((label) => label === k).length, name]).filter(([n]) => n)
    .map(([n, name]) => `${n} of class ${name}`).join(", ");
}

// ---------------------------------------------------------------- scales of the sliders: 0, then even factors

class Scale {
  constructor(low, high, marks) {
    Object.assign(this, { low, high });
    this.marks = new Map(marks.map((value) => [this.place(value), value]));
  }
  place(value) { // of 0 to 1000, in steps of 20
    if (!(value > 0)) return 0;
    const at = 20 + (980 * Math.log(value / this.low)) / Math.log(this.high / this.low);
    return 20 * Math.round(clamp(at, 20, 1000) / 20);
  }
  value(place) {
    if (place <= 0) return 0;
    return this.marks.get(place) ?? Number((this.low * (this.high / this.low) ** ((place - 20) / 980)).toPrecision(2));
  }
}

const WEIGHT = new Scale(0.01, 100, [1]);
const STRENGTH = new Scale(0.1, 50, [1, 5, 20, 50]);
const STRENGTH_MARKS = [[0, "0", "none"], [1, "1", "released code"], [20, "20", ""], [50, "50", ""]];
const LARGEST_GAIN = 20;

// ---------------------------------------------------------------- charts: an SVG that stretches, labels beside it

class Chart {
  // lines: names of the classes of its lines, drawn in this order
  constructor(lines, { range = null } = {}) {
    this.paths = Object.fromEntries(lines.map((name) => [name, node("svg:path", { class: name })]));
    this.svg = node("svg:svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img" });
    this.marks = node("svg:g", { class: "marks" });
    this.svg.append(this.marks, ...Object.values(this.paths));
    this.plot = node("div", { class: "plot" }, this.svg);
    [this.most, this.least, this.from, this.until] = ["most", "least", "from", "until"].map((side) => node("span", { class: side }));
    this.element = node("div", { class: "chart" }, this.plot, this.most, this.least, node("div", { class: "x" }, this.from, node("span", {}, "step"), this.until));
    this.fixed = range;
  }

  // data: {name: [steps, values]}; ranged: the names that set the range of y
  draw(data, ranged, [first, last], marks = [], words = "") {
    let low = Infinity, high = -Infinity;
    for (const name of ranged) {
      const [steps, values] = data[name] ?? [[], []];
      steps.forEach((step, i) => {
        if (step < first || !isNumber(values[i])) return;
        low = Math.min(low, values[i]);
        high = Math.max(high, values[i]);
      });
    }
    [low, high] = this.fixed ?? (low > high ? [0, 1] : this.settled(low, high));
    const x = (step) => (1000 * (step - first)) / Math.max(last - first, 1);
    const y = (value) => 100 - (100 * (value - low)) / (high - low);
    for (const [name, path] of Object.entries(this.paths)) {
      const [steps, values] = data[name] ?? [[], []];
      let d = "", pen = "M";
      steps.forEach((step, i) => {
        if (step < first || !isNumber(values[i])) { pen = "M"; return; }
        d += `${pen}${x(step).toFixed(1)} ${clamp(y(values[i]), -50, 150).toFixed(1)}`;
        pen = "L";
      });
      put(path, "d", d);
    }
    const shown = marks.filter(([step]) => step > first && step <= last);
    if (shown.length || this.marks.firstChild) this.marks.replaceChildren(...shown.map(([step, title]) => {
      const line = node("svg:path", { d: `M${x(step).toFixed(1)} 0V100` });
      line.append(node("svg:title", {}, title));
      return line;
    }));
    put(this.svg, "aria-label", words);
    const near = high - low < 0.02 * Math.abs(high) ? 4 : 3;
    write(this.most, short(high, near));
    write(this.least, short(low, near));
    write(this.from, whole(first));
    write(this.until, whole(last));
  }

  // A range that is wide enough, ends on round numbers and moves seldom: labels must not jump at every drawing.
  settled(low, high) {
    const room = 0.06 * (high - low) || 0.05 * Math.abs(high) || 0.5;
    const [a, b] = this.range ?? [NaN, NaN];
    const fits = a <= low && b >= high && high - low + 2 * room > 0.5 * (b - a);
    if (!fits) {
      const unit = 10 ** Math.floor(Math.log10((high - low + 2 * room) / 2));
      const step = [0.2, 0.5, 1, 2].map((k) => k * unit).find((k) => (high - low + 2 * room) / k <= 12) ?? unit;
      const round = (value) => Number(value.toPrecision(10));
      this.range = [round(Math.floor((low - room) / step) * step), round(Math.ceil((high + room) / step) * step)];
    }
    return this.range;
  }
}

// ---------------------------------------------------------------- a sheet of images

class Sheet {
  constructor(run, root) {
    Object.assign(this, { run, root });
    this.heads = run.classes.slice(0, 10).map((name, k) =>
      node("div", { class: "head", style: `--y:${k}` }, node("b", {}, name), run.real ? node("canvas", { width: 32, height: 32 }) : null));
    this.rest = this.heads.map((_, k) => node("div", { class: "rest", style: `--y:${k}` }));
    this.tiles = [];
    this.element = node("div", { class: "sheet", role: "img" }, ...this.heads, ...this.rest);
  }

  draw(sheet, step, sorted, than, thumb) {
    const { classes, real } = this.run;
    this.sheet = sheet;
    while (this.tiles.length < sheet.labels.length) {
      const [canvas, label, sure] = [node("canvas", { width: 32, height: 32 }), node("b"), node("span")];
      const tile = { canvas, label, sure, element: node("div", { class: "tile" }, canvas, node("p", {}, label, sure)) };
      this.tiles.push(tile);
      this.element.append(tile.element);
    }
    style(this.element, "--rows", String(Math.ceil(sheet.labels.length / sheet.columns)));
    put(this.element, "aria-label", `${sheet.labels.length} generated images after ${whole(step)} steps; the teacher sees ${listOf(sheet.labels, classes)}.`);
    this.tiles.forEach((tile, i) => {
      show(tile.element, i < sheet.labels.length);
      if (i >= sheet.labels.length) return;
      const name = classes[sheet.labels[i]], sure = percent(sheet.certainty[i]), changed = Boolean(sheet.changed?.[i]);
      write(tile.label, name);
      write(tile.sure, sure.replace(" %", ""));
      put(tile.element, "title", `The teacher says ${name}, ${sure} sure${changed ? `; ${than}` : ""}`);
      tile.element.classList.toggle("changed", changed);
      tile.element.classList.toggle("unsure", sheet.certainty[i] < 0.5);
    });
    this.place(sorted);
    if (sheet.png !== this.png) {
      this.png = sheet.png;
      paint(sheet.png, sheet.columns, this.tiles.map((tile) => tile.canvas), thumb);
    }
    if (real && this.real !== real.png) {
      this.real = real.png;
      paint(real.png, classes.length, this.heads.map((head) => head.querySelector("canvas")));
    }
  }

  place(sorted) { // where each tile stands: eight in a row, or a row for each class
    const { labels, columns } = this.sheet;
    this.element.classList.toggle("sorted", sorted);
    const room = sorted ? this.room() : 0; // asked only then: it makes the browser lay the page out
    const many = new Array(this.run.classes.length).fill(0);
    this.tiles.forEach((tile, i) => {
      if (i >= labels.length) return;
      let x = i % columns, y = Math.floor(i / columns), fits = true;
      if (sorted) {
        y = labels[i];
        x = many[y]++;
        fits = x < room && y < 10;
      }
      style(tile.element, "--x", String(x));
      style(tile.element, "--y", String(y));
      tile.element.classList.toggle("folded", !fits);
    });
    if (sorted) this.rest.forEach((rest, k) => write(rest, many[k] > room ? `+${many[k] - room}` : ""));
  }

  room() { // for images in a row
    const letters = parseFloat(getComputedStyle(this.root).fontSize) || 13, row = this.element.clientHeight / 10 || 36;
    return clamp(Math.floor((this.element.clientWidth - 5.4 * letters) / (row + 1)) - 1, 4, 40);
  }
}

// ---------------------------------------------------------------- the screen

class Screen {
  constructor(root, state, send) {
    Object.assign(this, { root, run: state.run, send, pending: new Map(), sorted: root.rdskdSorted ?? false });
    this.plain = Boolean(state.run.recorded && !state.run.recorded.whole); // recorded without F, twin, sentences, switches
    root.classList.add("rdskd-screen");
    this.cards = Object.fromEntries(state.run.terms.map((term) => [term.key, this.card(term)]));
    root.replaceChildren(this.head(), this.pipeline(), this.cardRow(), this.main(), this.more());
    root.classList.toggle("brief", Boolean(state.run.only));
    if (state.run.only) this.showOnly(state.run.only);
    root.classList.toggle("recorded", Boolean(state.run.recorded));
    root.classList.toggle("plain", this.plain);
  }

  // ---- controls: what is pressed shows at once; what the kernel says counts as soon as it can know of the press

  ask(key, value, action) {
    if (!this.run.recorded) this.pending.set(key, { value, until: performance.now() + 2500 });
    this.send(action);
  }

  settled(key, value) { // the value to show of a control
    const asked = this.pending.get(key);
    if (!asked) return value;
    if (asked.value === value || performance.now() > asked.until) { this.pending.delete(key); return value; }
    return asked.value;
  }

  button(key, words, title, press, more = {}) {
    return node("button", { type: "button", "data-key": key, title, onclick: press, ...more }, words);
  }

  toggle(key, label, title, action, { small = false } = {}) {
    const box = node("input", { type: "checkbox", role: "switch", "data-key": key, title, "aria-label": label });
    box.addEventListener("change", () => this.ask(key, box.checked, action(box.checked)));
    const element = node("span", { class: `switch${small ? " small" : ""}` }, box, node("i"));
    return { element, box, set: (on) => { box.checked = this.settled(key, on); return box.checked; } };
  }

  slider(key, label, title, scale, action, say) {
    const bar = node("input", { type: "range", min: 0, max: 1000, step: 20, "data-key": key, title, "aria-label": label });
    const value = node("output", {});
    const tell = (number) => {
      write(value, short(number));
      put(bar, "aria-valuetext", say(number));
      style(bar, "--at", `${bar.value / 10}%`);
    };
    bar.addEventListener("input", () => { this.held = key; tell(scale.value(Number(bar.value))); });
    bar.addEventListener("change", () => {
      this.held = null;
      const asked = scale.value(Number(bar.value));
      tell(asked);
      this.ask(key, asked, action(asked));
    });
    const set = (number) => {
      if (this.held === key) return;
      const shown = this.settled(key, number);
      bar.value = scale.place(shown);
      tell(shown);
    };
    return { element: bar, value, set };
  }

  choice(key, label, title, options, action) {
    const list = node("select", { "data-key": key, title, "aria-label": label },
      ...options.map(([value, words]) => node("option", { value }, words)));
    list.addEventListener("change", () => this.ask(key, list.value, action(list.value)));
    return { element: list, set: (value) => { list.value = this.settled(key, value); } };
  }

  number(key, title, { min = 0, max = "", step = 1, label = null }, ask) { // asked for with Enter, or when it is left
    const field = node("input", { type: "number", min, max, step, "data-key": key, title, "aria-label": label });
    let known = "";
    const commit = () => {
      if (field.value === known || field.value === "") return;
      known = field.value;
      ask(Number(field.value));
    };
    field.addEventListener("change", commit);
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") commit(); });
    return { element: field, set: (value) => { if (document.activeElement !== field) field.value = known = String(value); } };
  }

  // ---- the head: Play, a toolbar, numbers

  recordedTools() { // of a recorded run, in the place of the tools of a live one
    const press = (key, words, title, action) => this.button(key, words, title, () => this.send(action));
    const { every = 1, leave, whole } = this.run.recorded, steps = every === 1 ? "One step" : `${every} steps`;
    this.bar = node("input", { type: "range", min: 0, step: every, "data-key": "scrubber", class: "scrubber", "aria-label": "drag through the run", title: "Drag, or use the arrow keys, to go to any step of the run." });
    this.bar.addEventListener("pointerdown", () => { this.dragged = true; });
    this.bar.addEventListener("input", () => this.send({ do: "go", step: Number(this.bar.value) }));
    this.bar.addEventListener("change", () => { this.dragged = false; });
    this.rate = this.number("rate", "How many steps of the run are shown in a second.", { min: 1, max: 10000, step: 10, label: "steps a second" }, (value) => this.send({ do: "rate", value }));
    this.line = [this.bar, this.rate.element, node("span", { class: "quiet", "aria-hidden": "true" }, "steps a second")];
    return [press("back", "Step back", `${steps} back.`, { do: "step_by", steps: -1 }), press("step", "Step", `${steps} on.`, { do: "step_by", steps: 1 }),
      press("backwards", "Backwards", "Play backwards.", { do: "backwards" }),
      ...(leave ? [press("continue", leave, "Train on from this step in a live lab.", { do: "continue" })] : []),
      ...(whole ? [press("reset", "Reset", "Go back to step 0 of this run, with nothing changed.", { do: "reset" })] : [])];
  }

  head() {
    const recorded = this.run.recorded;
    this.play = this.button("play", "", "Train until you pause.", () => {
      const on = !this.playing;
      this.ask("playing", on, { do: on ? "play" : "pause" });
      this.showPlaying(on);
    }, { class: "play" });
    const tools = recorded ? this.recordedTools() : [
      this.button("step", "Step", "Train one step.", () => this.send({ do: "step" })),
      this.button("reset", "Reset", "Go back to step 0: same weights, same random numbers, your settings.", () => this.send({ do: "reset" })),
      this.compare = this.button("compare", "Compare",
        "Train a twin beside this run, as it would be without your last edit, and draw it in grey. Halves the speed.", () => {
          const on = this.compare.getAttribute("aria-pressed") !== "true";
          this.ask("compare", on, { do: "compare", on });
          put(this.compare, "aria-pressed", String(on));
        }, { "aria-pressed": "false" }),
      this.moreButton = this.button("more", "More", "Method, seed, anchors, slow motion, stages, fork, look back, share and report.",
        () => this.openMore(this.panel.hidden), { "aria-expanded": "false" }),
    ];
    const toolbar = node("div", { role: "toolbar", "aria-label": "more to do", class: "tools" }, ...tools);
    roving(toolbar, tools);
    this.numbers = Object.fromEntries([["classes", "effective classes"], ["certainty", "teacher's certainty"], ["student", ""]].map(([key, words]) => {
      const made = { value: node("b", {}, "–"), words: node("small", {}, words) };
      made.element = node("div", { class: `number ${key}` }, made.value, made.words);
      return [key, made];
    }));
    this.numbers.classes.element.title = "exp of the entropy of the teacher's answers: 10 when ten classes come equally often, 1 when only one comes.";
    this.numbers.certainty.element.title = "The mean of the teacher's largest probability over the shown images.";
    this.numbers.student.element.title = "Measured on images that neither the generator nor the student has seen.";
    this.compare ??= node("button");
    this.moreButton ??= node("button");
    this.status = node("div", { class: "status" }, this.steps = node("b"), this.speed = node("span", { class: "quiet" }), this.reason = node("span"));
    const name = `rdskd-example-${Math.random().toString(36).slice(2)}`;
    this.examples = [
      ["rdskd", "RDSKD", "The published method: three losses, two of them damped."],
      ["readable", "readable digits", "rdskd+bn at step 600: a fourth loss, which is not in RDSKD, makes digits that a person can read."],
      ["collapse", "collapse", "dfad: the generator ends with one picture forty times."],
    ].map(([key, words, title]) => {
      const radio = node("input", { type: "radio", name, value: key, title, "data-key": `example-${key}` });
      radio.addEventListener("click", () => this.send({ do: "example", name: key }));
      return { radio, element: node("label", { title }, radio, node("span", {}, words)), key };
    });
    return node("header", {},
      node("div", { class: "top" }, this.play, toolbar, node("div", { class: "numbers" }, ...Object.values(this.numbers).map((one) => one.element))),
      node("div", { class: "line" }, this.status,
        ...(recorded ? this.line : [node("div", { class: "segments", role: "radiogroup", "aria-label": "examples" }, ...this.examples.map((one) => one.element))])));
  }

  showPlaying(on) {
    this.playing = on;
    this.root.classList.toggle("playing", on);
    if (this.play.dataset.on === String(on)) return;
    this.play.dataset.on = String(on);
    const icon = node("svg:svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
    icon.append(node("svg:path", { d: on ? "M3 2h4v12H3zM9 2h4v12H9z" : "M3 1.5v13l11-6.5z" }));
    this.play.replaceChildren(icon, on ? "Pause" : "Play");
    this.play.title = this.run.recorded ? (on ? "Stay at this step." : "Play this recorded run.") : on ? "Stop before the next step." : "Train until you pause.";
  }

  // ---- the five boxes: where one is

  pipeline() {
    this.noise = node("canvas", { width: 12, height: 6, "aria-hidden": "true" });
    this.thumb = node("canvas", { width: 32, height: 32, "aria-hidden": "true" });
    const dots = node("span", { class: "dots", "aria-hidden": "true" }, ...this.run.terms.filter((t) => !t.extra).map((term, k) => {
      const dot = node("i", { class: colour(term, k) });
      this.cards[term.key].dot = dot;
      return dot;
    }));
    const names = [
      ["latents", "random numbers", this.noise, "Forty or more random vectors; each becomes one image."],
      ["generator", "generator", null, "The network that is trained here: random numbers in, images out."],
      ["images", "images", this.thumb, "What the generator makes now."],
      ["teacher", "teacher (frozen)", null, "It was trained on real images and learns nothing here; it answers each image."],
      ["losses", "losses", dots, "Each card below is one loss; the dots show how hard each pulls."],
    ];
    this.boxes = Object.fromEntries(names.map(([key, words, extra, title]) => [key, node("span", { class: `box ${key}`, title }, extra, node("span", { class: "words" }, words))]));
    this.boxes.gradient = node("span", { class: "back", title: "The gradient goes back through the frozen teacher and changes the generator only." }, node("span", {}, "gradient back"));
    this.boxes.student = node("span", { class: "box student", title: "A smaller network that learns the teacher's answers to these images; it never sees real ones." }, "student");
    const arrow = () => node("i", { class: "arrow", "aria-hidden": "true" });
    const { latents, generator, images, teacher, losses, gradient, student } = this.boxes;
    const below = node("span", { class: "below" }, student, node("span", {}, "learns its answers"));
    const loop = node("div", { class: "loop" }, generator, arrow(), images, arrow(), node("span", { class: "stack" }, teacher, below), arrow(), losses, gradient);
    return node("div", { class: "pipeline", role: "img", "aria-label":
      "Random numbers go into the generator, its images to the frozen teacher, the teacher's answers into the losses; their gradient goes back and changes the generator. The student learns from the images and the teacher's answers." },
      latents, arrow(), loop);
  }

  // ---- a card for each loss

  card(term) {
    const edit = (field) => (value) => ({ do: "edit", term: term.key, field, value });
    const at = (field) => `${term.key}.${field}`;
    const title = term.title || term.name;
    const made = {
      on: this.toggle(at("on"), `${title} on`, term.extra ? `Minimise ${title} as well; it is not part of RDSKD.` : `Minimise this loss: ${term.purpose}.`, edit("on")),
      weight: this.slider(at("weight"), `${title} weight`, "How much this loss counts; 1 is the usual.", WEIGHT, edit("weight"), (x) => `weight ${short(x)}`),
      damped: this.toggle(at("damped"), `${title} damped`, "Damp this loss: it pulls harder while it lies above its anchor, and less below.", edit("damped"), { small: true }),
      word: node("span", { class: "word" }),
      share: node("span"),
      gainWord: node("span", { class: "word" }),
      gainNumber: node("span"),
      needle: node("i"),
    };
    made.pull = node("span", { class: "pull", title: "This loss's share of all pulls on the images." }, made.word, made.share);
    made.gain = node("span", { class: "gain" }, made.gainWord, made.gainNumber);
    made.gauge = node("span", { class: "gauge", role: "img", title: "The loss beside its anchor (the middle line): to the left it pulls less, to the right harder." }, made.needle);
    const weight = node("div", { class: "row" }, node("span", {}, "weight"), made.weight.element, made.weight.value);
    const damping = node("div", { class: "row" }, node("span", {}, "damping"), made.damped.element, made.gauge, made.gain);
    if (term.extra) {
      made.element = node("div", { class: "extra" }, made.on.element,
        node("span", { title: `${term.purpose}. ${term.note ?? "not in RDSKD"}` }, node("b", {}, term.key), ` ${term.note ?? "not in RDSKD"}`), made.pull);
      return made;
    }
    made.element = node("section", { class: `card ${colour(term, this.run.terms.indexOf(term))}`, "aria-label": title },
      node("h3", {}, made.on.element, node("span", { class: "name" }, title, node("small", {}, term.key)), made.pull),
      node("p", { title: term.purpose }, term.purpose), weight, damping);
    return made;
  }

  cardRow() {
    const terms = this.run.terms, row = node("div", { class: "cards" });
    for (const term of terms.filter((one) => !one.extra)) row.append(this.cards[term.key].element);
    for (const term of terms.filter((one) => one.extra)) row.children[term.card ?? row.children.length - 1].append(this.cards[term.key].element);
    style(row, "--cards", String(row.children.length));
    this.why = node("p", { class: "why quiet", hidden: !this.run.recorded?.whole });
    return node("div", {}, row, this.why);
  }

  showCard(term, now) {
    const card = this.cards[term.key];
    const on = card.on.set(now.on);
    card.weight.set(now.weight);
    card.element.classList.toggle("off", !on);
    write(card.word, on ? "pull " : "");
    write(card.share, on ? percent(now.pull) : "off");
    if (term.extra) return;
    style(card.element, "--pull", on ? clamp(now.pull ?? 0, 0, 1).toFixed(3) : "0");
    if (card.dot) style(card.dot, "--size", on ? (0.25 + 0.75 * Math.sqrt(clamp(now.pull ?? 0, 0, 1))).toFixed(2) : "0.15");
    const damped = card.damped.set(now.damped);
    put(card.gauge, "data-off", String(!(damped && on)));
    const lean = isNumber(now.gain) && now.gain > 0 ? Math.log(now.gain) / Math.log(LARGEST_GAIN) : 0;
    const place = damped ? Math.sign(lean) * Math.sqrt(Math.min(Math.abs(lean), 1)) : 0;
    style(card.needle, "left", `${(50 + 48 * place).toFixed(1)}%`);
    const cut = now.clamped > 0 ? `, cut ${percent(now.clamped)}` : "";
    write(card.gainWord, on ? "gain " : "");
    write(card.gainNumber, !on ? "" : !damped ? "1" : isNumber(now.gain) ? now.gain.toFixed(now.gain >= 9.995 ? 1 : 2) : "–");
    card.gain.title = damped ? `The gradient of this loss is multiplied by ${short(now.gain)}${cut ? `; the gain was cut to 1/20 or 20 in ${percent(now.clamped)} of the steps` : ""}.` : "Not damped: its gradient is taken as it is.";
    card.gain.classList.toggle("cut", Boolean(cut));
    put(card.gauge, "aria-label", damped ? `loss ${short(now.raw)}, anchor ${short(now.anchor)}: ${place > 0 ? "pulls harder" : "pulls less"}` : "not damped");
  }

  // ---- images on the left, what they do on the right

  main() {
    this.sheet = new Sheet(this.run, this.root);
    this.beside = new Sheet(this.run, this.root); // of another recorded run
    this.besideTitle = node("h4", { hidden: true });
    this.sheetTitle = node("span", {}, "What the generator makes");
    this.start = node("button", { type: "button", tabindex: -1, "aria-hidden": "true", class: "start", onclick: () => this.play.click() });
    const icon = node("svg:svg", { viewBox: "0 0 16 16" });
    icon.append(node("svg:path", { d: "M3 1.5v13l11-6.5z" }));
    this.start.append(icon, node("span", {}, "Press Play: these images will change"));
    this.sort = node("input", { type: "checkbox", "data-key": "sort", title: "Put the images into rows by the teacher's answer, behind a real image of that class." });
    this.sort.checked = this.sorted;
    this.sort.addEventListener("change", () => { this.sorted = this.root.rdskdSorted = this.sort.checked; this.showImages(); });
    this.caption = node("div", { class: "caption" });
    this.bars = this.run.classes.map((name) => ({ mine: node("i"), twin: node("u"), name }));
    this.histogram = node("div", { class: `histogram${this.bars.length > 20 ? " many" : ""}`, role: "img" },
      node("div", { class: "bars" }, node("s", { title: "even shares" }), ...this.bars.map((bar) => (bar.element = node("div", {}, bar.twin, bar.mine)))),
      node("div", { class: "names", "aria-hidden": "true" }, ...this.bars.map((bar) => node("span", {}, bar.name))));
    const left = node("section", { class: "left", "aria-label": "images" },
      node("h3", {}, this.sheetTitle, this.run.recorded && !this.run.real ? null : node("label", { class: "tick" }, this.sort, "sort by class")),
      node("div", { class: "frame" }, this.sheet.element, this.start), this.besideTitle, node("div", { class: "frame" }, this.beside.element), this.caption,
      node("h4", {}, "What the teacher sees", node("small", {}, "latest batches; dashed: even shares")), this.histogram);
    this.right = node("section", { class: "right", "aria-label": "losses" }, ...this.damping());
    this.stage = node("div", { class: "stage-body" });
    this.stageBack = this.button("stage-back", "Back", "The stage before.", () => this.send({ do: "stage_back" }));
    this.inspector = node("section", { class: "inspector", "aria-label": "one step in stages", hidden: true },
      node("h3", {}, "One step in stages",
        node("span", { class: "tools" }, this.button("stage-next", "Next stage", "The next stage of the next step.", () => this.send({ do: "stage" })), this.stageBack,
          this.button("stage-close", "Close", "Back to the losses.", () => this.send({ do: "stage_close" })))),
      this.stage);
    return node("div", { class: "main" }, left, this.right, this.inspector);
  }

  showOnly(key) { // one card, for a lesson about it; the student's card is a switch
    const row = this.root.querySelector(".cards"), wanted = this.cards[key]?.element;
    for (const card of row.children) show(card, wanted !== undefined && card.contains(wanted));
    if (!wanted) row.append(this.learn.element);
    for (const cell of this.cells) show(cell.element, cell.term.key === key);
  }

  damping() {
    this.strength = this.slider("strength", "damping strength of all damped losses",
      "How strongly the damped losses are damped: their gradient is multiplied by exp(strength × (loss − anchor)).", STRENGTH,
      (value) => ({ do: "strength", value }), (x) => (x === 1 ? "strength 1, the released code" : x === 0 ? "strength 0, no damping" : `strength ${short(x)}`));
    const ticks = STRENGTH_MARKS.map(([value, mark, words]) =>
      node("span", { style: `--at:${STRENGTH.place(value) / 1000}`, class: words === "none" ? "first" : value === 50 ? "last" : "" }, words ? `${mark} ${words}` : mark));
    const strength = node("div", { class: "strength" }, node("b", {}, "damping strength"),
      node("div", { class: "scale" }, this.strength.element, node("div", { class: "ticks", "aria-hidden": "true" }, ...ticks)), this.strength.value);
    const terms = this.run.terms;
    this.cells = terms.slice(0, 4).map((term, k) => {
      const chart = new Chart(["twin", "anchor", "mine"]);
      const bar = (who) => ({ bar: node("i"), spread: node("u"), number: node("span", { class: "f" }), element: null, who });
      const mine = bar("mine"), twin = bar("twin");
      for (const one of [mine, twin]) {
        one.element = node("div", { class: `fbar ${one.who}` }, node("span", { class: "who" }, one.who === "mine" ? "this run" : "twin"), node("div", {}, one.bar, one.spread), one.number);
      }
      const note = node("div", { class: "note" });
      const fluctuation = node("div", { class: "fluctuation", role: "img" }, mine.element, twin.element, note);
      const value = node("span", { class: "value", title: "The loss on the fixed probe images now." });
      const element = node("div", { class: `cell ${colour(term, k)}` }, node("h4", {}, node("span", { title: term.name }, term.title || term.name), value), fluctuation, chart.element);
      return { term, chart, mine, twin, note, fluctuation, value, element };
    });
    if (terms.length < 4) {
      const chart = new Chart(["twin", "mine"], { range: [0, 100] });
      const value = node("span", { class: "value" });
      this.student = { chart, value, element: node("div", { class: "cell student" }, node("h4", {}, node("span", { title: this.run.student_label }, "Student", node("small", {}, "% right")), value), chart.element) };
    }
    const key = node("p", { class: "key", "aria-hidden": "true" }, node("i", { class: "mine" }), "this run", this.twinKey = node("span", {}, node("i", { class: "twin" }), "twin"), node("i", { class: "anchor" }), "anchor");
    this.said = node("div", { class: "said" });
    this.since = node("div", { class: "said since" });
    this.sinceWords = node("span");
    this.side = this.button("side", "side by side", "Show both runs side by side, with their differences.", () => this.send({ do: "side_by_side" }), { class: "link", hidden: true });
    this.since.append(this.sinceWords, this.side);
    return [strength, node("h3", {}, node("span", { title: "F is the mean of the rises of a loss from step to step, measured on the same probe images, over the last 100 steps. Thin lines: ± one standard error." },
      ...(this.plain ? ["Losses ", node("small", {}, "mean of 10 steps")] : ["Fluctuation F ", node("small", {}, "10⁻³ a step"), " and losses"])), key),
    node("div", { class: "cells" }, ...this.cells.map((cell) => cell.element), this.student?.element), this.said, this.since];
  }

  // ---- everything else

  more() {
    const group = (title, ...parts) => node("fieldset", {}, node("legend", {}, title), ...parts);
    const field = (words, ...controls) => node("label", { class: "field" }, node("span", {}, words), ...controls);
    const tick = (key, words, title, action) => {
      const box = node("input", { type: "checkbox", "data-key": key, title });
      box.addEventListener("change", () => this.ask(key, box.checked, action(box.checked)));
      return { element: node("label", { class: "tick", title }, box, words), set: (on) => { box.checked = this.settled(key, on); } };
    };
    const press = (key, words, title, action) => this.button(key, words, title, () => {
      show(this.answer, false);
      this.send(typeof action === "function" ? action() : action);
    });
    this.method = this.choice("method", "method", "Begin again at step 0 with the losses of another method.", this.run.methods, (name) => ({ do: "method", name }));
    this.seed = this.number("seed", "Begin again at step 0 with other weights and random numbers.", {}, (value) => this.send({ do: "seed", value }));
    this.learn = tick("learn", "student learns along", "Train the student on the images as they come.", (on) => ({ do: "learn", on }));
    this.slow = tick("slow", "slow motion", "Rest after each step, to see what one step changes.", (on) => ({ do: "slow", on }));
    this.window = this.choice("window", "steps shown", "How much of the run the charts show.", [["200", "last 200 steps"], ["0", "all steps"]], (steps) => ({ do: "window", steps: Number(steps) }));
    this.large = node("input", { type: "checkbox", "data-key": "large", title: "Larger letters, for a projector." });
    this.large.checked = this.root.classList.contains("large");
    this.large.addEventListener("change", () => this.root.classList.toggle("large", this.large.checked));
    this.exact = this.run.terms.map((term) => {
      const edit = (name) => (value) => ({ do: "edit", term: term.key, field: name, value });
      const weight = this.number(`${term.key}.exact`, "The weight, 0 to 100.", { max: 100, step: "any", label: `${term.key} weight, exactly` }, (value) => this.ask(`${term.key}.weight`, value, edit("weight")(value)));
      const rule = this.choice(`${term.key}.rule`, `${term.key} anchor rule`, "What the anchor is: the loss's mean of the last epoch, its previous value, or a moving average.", this.run.rules.map((name) => [name, name]), edit("rule"));
      return { key: term.key, weight, rule, element: node("tr", {}, node("th", { scope: "row", title: term.title }, term.key), node("td", {}, weight.element), node("td", {}, rule.element)) };
    });
    const term = this.choice("fork-term", "fork: loss", "The loss that the second run edits.", this.run.terms.map((one) => [one.key, one.title || one.key]), () => ({ do: "none" }));
    const change = node("select", { "data-key": "fork-change", "aria-label": "fork: edit", title: "What the second run changes." },
      ...[["on", "switch on or off"], ["damped", "damp or do not"], ["strength", "damping strength 20"], ["weight", "weight × 10"]].map(([value, words]) => node("option", { value }, words)));
    const forked = () => {
      const key = term.element.value, now = this.live.terms[key], name = change.value;
      const value = { on: !now.on, damped: !now.damped, strength: 20, weight: clamp(10 * (now.weight || 0.1), 0, 100) }[name];
      return { do: "fork", term: key, field: name, value };
    };
    this.answer = node("div", { class: "answer", role: "status", hidden: true });
    this.panel = node("div", { class: "more", hidden: true, role: "group", "aria-label": "more settings" },
      node("div", { class: "groups" },
        group("Run", field("method", this.method.element), field("seed", this.seed.element, press("next-seed", "next", "Begin again with the next seed.", { do: "next_seed" })), this.learn.element, this.slow.element),
        group("Charts and letters", field("show", this.window.element), node("label", { class: "tick" }, this.large, "large, for a projector")),
        group("Weights and anchors", node("table", {}, node("thead", {}, node("tr", {}, ...["loss", "weight", "anchor"].map((words) => node("th", { scope: "col" }, words)))), node("tbody", {}, ...this.exact.map((one) => one.element)))),
        group("Look closer", press("stage", "Next stage", "Take the next step apart, stage by stage.", { do: "stage" }),
          press("look-back", "Look back", "Play this run again and continue from any step of it.", { do: "look_back" }), press("check", "Check teacher", "How the teacher answers without data, and which recipe suits it: 15 seconds.", { do: "check" }),
          node("div", { class: "field" }, term.element, change, press("fork", "Fork here", "Go on twice from this step, once with this edit, side by side.", forked))),
        group("Keep", press("share", "Share", "A short text with which a classmate opens this run.", { do: "share" }), press("export", "Export code", "This run as a plain PyTorch script.", { do: "export" }),
          press("report", "Report", "Write what was tried here to one HTML file.", { do: "report" }), press("page", "Page", "Write this run to one HTML file that plays in any browser.", { do: "page" }), press("tries", "Tries", "Show or hide the log of what was tried.", { do: "tries" }))),
      this.answer);
    this.panel.addEventListener("keydown", (event) => { if (event.key === "Escape") { this.openMore(false); this.moreButton.focus(); } });
    return this.panel;
  }

  openMore(open) {
    show(this.panel, open);
    put(this.moreButton, "aria-expanded", String(open));
  }

  // ---- each drawing

  update({ run, live, stage }) {
    Object.assign(this, { run, live });
    this.showStage(stage);
    this.showPlaying(this.settled("playing", live.playing));
    write(this.steps, `Step ${whole(live.step)}`);
    write(this.speed, isNumber(live.speed) && live.playing ? `${live.speed >= 9.95 ? whole(live.speed) : live.speed.toFixed(1)} steps a second` : run.device && run.device !== "cpu" ? `on ${run.device}` : "");
    write(this.reason, live.playing && /^Training/.test(live.reason) ? "" : live.reason);
    this.reason.title = live.reason;
    put(this.compare, "aria-pressed", String(this.settled("compare", live.twin.on)));
    const { numbers } = live;
    write(this.numbers.classes.value, isNumber(numbers.classes) ? numbers.classes.toFixed(1) : "–");
    write(this.numbers.classes.words, `classes of ${numbers.of}`);
    write(this.numbers.certainty.value, percent(numbers.certainty));
    write(this.numbers.student.value, percent(numbers.student));
    write(this.numbers.student.words, run.student_label);
    if (run.recorded) {
      put(this.bar, "max", String(run.recorded.steps));
      if (!this.dragged) this.bar.value = live.step;
      put(this.bar, "aria-valuetext", `step ${live.step} of ${run.recorded.steps}`);
      style(this.bar, "--at", `${(100 * live.step) / Math.max(1, run.recorded.steps)}%`);
      this.rate.set(run.recorded.rate);
      write(this.why, run.recorded.why ?? "");
    }
    for (const one of this.examples) one.radio.checked = { rdskd: "rdskd", "rdskd+bn": "readable", dfad: "collapse" }[run.method] === one.key;
    for (const [name, box] of Object.entries(this.boxes)) {
      if (live.stage === name) put(box, "aria-current", "step");
      else box.removeAttribute("aria-current");
    }
    this.root.classList.toggle("learning", live.learning);
    for (const term of run.terms) if (live.terms[term.key]) this.showCard(term, live.terms[term.key]);
    this.showImages();
    this.showHistogram();
    this.showCharts();
    if (run.recorded) this.grey(run.recorded.may ?? {});
    this.showMore();
    if (live.told) this.tell(live.told);
    else show(this.answer, false);
  }

  grey(may) { // of a recorded run: only what was recorded with another value can be pressed
    for (const one of this.root.querySelectorAll(".cards input, .strength input")) {
      one.disabled = !(may[one.dataset.key]?.length > 1);
      one.closest(".switch, .row, .strength").classList.toggle("greyed", one.disabled);
    }
  }

  showImages() {
    const { sheet, beside, step, twin } = this.live, changed = (sheet.changed ?? []).filter(Boolean).length;
    const before = step === 0 && !this.playing && !this.run.recorded && !this.run.start; // an example is to be looked at first
    show(this.start, before);
    this.sheet.element.classList.toggle("fresh", before);
    write(this.caption, !changed ? "Below each image: the teacher's answer and how sure it is."
      : `Marked: ${changed} images with another answer than ${twin.on ? "the twin's" : "before your edit"}.`);
    this.caption.classList.toggle("marks", changed > 0);
    this.sheet.draw(sheet, step, this.sorted, `not ${twin.on ? "the twin's answer" : "the answer before your edit"}`, this.thumb);
    write(this.sheetTitle, sheet.title ?? "What the generator makes");
    show(this.besideTitle, Boolean(beside));
    show(this.beside.element, Boolean(beside));
    if (beside) {
      write(this.besideTitle, beside.title);
      this.beside.draw(beside, step, this.sorted, "");
    }
    if (this.scattered !== step) scatter(this.noise, (this.scattered = step));
  }

  showHistogram() {
    const { shares, twin_shares: twin } = this.live, even = 1 / shares.length;
    const top = Math.max(...shares, ...(twin ?? []), 2 * even) * 1.05;
    this.bars.forEach((bar, k) => {
      style(bar.mine, "--share", (shares[k] / top).toFixed(4));
      style(bar.twin, "--share", twin ? (twin[k] / top).toFixed(4) : "0");
      bar.element.title = `${bar.name}: ${percent(shares[k])}${twin ? `; twin ${percent(twin[k])}` : ""}`;
    });
    style(this.histogram, "--even", `${(100 * even) / top}%`);
    put(this.histogram, "aria-label", `Shares of the classes: ${this.bars.map((bar, k) => `${bar.name} ${percent(shares[k])}`).slice(0, 20).join(", ")}.`);
  }

  showCharts() {
    const { charts, step, terms, fluctuation, twin } = this.live;
    const from = charts.window ? Math.max(0, step - charts.window) : 0;
    const span = [from, this.plain ? this.run.recorded.steps : Math.max(step, from + (charts.window || 50))];
    const marks = this.run.edits;
    show(this.twinKey, Boolean(twin.on || this.live.beside));
    write(this.twinKey.lastChild, this.live.beside?.title ?? "twin");
    const widest = Math.max(1e-12, ...Object.values(fluctuation?.terms ?? {}).flatMap(({ mine, twin: other }) => [mine, other].filter(Boolean).map(([mean, error]) => mean + (error ?? 0))));
    for (const cell of this.cells) {
      const { key } = cell.term, data = charts.terms[key], now = terms[key];
      if (!data || !now) continue;
      cell.element.classList.toggle("off", !now.on);
      write(cell.value, short(now.raw));
      const lines = { mine: [data.steps, data.probe], twin: [data.steps, data.twin ?? []], anchor: [data.steps, now.damped ? data.anchor : []] };
      const trend = data.probe.filter(isNumber);
      cell.chart.draw(lines, ["mine", "twin"], span, marks.filter((mark) => mark[2] === key || mark[2] === "student"),
        `${cell.term.title}: ${trend.length ? `from ${short(trend[0])} to ${short(trend.at(-1))} over the steps shown` : "no value yet"}.`);
      const measured = fluctuation?.terms[key];
      this.showF(cell, measured, widest, now, step);
    }
    if (this.student) {
      const { steps, value, twin: other } = charts.student;
      write(this.student.value, value.length ? percent(value.at(-1)) : "");
      this.student.chart.draw({ mine: [steps, value.map((x) => 100 * x)], twin: [steps, (other ?? []).map((x) => (isNumber(x) ? 100 * x : null))] }, ["mine", "twin"], span, [],
        `${this.run.student_label}: ${value.length ? percent(value.at(-1)) : "not measured yet"}.`);
    }
    this.strength.set(this.live.strength ?? 1);
    const damped = Object.values(terms).some((term) => term.damped);
    this.strength.element.disabled = !damped;
    if (this.live.strength === null && damped) write(this.strength.value, "mixed");
    write(this.said, fluctuation?.sentence ?? (damped ? "Fluctuation is stated after 100 steps." : "No loss is damped, so every gain is 1."));
    this.said.classList.toggle("quiet", !fluctuation);
    const sentence = twin.on ? twin.sentence : this.run.recorded ? (Object.keys(this.run.recorded.may ?? {}).length ? "Press a switch: the run without it stays in grey, and what differs is said here." : "No twin was recorded at this step.")
      : "Change something: a twin without your edit runs along in grey, and what differs is said here.";
    write(this.sinceWords, sentence);
    put(this.since, "data-verdict", twin.on ? twin.verdict : "none");
    show(this.side, Boolean(twin.on && !this.run.recorded));
    show(this.since, !this.run.recorded || Boolean(this.run.recorded.twins));
  }

  showF({ mine, twin, note, fluctuation }, measured, widest, now, step) {
    if (this.plain) { fluctuation.classList.add("plain"); return; }
    const quiet = measured ? "" : !now.on ? "off, so not compared" : step && step < 100 ? `F: in ${100 - step} steps` : "F: after 100 steps";
    fluctuation.classList.toggle("plain", !now.damped && !measured);
    write(note, quiet);
    fluctuation.classList.toggle("empty", Boolean(quiet));
    for (const [part, value] of [[mine, measured?.mine], [twin, measured?.twin]]) {
      const [mean, error] = value ?? [0, 0];
      part.element.classList.toggle("none", !value);
      style(part.bar, "width", `${(100 * mean) / widest}%`);
      style(part.spread, "left", `${(100 * Math.max(0, mean - (error ?? 0))) / widest}%`);
      style(part.spread, "width", `${(100 * (error ?? 0) * 2) / widest}%`);
      write(part.number, value ? `${(1000 * mean).toFixed(1)} ± ${(1000 * (error ?? 0)).toFixed(1)}` : "–");
    }
    put(fluctuation, "aria-label", measured ? `F, in thousandths a step: this run ${mine.number.textContent}${measured.twin ? `, twin ${twin.number.textContent}` : ""}` : quiet);
    fluctuation.title = "F in thousandths of the loss's unit a step, ± one standard error.";
  }

  showStage(stage) { // a stage of the next step stands beside the images, in the place of the losses
    const open = Boolean(stage?.html);
    const opened = open && this.inspector.hidden;
    if (!open && this.inspector.contains(document.activeElement)) this.moreButton.focus();
    show(this.inspector, open);
    show(this.right, !open);
    if (!open) {
      this.stageHtml = this.stage.textContent = "";
      return;
    }
    if (stage.html !== this.stageHtml) {
      this.stageHtml = this.stage.innerHTML = stage.html;
      this.stage.scrollTop = 0;
    }
    this.stageBack.disabled = !stage.at;
    if (opened) {
      this.openMore(false);
      this.inspector.querySelector("button").focus({ preventScroll: true });
    }
  }

  showMore() {
    const { live, run } = this;
    this.method.set(run.method);
    this.seed.set(run.seed);
    this.learn.set(live.learning);
    this.slow.set(live.slow);
    this.window.set(String(live.charts.window));
    for (const one of this.exact) {
      const now = live.terms[one.key];
      if (!now) continue;
      one.weight.set(now.weight);
      one.rule.set(now.rule);
    }
  }

  tell({ what, text, at }) { // what Share, Export or Report gave, once
    if (this.told === at) return;
    this.told = at;
    this.openMore(true);
    const title = { share: "For a classmate", export: "As a plain PyTorch script", report: "Written to", page: "Written to", check: "The teacher, without data" }[what] ?? what;
    const area = node("textarea", { readonly: true, rows: clamp(text.split("\n").length, 1, 12), "aria-label": title }, text);
    const copy = this.button("copy", "Copy", "Copy this text.", () => { area.select(); navigator.clipboard?.writeText(text); });
    this.answer.replaceChildren(node("b", {}, title), area, copy);
    show(this.answer, true);
  }
}

// ---------------------------------------------------------------- pictures

function colour(term, k) { return `c${(term.colour ?? k) % 6}`; }

function paint(png, columns, canvases, thumb) { // the tiles of a mosaic, each onto its canvas, when it has been read
  const picture = new Image();
  latest.set(canvases[0], picture);
  picture.onload = () => {
    if (latest.get(canvases[0]) !== picture) return; // a later one was read first
    const size = picture.width / columns;
    canvases.forEach((canvas, i) => {
      const [x, y] = [(i % columns) * size, Math.floor(i / columns) * size];
      if (!canvas || y >= picture.height) return;
      if (canvas.width !== size) canvas.width = canvas.height = size;
      canvas.getContext("2d").drawImage(picture, x, y, size, size, 0, 0, size, size);
      if (thumb && i === 0) {
        if (thumb.width !== size) thumb.width = thumb.height = size;
        thumb.getContext("2d").drawImage(canvas, 0, 0);
      }
    });
  };
  picture.src = `data:image/${png.startsWith("UklGR") ? "webp" : "png"};base64,${png}`;
}

const latest = new WeakMap(); // by first canvas: what is being read for it

function scatter(canvas, seed) { // a picture of random numbers: a sign, not the latents themselves
  const pen = canvas.getContext("2d");
  let x = (seed * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < canvas.width * canvas.height; i++) {
    x = (1664525 * x + 1013904223) >>> 0;
    const grey = (x >>> 24) & 255;
    pen.fillStyle = `rgb(${grey},${grey},${grey})`;
    pen.fillRect(i % canvas.width, Math.floor(i / canvas.width), 1, 1);
  }
}

function roving(toolbar, buttons) { // one stop for Tab, arrows inside
  buttons.forEach((button, k) => { button.tabIndex = k ? -1 : 0; });
  toolbar.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    buttons[(at + move + buttons.length) % buttons.length].focus();
  });
  toolbar.addEventListener("focusin", () => {
    buttons.forEach((button) => { button.tabIndex = button === document.activeElement ? 0 : -1; });
  });
}

// ---------------------------------------------------------------- one drawing function, and a shell for the kernel

const screens = new WeakMap();

export function draw(element, state, send = () => {}) {
  const { terms, classes, methods, rules, real, recorded, only } = state.run;
  const shape = JSON.stringify([terms, classes, methods, rules, Boolean(real), Boolean(recorded), only]);
  let screen = screens.get(element);
  if (screen?.shape !== shape) { // other losses: built anew, with the focus where it was
    const open = Boolean(screen && !screen.panel.hidden);
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    screen = Object.assign(new Screen(element, state, send), { shape });
    screens.set(element, screen);
    screen.update(state);
    screen.openMore(open);
    if (focused) element.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    return screen;
  }
  screen.update(state);
  return screen;
}

const arrived = new WeakSet(); // models whose page has scrolled to them

function render({ model, el }) {
  const root = node("div");
  el.append(root);
  const send = (action) => model.send(action);
  const redraw = () => {
    const [run, live, stage] = ["run", "live", "stage"].map((name) => model.get(name));
    if (run?.terms && live?.terms) draw(root, { run, live, stage }, send);
  };
  model.on("change:live change:run change:stage", redraw);
  redraw();
  if (!arrived.has(model) && model.get("live")?.step === 0) {
    arrived.add(model);
    scrollHere(root);
  }
  return () => {
    model.off("change:live change:run change:stage", redraw);
  };
}

function scrollHere(root) { // once, when it has its size and JupyterLab has gone on to the next cell
  let touched = false;
  const touch = () => { touched = true; };
  addEventListener("wheel", touch, { once: true, passive: true });
  addEventListener("pointerdown", touch, { once: true });
  for (const wait of [50, 400, 1000]) {
    setTimeout(() => { if (!touched && root.isConnected) root.scrollIntoView({ block: "start", behavior: "instant" }); }, wait);
  }
}

export default { render };
