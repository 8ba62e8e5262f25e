"""The fetching process loads neither torch nor a web framework: its image has none."""

import subprocess
import sys


def test_no_torch_and_no_web_framework_is_imported():
    program = (
        "import sys, remoe_functions.fetching.process\n"
        "heavy = {'torch', 'transformers', 'starlette', 'uvicorn', 'pydantic'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "[]\n"
