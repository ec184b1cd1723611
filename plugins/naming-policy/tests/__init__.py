import sys
from pathlib import Path

for path in ["src", "../../plugin-sdk/python/src"]:
    sys.path.insert(0, str(Path(__file__).parents[1] / path))
