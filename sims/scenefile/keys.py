"""Every key that a scene file may have: the tables from which files are read and the reference is printed."""

from __future__ import annotations

from vbsense.sims.scenefile.key import REQUIRED, Key

__all__ = ["CONDUCTORS", "SENSORS", "TABLES"]

_NM, _UM, _MM, _M = 1e-9, 1e-6, 1e-3, 1.0


def _place(name: str, text: str, default: object = REQUIRED, kind: str = "vector") -> Key:
    return Key(name, text, "m", kind, default, low=-_M, high=_M)


def _number(name: str, text: str, unit: str, default: object, low: float, high: float) -> Key:
    return Key(name, text, unit, "quantity", default, low=low, high=high)


def _size(name: str, text: str, default: object = REQUIRED, low: float = 1e-11, high: float = _MM) -> Key:
    return _number(name, text, "m", default, low, high)


_CURRENT = _number("current", "nominal current, from start to end; negative the other way", "A", REQUIRED, -10.0, 10.0)
_TOP = _size("top", "height of the top face; z = 0 is where stand-offs count from", "0 m", -_MM, _MM)
_WIDTH = _size("width", "width of the conductor")
_THICKNESS = _size("thickness", "thickness of the conductor, below its top face")
_TURN = _number("rotation", "turn about the center, positive from x to y", "rad", 0.0, -6.3, 6.3)
_STANDOFF = _size("standoff", "height of the mean depth of the emitters above z = 0", high=_MM)
_LAYER = _size("thickness", "thickness of the emitting layer, evenly filled", "40 nm", 0.0, 100 * _UM)

CONDUCTORS = {
    "bar": (
        _place("start", "x and y of one end of the centre line"),
        _place("end", "x and y of the other end"),
        _WIDTH, _THICKNESS, _CURRENT, _TOP,
    ),
    "ribbon": (
        _place("start", "x and y of one end of the centre line"),
        _place("end", "x and y of the other end"),
        _WIDTH, _CURRENT, _TOP,
    ),
    "filament": (_place("vertices", "corners of a thin wire", kind="points"), _CURRENT, _TOP),
    "loop": (
        _place("center", "x and y of the middle", ["0 m", "0 m"]),
        _size("radius", "radius of a thin wire loop", high=_M), _CURRENT, _TOP,
    ),
    "path": (
        _place("vertices", "corners of the centre line", kind="points"),
        _WIDTH, _THICKNESS, _CURRENT, _TOP,
        Key("closed", "the last corner is joined to the first: a circuit", kind="switch", default=False),
    ),
    "u_shape": (
        _place("center", "x and y of the middle of the bridge", ["0 m", "0 m"]),
        _WIDTH, _THICKNESS,
        _size("separation", "distance of the centre lines of the legs", high=_M),
        _size("length", "length of the legs, which reach down from the bridge", high=_M),
        _CURRENT, _TOP, _TURN,
    ),
    "meander": (
        _place("center", "x and y of the middle", ["0 m", "0 m"]),
        _WIDTH, _THICKNESS,
        _size("pitch", "distance of the centre lines of neighbouring legs", high=_M),
        _size("length", "length of the legs", high=_M),
        Key("legs", "number of legs", kind="whole", low=2, high=10000),
        _CURRENT, _TOP, _TURN,
    ),
    "drawing": (
        Key("file", "layout in GDS, OASIS, DXF or SVG; a path from where the scene file is", kind="text"),
        Key("layer", 'layer of the drawing: "1/0" (GDS, OASIS), its name (DXF, SVG)', kind="text", default=None),
        Key("cell", "cell of the drawing (GDS, OASIS)", kind="text", default=None),
        _size("unit", "length of one unit of the drawing (DXF, SVG)", None, 1e-12, _M),
        Key("source", "label at the contact where the current enters", kind="text"),
        Key("drain", "label at the contact where it leaves", kind="text"),
        _place("center", "where the middle of the drawing comes to lie", ["0 m", "0 m"]),
        _size("thickness", "thickness of the film, below its top face", "0 nm", 0.0),
        _size("pixel", "grid on which the current is solved; by default chosen from the drawing", None),
        _CURRENT, _TOP,
    ),
}  # fmt: skip

