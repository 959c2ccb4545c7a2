function render({ model, el }) {
  const bar = document.createElement("input");
  bar.type = "range";
  bar.min = 0;
  bar.className = "rdskd-scrubber";
  bar.setAttribute("aria-label", "drag through the run");
  bar.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes the arrow keys for its cells
  el.append(bar);

  let held = false; // a bar that is being dragged is not moved by what the kernel says meanwhile
  const show = () => {
    bar.max = model.get("last");
    if (!held) bar.value = model.get("step");
    bar.setAttribute("aria-valuetext", `step ${bar.value} of ${bar.max}`);
  };
  bar.addEventListener("pointerdown", () => { held = true; });
  bar.addEventListener("input", () => {
    model.set("step", Number(bar.value));
    model.save_changes();
    show();
  });
  bar.addEventListener("change", () => { held = false; });
  model.on("change:step", show);
  model.on("change:last", show);
  show();
  return () => {
    model.off("change:step", show);
    model.off("change:last", show);
  };
}

export default { render };
