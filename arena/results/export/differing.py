"""Where two JSON values are not the same."""


def differing(told: object, made: object, path: str = "") -> str | None:
    """Find where two JSON values first differ, as a path; None when they are the same."""
    if isinstance(told, dict) and isinstance(made, dict):
        for key in sorted({*told, *made}):
            if key not in told or key not in made:
                return f"{path}.{key}".lstrip(".")
            if (found := differing(told[key], made[key], f"{path}.{key}")) is not None:
                return found
        return None
    if isinstance(told, list) and isinstance(made, list) and len(told) == len(made):
        for n, (left, right) in enumerate(zip(told, made, strict=True)):
            if (found := differing(left, right, f"{path}[{n}]")) is not None:
                return found
        return None
    same = told == made and isinstance(told, bool) == isinstance(made, bool)  # True == 1 in Python, not in JSON
    return None if same else path.lstrip(".") or "(document)"
