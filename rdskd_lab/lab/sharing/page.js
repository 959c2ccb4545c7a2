// A page that plays recordings on the lab's screen, without a kernel.  `page.py` writes what is read here.
// It only chooses which recorded frame to show; every number and sentence was computed when the run was recorded.

import { draw } from "./screen.js";

const RATE = 50; // steps of the run a second
const WINDOW = 200; // steps that the charts show, as in the lab

// ---------------------------------------------------------------- one recording

function unpack(packed, i) { // see `transposed` in page.py
  if ("=" in packed) return packed["="];
  if ("[" in packed) return packed["["][i];
  return Object.fromEntries(Object.entries(packed["{"]).map(([name, one]) => [name, unpack(one, i)]));
}

function until(steps, step) { // how many of `steps`, which rise, are at most `step`
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}

const control = (action) => (action.do === "strength" ? "strength" : `${action.term}.${action.field}`);

function nearest(values, now, asked) { // what is next to `asked`, of the values that lie on its side of the present one
  const far = (value) => Math.abs(Math.log(Math.max(value, 0.05) / Math.max(asked, 0.05)));
  return values.filter((value) => Math.sign(value - now) === Math.sign(asked - now)).sort((a, b) => far(a) - far(b))[0] ?? now;
}

class Recording {
  constructor(data) {
    Object.assign(this, data);
    this.first = Object.keys(this.branches)[0];
    this.courses = new Map();
  }

  last(key) { return this.branches[key].steps.at(-1); }

  place(key, step) { // where this step of a branch stands: before the branch left its parent, in that
    let branch = this.branches[key];
    while (step < branch.since) branch = this.branches[(key = branch.parent)];
    const i = Math.max(0, until(branch.steps, step) - 1);
    return { key, branch, i, step: branch.steps[i] };
  }

  frame({ branch, i }) { return unpack(branch.frames, i); }

  sheet({ branch, step }) { // the last images up to there; there are fewer of them than of numbers
    const { steps, png, rest } = branch.sheets, k = until(steps, step) - 1;
    if (k < 0) return this.sheet({ branch: this.branches[branch.parent], step });
    return { ...unpack(rest, k), png: png[k], step: steps[k] };
  }

  course(key) { // all curves of a branch from step 0 on, or of a twin from where it began
    if (!this.courses.has(key)) {
      const { since, parent, course } = this.branches[key] ?? this.ghosts[key];
      const before = parent ? this.course(parent) : null;
      const join = (old, at, mine) => (old ? old.slice(0, at).concat(mine) : mine);
      const [kept, tested] = before ? [until(before.steps, since - 1), until(before.student.steps, since - 1)] : [0, 0];
      const steps = join(before?.steps, kept, course.steps);
      const terms = Object.fromEntries(Object.entries(course.terms).map(([name, { probe, anchor }]) =>
        [name, { probe: join(before?.terms[name].probe, kept, probe), anchor: join(before?.terms[name].anchor, kept, anchor) }]));
      const student = { steps: join(before?.student.steps, tested, course.student.steps), value: join(before?.student.value, tested, course.student.value) };
      this.courses.set(key, { steps, terms, student, at: new Map(steps.map((step, k) => [step, k])), tested: new Map(student.steps.map((step, k) => [step, k])) });
    }
    return this.courses.get(key);
  }

  charts(key, step, twin) { // as the lab's `charts` has them
    const mine = this.course(key), its = twin.on ? this.course(twin.of) : null;
    const part = (steps) => [until(steps, step - WINDOW - 1), until(steps, step)];
    const [low, high] = part(mine.steps), steps = mine.steps.slice(low, high);
    const beside = (places, values, shown) => shown.map((at) => (at >= twin.since ? values[places.get(at)] ?? null : null));
    const terms = Object.fromEntries(Object.entries(mine.terms).map(([name, { probe, anchor }]) => [name, {
      steps, probe: probe.slice(low, high), anchor: anchor.slice(low, high), twin: its && beside(its.at, its.terms[name].probe, steps),
    }]));
    const [from, to] = part(mine.student.steps), tested = mine.student.steps.slice(from, to);
    return { window: WINDOW, terms, student: { steps: tested, value: mine.student.value.slice(from, to), twin: its && beside(its.tested, its.student.value, tested) } };
  }

