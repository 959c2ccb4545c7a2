const PULSE = 5000; // ms; a hidden tab may stretch it to a minute

function render({ model, el }) {
  const live = document.createElement("div");
  live.className = "rdskd-unseen";
  live.setAttribute("role", "status");
  live.setAttribute("aria-live", "polite");
  const gone = document.createElement("div");
  gone.setAttribute("role", "alert");
  el.append(live, gone);

  const say = () => { live.textContent = model.get("sentence"); };
  const lose = () => {
    gone.className = "rdskd-gone";
    gone.textContent = "The kernel was stopped or restarted, so this lab is only a picture now. Run its cell again.";
  };
  const pulse = () => {
    try { model.send({ alive: true }); } catch { lose(); }
  };
  model.on("change:sentence", say);
  model.on("comm_live_update", lose);
  say();
  pulse();
  if (model.get("focus")) { // the page took the place of another, in which a button had the focus
    const take = (tries) => {
      if (document.activeElement && document.activeElement !== document.body) return;
      const button = el.closest(".rdskd-box")?.querySelector("button:not([disabled])");
      if (button) button.focus({ preventScroll: true });
      else if (tries) setTimeout(take, 200, tries - 1); // its neighbours are still being drawn
    };
    setTimeout(take, 100, 25);
  }
  const timer = setInterval(pulse, PULSE);
  return () => {
    clearInterval(timer);
    model.off("change:sentence", say);
    model.off("comm_live_update", lose);
  };
}

export default { render };