SENSORS = {
    "array": (
        _STANDOFF,
        _size("pitch", "distance of neighbouring spots in a row"),
        _size("pitch_y", "distance of neighbouring spots in a column; as in a row by default", None),
        Key("rows", "rows of the lattice", kind="whole", low=1, high=10000),
        Key("columns", "columns of the lattice", kind="whole", low=1, high=10000),
        _place("center", "middle of the lattice", ["0 m", "0 m"]),
        _number("rotation", "angle of the rows to x", "rad", 0.0, -6.3, 6.3),
        _number("shear", "angle by which the columns lean towards the rows", "rad", 0.0, -1.0, 1.0),
        _size("spot_size", "side of a square, diameter of a disc, FWHM of a Gaussian spot", "100 nm"),
        Key("spot_shape", "shape of a spot", kind="choice", default="square", choices=("square", "disc", "gaussian")),
        _LAYER,
        _size("placement_scatter", "placement error of the spots, one sigma on each axis", "0 nm", 0.0),
        Key("missing", "sites that do not exist, counted row by row from 0", kind="integers", default=[], low=0),
    ),
    "layer": (
        _STANDOFF, _LAYER,
        _place("outline", "corners of the flake; everywhere by default", None, kind="points"),
        Key("oversampling", "pieces along a side of a pixel with a field of their own", kind="whole", default=1, low=1,
            high=16),
        _size("margin", "how far the layer goes on around the picture: as far as the sample drifts", "1 um", 0.0),
    ),
}  # fmt: skip

_PSF = ("gaussian", "airy", "high_na", "measured")
_DEFECTS = ("VB14N", "VB15N", "VB14N_DFT", "VB15N_DFT")
_FRACTION = {"low": 0.0, "high": 0.999}