  choices(key, step) { // what can be pressed: {control: Map(value, [branch, step] where it leads)}
    const found = {};
    const add = (action, value, to) => (found[control(action)] ??= new Map()).set(value, to);
    const { does, parent, since } = this.branches[key];
    const others = Object.entries(this.branches);
    if (does) {
      const was = this.setting(parent, since, does);
      add(does, does.value, [key, step]);
      add(does, was, [parent, Math.min(step, this.last(parent))]); // undone
      for (const [other, branch] of others) {
        if (branch.parent === parent && branch.since === since && other !== key && control(branch.does) === control(does)) {
          add(does, branch.does.value, [other, Math.min(step, this.last(other))]);
        }
      }
    }
    for (const [other, branch] of others) {
      if (branch.parent !== key || branch.since > step) continue;
      if (!found[control(branch.does)]) add(branch.does, this.setting(key, branch.since, branch.does), [key, step]);
      add(branch.does, branch.does.value, [other, branch.since]);
    }
    return found;
  }

  setting(key, step, { do: what, term, field }) { // how a control stood
    const live = this.frame(this.place(key, step));
    return what === "strength" ? live.strength : live.terms[term][field];
  }
}

// ---------------------------------------------------------------- the player

class Player {
  constructor(element, spoken) {
    Object.assign(this, { element, spoken, rate: RATE, direction: 1, playing: false });
  }

  load(data) {
    this.recording = new Recording(data);
    Object.assign(this, { key: this.recording.first, at: 0, reason: "Press Play.", playing: false });
    this.show();
  }

  act(action) {
    const { every } = this.recording;
    const does = {
      play: () => this.turn(1),
      backwards: () => this.turn(-1),
      pause: () => this.stop("Paused."),
      go: () => { if (!this.playing) this.reason = "Paused."; this.go(action.step); },
      step_by: () => { this.stop("Paused."); this.go((Math.round(this.step / every) + action.steps) * every); },
      rate: () => { this.rate = Math.min(10000, Math.max(1, action.value)); this.show(); },
      reset: () => { this.key = this.recording.first; this.stop("Back at the beginning, with nothing changed. Press Play."); this.go(0); },
      edit: () => this.press(action),
      strength: () => this.press(action),
    }[action.do];
    does?.();
  }

  get step() { return this.recording.place(this.key, this.at).step; }

  go(step) {
    this.at = Math.min(this.recording.last(this.key), Math.max(0, step));
    this.show();
  }

  stop(reason) { Object.assign(this, { playing: false, reason }); this.show(); }

