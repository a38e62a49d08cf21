"""Rows for `xgrad.ops.sorting`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

DASK = {"dask": "dask.array does not sort"}
OPTIONS: list[tuple[str, Arg, dict[str, Any]]] = [
    ("last", Arg((3, 4)), {}),
    ("axis", Arg((4, 2, 3)), {"axis": 0}),
    ("descending", Arg((2, 5, 2)), {"axis": -2, "descending": True}),
    ("size-0", Arg((0, 3)), {}),
    ("one", Arg((3, 1)), {}),
]

ROWS = [
    *(
        Row(
            "sort", lambda xp, x, options=options: xp.sort(x, **options), (arg,),
            torch=lambda t, x, options=options: t.sort(
                x, **{"dim": -1, **{{"axis": "dim"}.get(k, k): v for k, v in options.items()}},
            ).values,
            label=label, skip=DASK,
        )
        for label, arg, options in OPTIONS
    ),
    *(
        Row(
            "argsort",
            lambda xp, x, options=options: xp.argsort(x, **options),
            (arg,),
            numpy=lambda np, x, options=options: np.argsort(-x if "descending" in options else x, axis=options.get("axis", -1)),
            label=label,
            differentiable=False,
            skip=DASK,
        )
        for label, arg, options in OPTIONS
    ),
]
