"""Make the failure museum: a trace per exhibit of `lab.widgets.museum`, and what other seeds said of the conflict.

    python tools/record_museum.py            # all of it, some minutes on two cores: about 6,000 generator steps
    python tools/record_museum.py collapse   # one trace anew

The same seeds give other numbers on another machine, and the answers read theirs from the traces; the tests hold what
each exhibit claims.
"""

import json
import sys

from rdskd_lab.lab.session.tracefile import save
from rdskd_lab.lab.widgets.museum import EXHIBITS, LAST, SHIPPED, mean

SEEDS = range(6)  # of the conflict


def main(keys: list[str]) -> None:
    SHIPPED.mkdir(exist_ok=True)
    notes = SHIPPED / "about.json"
    about = json.loads(notes.read_text()) if notes.exists() else {"stopped": "", "conflict": {}}
    for key in keys or EXHIBITS:
        trace, stopped = EXHIBITS[key].make()
        path = save(trace, SHIPPED / f"{key}.npz", checkpoints=False)
        about["stopped"] = stopped or about["stopped"]
        print(f"{key}: {len(trace)} steps, {path.stat().st_size / 1e6:.2f} MB. {stopped}", flush=True)
        if key.startswith("conflict"):
            ends = [mean(EXHIBITS[key].make(seed)[0], "oh", *LAST) for seed in SEEDS]
            about["conflict"][key] = [round(end, 3) for end in ends]
            print(f"  one-hot loss at the end, seeds 0 to {len(ends) - 1}: {about['conflict'][key]}", flush=True)
        notes.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