TABLES = {
    "scene": (
        Key("title", "what it is, for people", kind="text", default=""),
        Key("seed", "draws what differs from spot to spot", kind="whole", default=0, low=0),
    ),
    "microscope": (
        Key("shape", "rows and columns of the camera", kind="wholes", low=1, high=65536),
        _size("pixel_size", "a pixel, on the sample", low=_NM, high=100 * _UM),
        Key("psf", "point-spread function", kind="choice", default="gaussian", choices=_PSF),
        _size("fwhm", "full width at half maximum of a Gaussian", None, high=100 * _UM),
        _size("wavelength", "of the light (airy, high_na)", "820 nm", 100 * _NM, 10 * _UM),
        _number("numerical_aperture", "of the objective (airy, high_na)", "1", None, 0.01, 2.0),
        _number("refractive_index", "between objective and sample (high_na)", "1", 1.0, 1.0, 3.0),
        _size("defocus", "distance of the sample from focus (high_na)", "0 nm", -20 * _UM, 20 * _UM),
        _size("psf_radius", "where the rings are cut off (airy, high_na); by default far out", None, 100 * _NM, _MM),
        Key("image", "picture of a point as .npy (measured); a path from where the scene file is", kind="text",
            default=None),
        _size("image_pixel", "pixel of that picture, on the sample", None, 1e-10, 100 * _UM),
        _size("vignetting", "distance from the middle at which half of the light is left", None, _UM, _M),
        _size("laser_fwhm", "width of a Gaussian laser beam; even light by default", None, 100 * _NM, _M),
        _place("laser_center", "middle of the laser beam", ["0 m", "0 m"]),
    ),
    "camera": (
        Key("preset", "typical camera whose numbers hold where no key says otherwise", kind="choice", default="plain",
            choices=("plain", "scmos", "emccd", "ccd", "apd")),
        _number("gain", "electrons per count", "electron", None, 1e-6, 1e6),
        _number("offset", "dark level in counts", "count", None, 0.0, 65535.0),
        _number("read_noise", "one sigma of a read-out", "electron", None, 0.0, 1e5),
        _number("read_noise_spread", "spread of its logarithm over the pixels", "1", None, 0.0, 3.0),
        _number("dark_current", "electrons per second and pixel", "electron/s", None, 0.0, 1e7),
        _number("full_well", "electrons at which a pixel saturates", "electron", None, 1.0, 1e9),
        _number("hot_pixels", "share of pixels with a thousand times the dark current", "1", None, 0.0, 1.0),
        _number("dead_pixels", "share of pixels that see no light", "1", None, 0.0, 1.0),
        _number("response_spread", "spread of the response over the pixels", "1", None, 0.0, 1.0),
        Key("bits", "of the converter or counter", kind="whole", default=None, low=1, high=16),
        Key("seed", "which sensor: where hot and dead pixels lie", kind="whole", default=None, low=0),
        _number("em_gain", "electron multiplication (emccd)", "1", None, 10.0, 1e5),
        _number("sensitivity", "electrons behind the register per count (emccd)", "electron", None, 1e-6, 1e6),
        _number("output_noise", "read noise behind the register (emccd)", "electron", None, 0.0, 1e6),
        _number("register_well", "electrons at which the register saturates (emccd)", "electron", None, 1.0, 1e9),
        _number("pixel_well", "electrons at which a pixel saturates (emccd)", "electron", None, 1.0, 1e9),
        _number("clock_induced", "spurious electrons per frame and pixel (emccd)", "electron", None, 0.0, 1e3),
        _number("dark_rate", "counts per second without light (apd)", "electron/s", None, 0.0, 1e9),
        _number("dead_time", "time after a count in which nothing is counted (apd)", "s", None, 0.0, 1.0),
        _number("after_pulsing", "chance of a false count after a count (apd)", "1", None, 0.0, 0.5),
    ),
    "defect": (
        Key("name", "preset of the spin", kind="choice", default="VB14N", choices=_DEFECTS),
        _number("D", "zero-field splitting", "Hz", None, 1e8, 1e11),
        _number("E", "in-plane splitting; the mean, where it differs from spot to spot", "Hz", None, 0.0, 1e9),
        _number("E_spread", "spread of E from spot to spot, each with its own axis (array)", "Hz", None, 0.0, 1e9),
        _number("g", "electron g factor", "1", None, 1.5, 2.5),
        _number("temperature", "of the sensor; D follows it within 60 K of 295 K, or is given", "K", None, 1.0,
                1000.0),
        _number("tilt", "angle of the c axis to z", "rad", 0.0, 0.0, 3.1416),
        _number("azimuth", "direction in which c is tilted, from x to y", "rad", 0.0, -6.3, 6.3),
    ),
    "bias": (Key("field", "bias field along x, y, z", "T", "vector", ["0 mT", "0 mT", "10 mT"], -2.0, 2.0, length=3),),
    "light": (
        _number("spot_rate", "light of a mean spot, drive off, laser at its set point (array)", "electron/s", None, 1.0,
                1e15),
        _number("light_per_emitter", "instead: light of one emitter, times their mean number (array)", "electron/s",
                None, 1e-6, 1e9),
        _number("emitters", "mean number of emitters of a spot, or of the area of a pixel; drawn for each", "1", None,
                1e-3, 1e12),
        _number("dose", "instead: ions per area that made them", "1/m^2", None, 1e10, 1e25),
        _number("vacancies_per_ion", "boron vacancies that an ion leaves behind; unverified", "1", 12.5, 1e-3, 1e5),
        _number("creation_yield", "share of them that become V_B^- (arXiv:2501.18481)", "1", 0.002, 1e-9, 1.0),
        _number("pixel_rate", "light of the layer per pixel, drive off (layer)", "electron/s", None, 1e-3, 1e15),
        _number("background", "light per pixel that knows no resonance", "electron/s", 0.0, 0.0, 1e15),
        _number("contrast", "depth of one bare line at unlimited drive", "1", 0.24, **_FRACTION),
        _number("linewidth", "full width at half maximum of one undriven hyperfine line", "Hz", "45 MHz", 1e5, 1e9),
        _number("saturation_power", "power at which the contrast is half its limit", "dBm", "15 dBm", -100.0, 100.0),
        _number("brightness_scatter", "spread of the brightness from spot (or pixel) to spot", "1", 0.0, 0.0, 2.0),
        _number("contrast_scatter", "spread of the contrast from spot to spot (array)", "1", 0.0, 0.0, 2.0),
        _number("film_rate", "light per pixel of defects between the spots (array)", "electron/s", None, 1e-3, 1e15),
        _number("film_contrast", "depth of a bare line of these; as of the spots by default", "1", None, **_FRACTION),
    ),
    "microwave": (
        Key("drive", "direction of the microwave field", "1", "vector", [1.0, 0.0, 0.0], -1e9, 1e9, length=3),
        Key("gradient", "relative change of its amplitude along x and y", "1/m", "vector", None, -1e7, 1e7),
    ),
    "drift": (
        _number("laser_slope", "relative change of the laser power with time", "1/s", 0.0, -1.0, 1.0),
        _number("laser_noise", "1/f noise of the laser power, rms per decade", "1", 0.0, 0.0, 0.5),
        Key("stage", "velocity of the sample along x and y", "m/s", "vector", [0.0, 0.0], -_MM, _MM),
        _number("stage_noise", "random walk of the sample, rms after one second", "m/s^0.5", 0.0, 0.0, _MM),
        Key("seed", "of the noise", kind="whole", default=0, low=0),
    ),
    "measurement": (
        _number("first", "first microwave frequency", "Hz", "2.97 GHz", 1e6, 1e12),
        _number("last", "last microwave frequency", "Hz", "3.97 GHz", 1e6, 1e12),
        Key("points", "number of frequencies from first to last", kind="whole", default=81, low=1, high=1000000),
        Key("frequencies", "instead: a list of them, ascending", "Hz", "quantities", None, 1e6, 1e12),
        _number("exposure", "of one frame", "s", "1 s", 1e-7, 1e5),
        _number("power", "microwave power at the source", "dBm", "15 dBm", -150.0, 60.0),
        Key("averages", "frames averaged into each point", kind="whole", default=1, low=1, high=1000000),
        _number("current", "current to measure with, at +I and -I; by default that of the conductor", "A", None, 1e-12,
                10.0),
        Key("polarities", "measure at +I and -I; otherwise once, at the current of the conductor", kind="switch",
            default=True),
        Key("reference", "expose every point with the drive off as well", kind="switch", default=False),
        Key("order", "order in time on a rig (`vbsense acquire`); `vbsense simulate` always goes up", kind="choice",
            default="palindrome", choices=("up", "palindrome")),
        Key("seed", "of the camera's noise", kind="whole", default=0, low=0),
    ),
}  # fmt: skip
