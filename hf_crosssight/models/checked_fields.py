"""Errors of a configuration's fields as ValueErrors: what transformers' strict dataclasses raise are none."""

from typing import Any

from huggingface_hub.errors import (
    StrictDataclassClassValidationError,
    StrictDataclassError,
    StrictDataclassFieldValidationError,
)


class FieldTypeError(StrictDataclassFieldValidationError, ValueError):
    """A field has a value of the wrong type."""


class FieldValueError(StrictDataclassClassValidationError, ValueError):
    """A field's value is out of range, or two fields contradict each other."""


def require(holds: bool, message: str) -> None:
    """Raises `ValueError` with the message unless the condition holds."""
    if not holds:
        raise ValueError(message)


def raise_value_errors(cls: type) -> None:
    """Lets a strict dataclass raise errors that are ValueErrors too, in `__init__` and on assignment."""
    for name in ("__init__", "__setattr__", "validate"):
        setattr(cls, name, _guarded(getattr(cls, name)))


def _guarded(method: Any) -> Any:
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except StrictDataclassError as error:
            if isinstance(error, ValueError):
                raise
            raise _as_value_error(error) from error

    guarded.__name__, guarded.__doc__ = method.__name__, method.__doc__
    guarded.__wrapped__ = method  # type: ignore[attr-defined]
    return guarded


def _as_value_error(error: StrictDataclassError) -> ValueError:
    field_at_fault = isinstance(error, StrictDataclassFieldValidationError)
    kind: type[FieldTypeError | FieldValueError] = FieldTypeError if field_at_fault else FieldValueError
    converted = kind.__new__(kind)
    converted.args = error.args
    return converted
