"""A state of the lab's screen with made-up numbers: what `session.screen_state` gives, for tests that train nothing."""

import base64

import numpy as np

from rdskd_lab.lab.drawing.sheet import mosaic, png

TITLES = {
    "oh": ("Authenticity", "the teacher is sure of each image", "one-hot loss"),
    "ie": ("Class diversity", "all classes, equally often", "information entropy loss"),
    "ds": ("Sample diversity", "images differ more than the answers do", "diversity seeking loss"),
    "bn": ("Image statistics", "features have the teacher's means", "statistics loss"),
}


def pictures(rng: np.random.Generator, n: int = 40, channels: int = 1, columns: int = 8) -> str:
    """Random images as the screen gets them."""
    images = rng.integers(0, 256, (n, channels, 32, 32), np.uint8)
    return base64.b64encode(png(mosaic(images, columns))).decode()


def made_up_state(step=302, *, terms=("oh", "ie", "ds"), classes=10, channels=1, playing=False, twin=False, seed=0):
    """Make up a state after `step` steps; `twin`: a twin without the last edit, class diversity off, runs along."""
    rng = np.random.default_rng(seed)
    steps = list(range(max(2, step - 198), step + 1, 2)) if step > 1 else []
    shares = rng.dirichlet(np.full(classes, 20.0)).tolist()

    def course(level, key):
        return (level + 0.03 * np.random.default_rng(len(key)).standard_normal(len(steps)).cumsum() / 3).tolist()

    def now(key):
        damped = key in ("oh", "ie")
        raw, anchor = (0.21, 0.23) if key == "oh" else (-2.2, -2.21) if key == "ie" else (0.027, 0.0)
        gain = float(np.exp(raw - anchor)) if damped else 1.0
        on = not (twin and key == "ie")
        settings = dict(on=on, weight=1.0, damped=damped, strength=1.0, rule="epoch")
        return dict(**settings, raw=raw, anchor=anchor if damped else None, gain=gain, pull=1 / len(terms), clamped=0.0)

    def chart(key):
        level = {"oh": 0.2, "ie": -2.2}.get(key, 0.03)
        anchors = [level if at > 2 else 0.0 for at in steps]  # in its first two steps an anchor is 0
        ghost = course(level, key + "ghost") if twin else None
        return dict(steps=steps, probe=course(level, key), twin=ghost, anchor=anchors)

    def described(k, key):
        title, purpose, name = TITLES.get(key, (key, f"what {key} wants", key))
        extra = dict(extra=True, note="not in RDSKD", card=2) if key == "bn" else dict(card=k)
        words = dict(key=key, title=title, purpose=purpose, name=name, formula="L", unit="nats", range="0 to 1")
        return words | dict(colour=k, dampable=True) | extra

    fluctuation = None
    if step >= 100:
        found = {
            k: dict(mine=[0.0038, 0.0005], twin=[0.0037, 0.0005] if twin else None) for k in ("oh", "ie") if k in terms
        }
        sentence = "No difference so far: the loss jumps as much as without damping."
        fluctuation = dict(window=100, curves=150, terms=found, sentence=sentence)
    student = dict(steps=steps[::10], value=[0.1 + 0.7 * k / 10 for k in range(len(steps[::10]))], twin=None)
    since = dict(kind="without your last edit: class diversity off", since=160, verdict="different")
    since |= dict(on=True, sentence="Since you switched class diversity off 140 steps ago: classes 9.4 → 6.1")
    labels = rng.integers(0, classes, 40)
    return {
        "run": dict(
            id=1, method="rdskd", method_title="RDSKD", seed=0, device="cpu", channels=channels,
            classes=[str(k) for k in range(classes)],
            real=dict(name="real digits", png=pictures(rng, classes, channels, classes)) if classes <= 10 else None,
            student_label="student on 1,000 real digits",
            methods=[["rdskd", "RDSKD"], ["dafl", "DAFL"], ["dfad", "DFAD"]], rules=["epoch", "previous", "average"],
            terms=[described(k, key) for k, key in enumerate(terms)],
            edits=[[160, "class diversity: off", "ie"]] if twin else [],
        ),
        "live": dict(
            step=step, speed=33.1 if playing else None, playing=playing, reason="Training." if playing else "Paused.",
            learning=True, slow=False, stage=None, strength=1.0,
            numbers=dict(classes=9.4, of=classes, certainty=0.86, student=0.79 if step else None),
            terms={key: now(key) for key in terms},
            sheet=dict(
                png=pictures(rng, channels=channels), columns=8, labels=labels.tolist(),
                certainty=rng.uniform(0.3, 1, 40).tolist(), changed=[bool(twin and k % 3 == 0) for k in range(40)],
            ),
            shares=shares, twin_shares=shares[::-1] if twin else None,
            charts=dict(window=200, terms={key: chart(key) for key in terms}, student=student, classes=student),
            fluctuation=fluctuation, twin=since if twin else dict(on=False),
        ),
    }  # fmt: skip
