"""Which part of a conversation a model is given, when it cannot be given all of it: one rule for every entrant."""

from collections.abc import Callable, Sequence

from models.base import Message

Fits = Callable[[Sequence[Message]], bool]


def within(context_chars: int) -> Fits:
    """Set the bound in characters, which no tokenizer bends; the system prompt is the stage's and does not count."""
    return lambda messages: sum(len(m.content) for m in messages if m.role != "system") <= context_chars


def fit(messages: Sequence[Message], fits: Fits) -> tuple[list[Message], int]:
    """Drop the oldest turns until the rest fits.

    The system prompt and the last question always stay. A last question that is too long by itself loses its beginning, and then counts
    as one dropped turn more.

    Returns:
        What is left, and how many turns were dropped.
    """
    system = [m for m in messages if m.role == "system"]
    turns = [m for m in messages if m.role != "system"]
    dropped = 0
    while len(turns) > 1 and not fits([*system, *turns]):
        turns = without_oldest(turns)
        dropped += 1
    if not turns or fits([*system, *turns]):
        return [*system, *turns], dropped
    question = turns[0]
    keep, too_many = 1, len(question.content)
    while keep + 1 < too_many:
        middle = (keep + too_many) // 2
        if fits([*system, Message(question.role, question.content[-middle:])]):
            keep = middle
        else:
            too_many = middle
    return [*system, Message(question.role, question.content[-keep:])], dropped + 1


def without_oldest(turns: list[Message]) -> list[Message]:
    """Return the same conversation without its first question and the answer to it; system messages must have been set aside."""
    rest = turns[1:]
    while len(rest) > 1 and rest[0].role == "assistant":
        rest = rest[1:]
    return rest
