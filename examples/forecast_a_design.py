"""Which pitch to write, before the ions are spent: python forecast_a_design.py [PICTURE.png]"""

import sys

import numpy as np
from matplotlib.figure import Figure

from vbsense import sims

frequency = np.linspace(2.97e9, 3.97e9, 81)
pair = (1e-3, -1e-3)
figure = Figure(figsize=(6, 4), layout="constrained")
ax = figure.subplots()

# The same 6 x 6 um over the same wire, written coarsely and densely; ten minutes of exposure for each.
print("pitch (nm)  spots  noise of crowding  Bz per spot (uT)  stand-off (nm)  width (nm)")
for pitch, color in ((500e-9, "#2a9d8f"), (300e-9, "#d1495b")):
    side = round(6e-6 / pitch) + 1
    scene = sims.gold_wire_nanoarray(rows=side, columns=side, pitch=pitch)
    plan = sims.forecast(scene, frequency, exposure=0.1, averages=37, currents=pair)
    price, error = np.median(plan.amplification), np.median(plan.error) * 1e6
    standoff, width = (plan.wire[name][1] * 1e9 for name in ("standoff", "width"))
    print(f"{pitch * 1e9:10.0f} {plan.error.size:6d} {price:18.2f} {error:17.1f} {standoff:15.2f} {width:11.2f}")
    # A row of such spots across the wire, each with the error that it will have.
    near = np.argsort(np.abs(plan.y - np.median(plan.y)))[:side]
    label = f"{pitch * 1e9:.0f} nm: {plan.error.size} spots, ± {error:.0f} µT"
    Bz = scene.wire_field(pair[0])[near, 2] * 1e6
    ax.errorbar(plan.x[near] * 1e6, Bz, plan.error[near] * 1e6, fmt=".", capsize=2, color=color, label=label)

ax.set(xlabel="x (µm)", ylabel="Bz of the wire (µT)", title="What each design will see across the wire")
ax.legend(frameon=False)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "forecast_a_design.png", dpi=120)
