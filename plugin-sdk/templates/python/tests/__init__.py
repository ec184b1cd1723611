"""Unit tests, without WebAssembly: `python3 -m unittest`."""

import sys
from pathlib import Path

# Where `tool.scruple.path` of pyproject.toml looks for modules.
for path in ["src", "{{sdk}}/src"]:
    sys.path.insert(0, str(Path(__file__).parents[1] / path))
