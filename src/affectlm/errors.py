"""Every error affectlm raises on purpose; each message says what was found, what was expected and what to type."""


class AffectlmWarning(RuntimeWarning):
    """What a user should know although the work goes on; of all warnings the command prints these alone."""


class AffectlmError(Exception):
    """Base of the errors that a user can mend; the command prints the message alone, without a traceback."""


class ConfigError(AffectlmError):
    """A choice, option or path in the configuration cannot be used."""


class UnknownWordError(ConfigError):
    """A word of a command line is no subcommand, file, group or setting; the command ends with exit status 2."""


class UnknownComponentError(ConfigError):
    """A component was asked for by a name that no plugin offers, or that two plugins offer."""


class PluginError(AffectlmError):
    """A plugin package cannot be loaded."""


class WeightsError(AffectlmError):
    """Weights are missing, cannot be fetched, or are not the file that was published."""


class AccessError(AffectlmError):
    """A model or service needs a key, a licence click or a network that is not there."""


class TransientError(AffectlmError):
    """A service failed in a way that may pass; `retry_after` are the seconds it asks to wait, where it says so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BusyError(TransientError):
    """A service that is asked too much at once."""


class ContractError(AffectlmError):
    """A component returned something its protocol does not allow."""


class ImageError(AffectlmError):
    """A file or array cannot be read as a picture."""


class RunFolderError(AffectlmError):
    """A run's folder cannot be continued or read."""
