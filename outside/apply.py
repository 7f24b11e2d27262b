"""Carries out the steps of a plan, one request each; what became of it is never guessed.

Before an object is touched it is read once more: who changed it since the look has the last
word, and the plan is stale. Where an answer is lost, it is read what came of the request.
"""

from collections.abc import Callable, Mapping
from typing import Any

from outside.client import Api, CloudError, Method, OutcomeUnknown, Rejected
from outside.plan import Plan, Step
from outside.seen import App, Policy, Record, Seen

# The server's own, and what others' applications do to a policy.
VOLATILE = frozenset(
    ("updated_at", "modified_on", "comment_modified_on", "tags_modified_on", "app_count", "meta")
)
RECORDS, LISTED = 100, 1000


class Stale(CloudError):
    """Somebody changed it between the look and this step."""


class NotDone(CloudError):
    """The request was sent, its answer was lost, and nothing came of it."""


class Carrier:
    """Carries steps, in the order in which they are given. `audiences` are the AUD tags of the
    applications that were made, by public name.
    """

    def __init__(self, api: Api, seen: Seen, plan: Plan) -> None:
        self._api, self._seen = api, seen
        self._policies = dict(plan.policies)
        self.audiences: dict[str, str] = {}
        access = f"/accounts/{seen.zone.account.id}/access"
        self._records = f"/zones/{seen.zone.id}/dns_records"
        self._lists = {
            "record": self._records,
            "application": f"{access}/apps",
            "policy": f"{access}/policies",
        }

    def carry(self, step: Step) -> None:
        """Raises CloudError; what it says of the outcome is true."""
        try:
            self._refuse_stale(step)
            if step.action == "delete":
                self._delete(step)
            elif step.instead or step.action == "create":
                self._create(step)
            else:
                self._change(step)
        except OutcomeUnknown as error:
            raise NotDone(f"{step.words}: nothing came of it ({error}); look again") from error
        except CloudError as error:
            raise type(error)(*_in_words(step, error)) from error

    def _create(self, step: Step) -> None:
        body = self._body(step)
        if step.instead:
            batch = {"deletes": [{"id": one} for one in step.instead], "posts": [body]}
            self._sent(step, "POST", f"{self._records}/batch", batch, self._came)
            return
        made = self._sent(step, "POST", self._lists[step.kind], body, self._came)
        if step.kind == "policy":
            self._policies[step.name] = str(made["id"])
        elif step.kind == "application":
            self.audiences[step.host] = str(made.get("aud", ""))

    def _change(self, step: Step) -> None:
        method: Method = "PATCH" if step.kind == "record" else "PUT"
        self._sent(step, method, self._path(step), self._body(step), self._changed)

    def _delete(self, step: Step) -> None:
        self._sent(step, "DELETE", self._path(step), None, self._gone)

    def _body(self, step: Step) -> Mapping[str, Any]:
        """An application names its policies by ids, some of which this run has made."""
        if step.policies is None:
            return step.body
        links = [
            {"id": self._policies[name], "precedence": n} for n, name in enumerate(step.policies, 1)
        ]
        return {**step.body, "policies": links}

    def _sent(
        self,
        step: Step,
        method: Method,
        path: str,
        body: Mapping[str, Any] | None,
        came: Callable[[Step], Mapping[str, Any] | None],
    ) -> Mapping[str, Any]:
        """The answer, or what was read in its place. Raises OutcomeUnknown where nothing came."""
        try:
            told: Mapping[str, Any] = self._api.change(method, path, body) or {}
        except OutcomeUnknown:
            found = came(step)
            if found is None:
                raise
            return found
        return told

    # --- what there is now -------------------------------------------------------------

    def _path(self, step: Step) -> str:
        return f"{self._lists[step.kind]}/{step.id}"

    def _now(self, step: Step) -> Mapping[str, Any] | None:
        """The object; None where it is gone."""
        try:
            told: Mapping[str, Any] = self._api.get(self._path(step))
        except Rejected as error:
            if error.http_status == 404:
                return None
            raise
        return told

    def _refuse_stale(self, step: Step) -> None:
        if not step.id:
            return
        now = self._now(step)
        if now is None or not _alike(now, step.told):
            raise Stale("somebody changed it since it was looked at: look again")

    def _came(self, step: Step) -> Mapping[str, Any] | None:
        """What a create has made, known by its name and by not having been there before."""
        query = {"name.exact": step.host} if step.kind == "record" else {}
        per_page = RECORDS if step.kind != "application" else LISTED
        for told in self._api.every(self._lists[step.kind], per_page=per_page, **query):
            if told["id"] not in self._known() and self._is(step, told):
                return told
        return None

    def _is(self, step: Step, told: Mapping[str, Any]) -> bool:
        if step.kind == "record":
            record = Record.of(told)
            return bool(record.name == step.host and record.content == step.body["content"])
        return bool(told.get("name") == step.name)

    def _known(self) -> set[str]:
        things: tuple[Record | App | Policy, ...] = (
            *self._seen.records,
            *self._seen.apps,
            *self._seen.policies,
        )
        return {thing.id for thing in things} | set(self._policies.values())

    def _changed(self, step: Step) -> Mapping[str, Any] | None:
        now = self._now(step)
        return now if now and not _alike(now, step.told) else None

    def _gone(self, step: Step) -> Mapping[str, Any] | None:
        return {} if self._now(step) is None else None


def _alike(now: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    """Is it as it was? Judged by the keys that both have: a list may tell less than the object."""
    both = (now.keys() & told.keys()) - VOLATILE
    return all(_will(key, now[key]) == _will(key, told[key]) for key in both)


def _will(key: str, value: Any) -> Any:
    """What somebody wanted: of linked policies which they are, and nothing is nothing."""
    if key == "policies" and isinstance(value, list):
        return [one.get("id") if isinstance(one, dict) else one for one in value]
    return value or None


def _in_words(step: Step, error: CloudError) -> tuple[Any, ...]:
    if isinstance(error, Rejected):
        return f"{step.words}: {error}", error.http_status, error.codes
    return (f"{step.words}: {error}",)
