"""The only package that knows kinds and engines by name. `kinds` is light; `local` opens a data folder."""
