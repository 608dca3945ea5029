"""Keys and tokens: whether they are there, strong, and nobody else's.

After Django's deployment checklist (docs.djangoproject.com, ``check --deploy``: security.W009, W025): at
least 50 characters, at least 5 different ones, and no key that somebody published as an example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plantid_core.deploy.finding import Checklist

if TYPE_CHECKING:
    from plantid_core.deploy.facts import Facts

CHECKS = Checklist()

_LEAST_LENGTH, _LEAST_DIFFERENT = 50, 5
_LEAST_TOKEN, _MOST_FALLBACKS = 32, 3
# What people leave in place: the beginnings and words of keys in guides and templates.
_EXAMPLES: Final = (
    "django-insecure-",
    "insecure",
    "changeme",
    "change-me",
    "change_me",
    "changethis",
    "example",
    "placeholder",
    "password",
    "your-secret",
    "your_secret",
    "yoursecret",
    "secret-key",
    "secret_key",
    "secretkey",
    "supersecret",
    "super-secret",
)
_ANOTHER = (
    "Make one with `plantid secret`, and keep it in a file that PLANTID_SECRET_KEY_FILE names."
)


@CHECKS.error("secret.missing", _ANOTHER)
def _missing(facts: Facts) -> str | None:
    return "PLANTID_SECRET_KEY is not set." if facts.settings.secret_key is None else None


@CHECKS.error("secret.short", _ANOTHER)
def _short(facts: Facts) -> str | None:
    key = _key(facts)
    if not key or len(key) >= _LEAST_LENGTH:
        return None
    return f"PLANTID_SECRET_KEY has fewer than {_LEAST_LENGTH} characters."


@CHECKS.error("secret.uniform", _ANOTHER)
def _uniform(facts: Facts) -> str | None:
    key = _key(facts)
    if not key or len(set(key)) >= _LEAST_DIFFERENT:
        return None
    return f"PLANTID_SECRET_KEY has fewer than {_LEAST_DIFFERENT} different characters."


@CHECKS.error("secret.example", _ANOTHER)
def _example(facts: Facts) -> str | None:
    return "PLANTID_SECRET_KEY looks like an example." if _is_example(_key(facts)) else None


@CHECKS.error(
    "secret.fallback_weak",
    "Whoever guesses a former key signs with it as well. Rotate once more, and leave it out.",
)
def _fallback_weak(facts: Facts) -> str | None:
    weak = [key for key in facts.settings.former_keys() if _is_weak(key)]
    return f"{len(weak)} of PLANTID_SECRET_KEY_FALLBACKS could be guessed." if weak else None


@CHECKS.warning(
    "secret.fallback_same",
    "Leave it out: it is believed anyway, and hides that nothing was rotated.",
)
def _fallback_same(facts: Facts) -> str | None:
    former = facts.settings.former_keys()
    if _key(facts) in former or len(set(former)) < len(former):
        return "PLANTID_SECRET_KEY_FALLBACKS holds a key twice, or the current one."
    return None


@CHECKS.warning(
    "secret.fallbacks_many",
    "Leave out those whose cookies have ended: 30 days after their rotation.",
)
def _fallbacks_many(facts: Facts) -> str | None:
    count = len(facts.settings.former_keys())
    if count <= _MOST_FALLBACKS:
        return None
    return f"PLANTID_SECRET_KEY_FALLBACKS holds {count} keys, and each of them opens the door."


@CHECKS.warning(
    "metrics.token_missing",
    "Set PLANTID_METRICS_TOKEN_FILE. Without it only this machine may read them, and behind a proxy"
    " nobody.",
)
def _no_metrics_token(facts: Facts) -> str | None:
    return "PLANTID_METRICS_TOKEN is not set." if facts.settings.metrics_token is None else None


@CHECKS.error("metrics.token_weak", "`plantid secret` makes one that nobody guesses.")
def _weak_metrics_token(facts: Facts) -> str | None:
    token = facts.settings.metrics_token
    word = "" if token is None else token.get_secret_value().strip()
    if not word or (len(word) >= _LEAST_TOKEN and not _is_guessable(word)):
        return None
    return "PLANTID_METRICS_TOKEN could be guessed."


def _key(facts: Facts) -> str:
    key = facts.settings.secret_key
    return "" if key is None else key.get_secret_value()


def _is_weak(key: str) -> bool:
    return len(key) < _LEAST_LENGTH or _is_guessable(key)


def _is_guessable(key: str) -> bool:
    return len(set(key)) < _LEAST_DIFFERENT or _is_example(key)


def _is_example(key: str) -> bool:
    return any(word in key.lower() for word in _EXAMPLES)