  turn(direction, reason = direction > 0 ? "Playing." : "Playing backwards.") {
    const end = this.recording.last(this.key);
    if (this.at >= end && direction > 0) this.at = 0;
    if (this.at <= 0 && direction < 0) this.at = end;
    const begun = this.playing;
    Object.assign(this, { direction, playing: true, reason });
    this.show();
    if (begun) return;
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing || this.ticking !== tick) return; // or paused and played again within a frame
      this.at += (this.direction * this.rate * Math.max(0, now - before)) / 1000;
      before = now;
      const last = this.recording.last(this.key);
      if (this.direction > 0 ? this.at >= last : this.at <= 0) {
        this.at = Math.min(last, Math.max(0, this.at));
        this.stop(this.at ? `The recording ends here${this.may ? ": press a switch, or Play for the beginning." : "; Play shows it again."}` : "This is the beginning.");
      } else if (this.step !== this.shown) this.show();
      requestAnimationFrame(tick);
    };
    this.ticking = tick;
    requestAnimationFrame(tick);
  }

  press(action) { // a switch or a slider: go on with the branch that was recorded
    const here = this.recording.place(this.key, this.at);
    const found = this.recording.choices(here.key, here.step)[control(action)];
    const now = this.recording.setting(here.key, here.step, action);
    const [key, step] = found?.get(nearest([...found.keys()], now, action.value)) ?? [here.key, here.step];
    if (key !== here.key) {
      const branch = this.recording.branches[key], still = matchMedia("(prefers-reduced-motion: reduce)").matches && !this.playing;
      const undone = this.recording.branches[here.key].parent === key;
      this.reason = undone ? `Undone: the same run without “${this.recording.branches[here.key].names.join(", ")}”.`
        : step === branch.since ? `Went on from step ${branch.since}, where this was recorded.${still ? " Press Play." : ""}` : `The same step of the run with “${branch.names.join(", ")}”.`;
      Object.assign(this, { key, at: step });
      if (step === branch.since && !undone && !still) return this.turn(1, this.reason); // to see what it does
    }
    this.show();
  }

  show() {
    const { recording } = this, here = recording.place(this.key, this.at);
    const live = recording.frame(here), { twin } = live, sheet = recording.sheet(here);
    const beside = twin.on && recording.branches[twin.of] ? recording.place(twin.of, here.step) : null;
    const its = beside?.step === here.step ? recording.frame(beside) : null, other = its && recording.sheet(beside);
    sheet.changed = other?.step === sheet.step && sheet.step > twin.since ? sheet.labels.map((label, k) => label !== other.labels[k]) : [];
    const choices = recording.choices(here.key, here.step);
    this.may = Object.keys(recording.branches).length > 1;
    const recorded = {
      steps: recording.last(this.key), every: recording.every, rate: this.rate, whole: true, why: this.why(here), twins: this.may || Object.keys(recording.ghosts).length > 0,
      may: Object.fromEntries(Object.entries(choices).map(([name, values]) => [name, [...values.keys()]])),
    };
    const edits = here.branch.edits.filter(([step]) => step <= here.step);
    const charts = recording.charts(here.key, here.step, twin);
    draw(this.element, {
      run: { ...recording.run, edits, recorded },
      live: { ...live, sheet, charts, twin_shares: its?.shares ?? null, step: here.step, speed: null, playing: this.playing, reason: this.reason, slow: false, stage: null, told: null },
    }, (action) => this.act(action));
    this.shown = here.step;
    if (!this.playing) this.spoken.textContent = this.words(live, here.step);
  }

  why({ key, branch }) { // of what is greyed
    const moments = [...new Set(Object.values(this.recording.branches).filter((one) => one.parent === key).map((one) => one.since))];
    if (branch.parent) return `“${branch.names.join(", ")}” since step ${branch.since}. Greyed: not recorded together with it.`;
    if (!moments.length) return "Greyed: of this run no switch was recorded.";
    return `The switches were recorded at steps ${moments.join(", ")}: a press goes back to the last of them. Greyed: not recorded.`;
  }

  words(live, step) { // for a screen reader, when it stands still
    const { classes, of, certainty, student } = live.numbers;
    const percent = (x) => `${Math.round(100 * x)} %`;
    const known = [`${classes == null ? "no" : classes.toFixed(1)} classes of ${of}`, `teacher's certainty ${percent(certainty)}`];
    if (student != null) known.push(`${this.recording.run.student_label} ${percent(student)}`);
    return `Step ${step}: ${known.join(", ")}. ${this.reason} ${live.twin.on ? live.twin.sentence : ""}`;
  }
}

// ---------------------------------------------------------------- what stands around it

const nth = (n) => (n === 1 ? "" : n === 2 ? "second " : `${n}th `);

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function mount(root, recordings) { // recordings: as page.py packs them; or {title, href}, another page
  const [screen, spoken, words, madeWith] = [make("div", {}), make("p", { role: "status", class: "spoken" }), make("p", { class: "words" }), make("p", { class: "made" })];
  const player = new Player(screen, spoken);
  const open = (data) => {
    words.textContent = data.words;
    madeWith.textContent = `A recording: numbers after every ${nth(data.every)}step, images after every ${nth(data.images)}step. Nothing is trained here. Made with ${data.made}.`;
    player.load(data);
  };
  const name = `rdskd-run-${Math.random().toString(36).slice(2)}`;
  const first = recordings.find((data) => !data.href);
  const parts = recordings.map((data) => {
    if (data.href) return make("a", { href: data.href }, data.title);
    const radio = make("input", { type: "radio", name, ...(data === first ? { checked: "" } : {}) });
    radio.addEventListener("change", () => open(data));
    return make("label", {}, radio, make("span", {}, data.title));
  });
  const choice = make("nav", { class: "runs", "aria-label": "recorded runs" }, ...(parts.length > 1 ? parts : []));
  root.classList.add("rdskd-page");
  root.replaceChildren(choice, words, screen, spoken, madeWith);
  open(first);
  return player;
}
