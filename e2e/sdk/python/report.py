"""One JSON line per case: what the SDK gave its caller, or the exception it raised."""

import asyncio
import inspect
import json
import os

URL = os.environ["LINGATE_URL"]
MODEL = os.environ["LINGATE_MODEL"]
KEY = "the-clients-own-key"
CASES = []


def case(function):
    """Registers a case; its name is the function's, its result a dictionary of values."""
    CASES.append((function.__name__, function))
    return function


def failing(exception):
    """What a caller can tell from an exception."""
    error = {"raised": type(exception).__name__}
    for name in ("status_code", "type", "code"):
        if getattr(exception, name, None) is not None:
            error[name] = getattr(exception, name)
    error["message"] = str(exception)
    return error


def main():
    """Runs every case, also after one that failed."""
    asyncio.run(run_all())


async def run_all():
    # One event loop: connections of async clients belong to the loop that made them.
    for name, function in CASES:
        try:
            result = function()
            if inspect.isawaitable(result):
                result = await result
        except Exception as exception:  # noqa: BLE001 (whatever it is, it is the result)
            result = failing(exception)
        print(json.dumps({"case": name, **result}), flush=True)
