"""Every error affectlm raises on purpose; each message says what was found, what was expected and what to type."""


class AffectlmWarning(RuntimeWarning):
    """Something the user should know although the work goes on; the command prints no other warnings."""


class AffectlmError(Exception):
    """Base of the errors that a user can fix; the command prints the message without a traceback."""


class ConfigError(AffectlmError):
    """A choice, option or path in the configuration cannot be used."""


class UnknownWordError(ConfigError):
    """A command-line word is not a subcommand, file, group or setting; the command ends with exit status 2."""


class UnknownComponentError(ConfigError):
    """No plugin offers a component of this name, or two plugins do."""


class PluginError(AffectlmError):
    """A plugin package cannot be loaded."""


class WeightsError(AffectlmError):
    """Weights are missing, cannot be fetched, or are not the file that was published."""


class AccessError(AffectlmError):
    """A model or service needs a key, an accepted licence or a network, and it is missing."""


class TransientError(AffectlmError):
    """A service failed in a way that may pass; `retry_after` is how many seconds it asks to wait, if it says so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BusyError(TransientError):
    """A service gets too many requests at once."""


class ContractError(AffectlmError):
    """A component returned something its protocol does not allow."""


class ImageError(AffectlmError):
    """A file or array cannot be read as a picture."""


class RunFolderError(AffectlmError):
    """A run's folder cannot be continued or read."""
