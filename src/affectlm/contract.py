"""Calls to components, so that an error in one names the component."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from affectlm.errors import AffectlmError, ContractError

_P = ParamSpec("_P")
_T = TypeVar("_T")


def called(method: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """What a component's method returns; an exception from it becomes a ContractError naming class and method."""
    try:
        return method(*arguments, **named)
    except AffectlmError:
        raise
    except Exception as error:
        raise failure(
            f"{class_name(getattr(method, '__self__', method))}.{getattr(method, '__name__', '')}", error
        ) from error


def failure(where: str, error: Exception) -> ContractError:
    """The exception of a component as a ContractError that names the component."""
    return ContractError(f"{where} failed: {type(error).__name__}: {error}")


def class_name(component: object) -> str:
    """The name of a component's class, for messages."""
    return type(component).__name__
