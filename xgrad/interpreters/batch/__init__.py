"""The interpreter of `xgrad.vmap`: arrays with a hidden batch axis, and what each op does to them."""
