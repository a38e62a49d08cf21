"""Rows for `xgrad.ops.beyond.descriptive`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import Arg, Row

CUBE = Arg((2, 3, 4))
NAN = float("nan")
GAPS = Arg((3, 4), values=((1.0, NAN, 2.0, -1.0), (NAN, 0.5, NAN, 3.0), (2.5, -0.5, 1.5, 0.25)))
TIES = Arg((2, 5), values=((1.0, 3.0, 3.0, 2.0, 2.0), (2.0, 2.0, 2.0, 2.0, 2.0)))
AXES: dict[str, dict[str, Any]] = {
    "all": {},
    "axis": {"axis": 1},
    "tuple-kept": {"axis": (2, 0), "keepdims": True},
    "last": {"axis": -1},
}
METHODS = (
    "hazen", "weibull", "median_unbiased", "normal_unbiased", "interpolated_inverted_cdf", "lower", "higher", "nearest",
    "midpoint", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
)  # fmt: skip


def simple(name: str, label: str, arg: Arg = CUBE, torch: Callable[..., Any] | None = None, **options: Any) -> Row:
    """A row for a function that is called like NumPy's."""
    theirs = {("ddof" if k == "correction" else k): v for k, v in options.items()}
    return Row(
        name, lambda xp, x: getattr(xp, name)(x, **options), (arg,), torch=torch,
        numpy=lambda np, x: getattr(np, name)(x, **theirs), label=label,
    )  # fmt: skip


def quantile(name: str, q: Any, label: str, arg: Arg = CUBE, **options: Any) -> Row:
    return Row(
        name, lambda xp, x: getattr(xp, name)(x, q, **options), (arg,), label=label,
        numpy=lambda np, x: getattr(np, name)(x, q, **options),
        torch=(
            lambda t, x: t.quantile(x, t.as_tensor(q, dtype=x.dtype), options.get("axis"), keepdim=options.get("keepdims", False))
        )
        if name == "quantile" and set(options) <= {"axis", "keepdims"} and not isinstance(options.get("axis"), tuple) else None,
    )  # fmt: skip


def theirs_cov(t: Any, x: Any) -> Any:
    return t.cov(x)


WEIGHTS = Arg((4,), 0.5, 2.0)

ROWS = [
    *(simple(name, label, **options) for name in ("median", "ptp", "average") for label, options in AXES.items()),
    *(
        simple(name, label, arg=GAPS, **options)
        for name in ("nanmedian", "nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd") for label, options in {
            "all": {}, "axis": {"axis": 1}, "kept": {"axis": 0, "keepdims": True},
        }.items()
    ),
    simple("nanvar", "correction", arg=GAPS, axis=1, correction=1),
    simple("nanstd", "correction", arg=GAPS, axis=-1, correction=1),
    simple("nanmean", "complex", arg=Arg((2, 3), kind="complex")),
    simple("nanvar", "complex", arg=Arg((2, 3), kind="complex")),
    simple("nansum", "torch", arg=GAPS, torch=lambda t, x: t.nansum(x, 1), axis=1),
    Row("median", lambda xp, x: xp.median(x, axis=-1), (TIES,), label="ties",
        torch=lambda t, x: t.stack([x[0, 3:].mean(), x[1].mean()])),
    quantile("quantile", 0.3, "scalar"),
    quantile("quantile", [0.0, 0.25, 1.0], "several", axis=1),
    quantile("quantile", [[0.5], [0.9]], "nested", axis=(0, 2), keepdims=True),
    quantile("quantile", 0.4, "kept", axis=-1, keepdims=True),
    *(quantile("quantile", [0.1, 0.37, 0.5, 0.8], method, axis=1, method=method) for method in METHODS),
    quantile("percentile", [10, 60.0], "list", axis=0),
    quantile("nanquantile", [0.2, 0.7], "axis", GAPS, axis=1),
    quantile("nanpercentile", 30, "all", GAPS),
    Row("quantile", lambda xp, x, q: xp.quantile(x, q), (Arg((7,)), Arg((2,), values=(0.3, 0.71))), label="by q",
        torch=lambda t, x, q: t.quantile(x, q)),
    Row("average", lambda xp, x, w: xp.average(x, axis=-1, weights=w), (Arg((3, 4)), WEIGHTS), label="weights",
        torch=lambda t, x, w: (x * w).sum(-1) / w.sum()),
    Row("average", lambda xp, x, w: xp.average(x, weights=w, keepdims=True), (Arg((3, 4)), Arg((3, 4), 0.5, 2.0)), label="full",
        torch=lambda t, x, w: ((x * w).sum() / w.sum()).reshape(1, 1)),
    Row("average", lambda xp, x, w: xp.average(x, axis=(2, 0), weights=w), (CUBE, Arg((4, 2), 0.5, 2.0)), label="axes",
        numpy=lambda np, x, w: np.average(x, axis=(2, 0), weights=w)),
    simple("cov", "rows", arg=Arg((3, 5)), torch=theirs_cov),
    simple("cov", "one", arg=Arg((5,)), torch=theirs_cov),
    simple("cov", "columns", arg=Arg((5, 3)), rowvar=False),
    simple("cov", "bias", arg=Arg((2, 5)), bias=True),
    simple("cov", "complex", arg=Arg((2, 4), kind="complex"), torch=theirs_cov),
    Row("cov", lambda xp, x, y: xp.cov(x, y), (Arg((2, 5)), Arg((5,))), label="two", numpy=lambda np, x, y: np.cov(x, y)),
    Row(
        "cov", lambda xp, x, f, w: xp.cov(x, fweights=f, aweights=w),
        (Arg((3, 4)), Arg((4,), kind="int", values=(1, 2, 1, 3)), WEIGHTS), label="weights",
        torch=lambda t, x, f, w: t.cov(x, fweights=f, aweights=w),
    ),
    Row("cov", lambda xp, x, f: xp.cov(x, fweights=f, ddof=0), (Arg((3, 4)), Arg((4,), kind="int", values=(1, 2, 1, 3))),
        label="frequencies", torch=lambda t, x, f: t.cov(x, fweights=f, correction=0)),
    simple("corrcoef", "rows", arg=Arg((3, 5)), torch=lambda t, x: t.corrcoef(x)),
    Row(
        "corrcoef", lambda xp, x, y: xp.corrcoef(x, y), (Arg((5,)), Arg((5,))), label="two",
        numpy=lambda np, x, y: np.corrcoef(x, y),
    ),
]  # fmt: skip
