"""Access: one application and its reusable policies for each protected name."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from outside.plan import Change, Conflict, Step, Turn
from outside.seen import ADDRESSES, App, Policy, Seen, rules, words_of
from outside.wanted import Wanted, WantedApp, WantedPolicy

if TYPE_CHECKING:
    from outside.records import Records

# Keys of an application that a PUT would reset, and that are the operator's: sent as they are.
KEPT = (
    *("allow_authenticate_via_warp", "allow_iframe", "allowed_idps", "app_launcher_visible"),
    *("auto_redirect_to_identity", "cors_headers", "custom_deny_message", "custom_deny_url"),
    *("custom_non_identity_deny_url", "custom_pages", "enable_binding_cookie"),
    *("http_only_cookie_attribute", "logo_url", "mfa_config", "options_preflight_bypass"),
    *("path_cookie_attribute", "read_service_tokens_from_header", "same_site_cookie_attribute"),
    *("service_auth_401_redirect", "skip_interstitial", "tags"),
)
POLICY_KEPT = (
    *("approval_groups", "approval_required", "isolation_required", "mfa_config"),
    *("purpose_justification_prompt", "purpose_justification_required", "session_duration"),
)


class Apps:
    """The applications of every protected name, and those of ours that none wants any more."""

    def __init__(
        self,
        seen: Seen,
        want: Wanted,
        *,
        adopt: Collection[str],
        release: Collection[str],
    ) -> None:
        self._seen, self._want, self._mark = seen, want, want.mark
        self._adopt, self._release = adopt, release
        self.notes: list[str] = []
        self.policy_ids = {
            wanted.name: there.id
            for app in want.apps.values()
            for wanted in app.policies
            if (there := self._policy(wanted.name))
        }

    @property
    def ours(self) -> int:
        """How many applications and policies carry our mark."""
        return sum(map(self.is_ours, self._seen.apps)) + len(self._our_policies())

    @property
    def audiences(self) -> Mapping[str, str]:
        """Public name -> AUD tag of the application of ours that guards it."""
        found = {host: self._at(host) for host in self._want.apps}
        return {host: app.aud for host, app in found.items() if app and self.is_ours(app)}

    def is_ours(self, app: App) -> bool:
        """It carries our mark, and none of its names leads elsewhere than to our tunnel."""
        return self._mark.on_name(app.name) and all(map(self._leads_here, app.hosts))

    def unguarded(self, host: str) -> str:
        """Why nobody may be led to `host` yet; "" where somebody may."""
        if host not in self._want.apps:
            return ""
        app, audience = self._at(host), self._want.apps[host].audience
        if app is None or not app.aud:
            return "until its application is there"
        if app.aud != audience:
            return "until every ingress demands its application (audiences.yaml, deploy)"
        return ""

    def plan(self) -> Iterator[Step | Conflict]:
        for host, wanted in self._want.apps.items():
            if host not in self._release:
                yield from self._wanted(wanted)
        for host in self._release:
            yield from self._released(host)

    def going(self, records: "Records") -> Iterator[Step]:
        """What of ours nobody wants, once no record leads there."""
        gone: set[str] = set()
        for app in self._seen.apps:
            host = app.domain.partition("/")[0]
            kept = host in self._want.apps or host in self._release
            if kept or not self._mark.on_name(app.name):
                continue
            if not self.is_ours(app):
                self.notes.append(
                    f"application {app.name!r} carries our mark and guards what does not lead to "
                    "our tunnel: left alone"
                )
                continue
            waits = self._led(app, records)
            if not waits:
                gone.add(app.id)
            yield self._app_step("delete", host, app, turn=Turn.APP_GOES, waits=waits)
        yield from self._policies_going(gone)

    def _led(self, app: App, records: "Records") -> str:
        """Why an application has to stay: a name that would be open without it."""
        for host in app.hosts:
            if host not in self._want.hosts and not records.goes(host):
                return (
                    f"as long as the record of {host}, which is not ours, leads to the tunnel "
                    f"(--release {host} leaves both as they are)"
                )
        return ""

    def _policies_going(self, gone: set[str]) -> Iterator[Step]:
        kept = set(self.policy_ids.values())
        for policy in self._our_policies():
            users = {app.id for app in self._users(policy)}
            host = policy.name.partition(" ")[0]
            wanted = policy.id in kept and host in self._want.apps
            if wanted or host in self._release or not users <= gone | self._relinked():
                continue
            yield self._policy_step(
                "delete", host, policy.name, there=policy, turn=Turn.POLICY_GOES
            )

    def _relinked(self) -> set[str]:
        """Our applications whose policies are written anew, or are already without any other."""
        return {
            app.id
            for host in self._want.apps
            if host not in self._release and (app := self._at(host)) and self.is_ours(app)
        }

    # --- one protected name ------------------------------------------------------------

    def _wanted(self, wanted: WantedApp) -> Iterator[Step | Conflict]:
        app = self._at(wanted.host)
        if app is not None and not self.is_ours(app):
            conflict = self._conflict(wanted.host, app)
            if conflict:
                yield conflict
                return
        for step in self._of(wanted, app):
            led = self._leads_here(wanted.host) or wanted.host in self._adopt
            yield (
                step
                if led
                else replace(step, waits="until its record, which leads elsewhere, is adopted")
            )

    def _of(self, wanted: WantedApp, app: App | None) -> Iterator[Step]:
        for policy in wanted.policies:
            yield from self._compared_policy(wanted.host, policy)
        if app is None:
            names = tuple(policy.name for policy in wanted.policies)
            yield self._app_step(
                "create",
                wanted.host,
                None,
                name=wanted.name,
                body=self._body(wanted),
                policies=names,
            )
        else:
            yield from self._compared("change" if self.is_ours(app) else "adopt", wanted, app)

    def _at(self, host: str) -> App | None:
        """The application that guards the whole of `host`, unless it is ours of another name."""
        for app in self._seen.apps_at(host):
            elsewhere = app.domain.partition("/")[0]
            if elsewhere == host or elsewhere not in self._want.apps or not self.is_ours(app):
                return app
        return None

    def _conflict(self, host: str, app: App) -> Conflict | None:
        """Why an application that is not ours stays as it is; None where it is adopted."""
        lets = sorted({word for p in app.policies or () for word in words_of(p.include)})
        decisions = {policy.decision for policy in app.policies or ()}
        loud = ", BYPASSES Access" if "bypass" in decisions else ""
        words = (
            f"application {app.name!r} is not ours (lets in: {', '.join(lets) or 'nobody'}{loud})"
        )
        if app.type != "self_hosted":
            return Conflict(
                kind="application", host=host, words=f"{words}, of type {app.type}", adoptable=False
            )
        others = [place for place in app.places if place != host]
        if others:
            words += f" and guards {', '.join(others)}, too"
            return Conflict(kind="application", host=host, words=words, adoptable=False)
        if host not in self._adopt:
            return Conflict(kind="application", host=host, words=words)
        return None

    def _compared(self, action: Any, wanted: WantedApp, app: App) -> Iterator[Step]:
        changes = tuple(self._differences(wanted, app))
        if not changes:
            return
        kept = {key: app.told[key] for key in KEPT if app.told.get(key) is not None}
        yield self._app_step(
            action,
            wanted.host,
            app,
            name=wanted.name,
            body={**kept, **self._body(wanted)},
            policies=tuple(policy.name for policy in wanted.policies),
            changes=changes,
        )

    def _differences(self, wanted: WantedApp, app: App) -> Iterator[Change]:
        pairs = {
            "name": (app.name, wanted.name),
            "domain": (app.domain, wanted.host),
            "destinations": (_places(app), wanted.host),
            "session": (app.session_duration, wanted.session),
        }
        for key, (old, new) in pairs.items():
            if old != new:
                yield Change(key=key, old=old or "none", new=new)
        links = [policy.id for policy in app.policies or ()]
        if links != [self.policy_ids.get(policy.name) for policy in wanted.policies]:
            yield Change(
                key="policies",
                old=", ".join(policy.name for policy in app.policies or ()) or "none",
                new=", ".join(policy.name for policy in wanted.policies) or "none",
            )

    def _body(self, wanted: WantedApp) -> dict[str, Any]:
        return {
            "type": "self_hosted",
            "name": wanted.name,
            "domain": wanted.host,
            "destinations": [{"type": "public", "uri": wanted.host}],
            "session_duration": wanted.session,
        }

    def _released(self, host: str) -> Iterator[Step]:
        for app in self._seen.apps_at(host):
            if self._mark.on_name(app.name):
                name = self._mark.off_name(app.name)
                kept = {key: app.told[key] for key in KEPT if app.told.get(key) is not None}
                body: dict[str, Any] = {
                    **kept,
                    **{k: app.told[k] for k in ("type", "domain", "destinations") if k in app.told},
                    "name": name,
                    "session_duration": app.session_duration,
                }
                changes = (Change(key="name", old=app.name, new=name),)
                yield self._app_step("release", host, app, body=body, changes=changes)
        for policy in self._our_policies():
            if policy.name.partition(" ")[0] == host:
                name = self._mark.off_name(policy.name)
                body = {**_policy_told(policy), "name": name}
                changes = (Change(key="name", old=policy.name, new=name),)
                yield self._policy_step(
                    "release", host, policy.name, there=policy, body=body, changes=changes
                )

    # --- policies ----------------------------------------------------------------------

    def _our_policies(self) -> list[Policy]:
        """Those with our mark that guard nothing of anybody else's."""
        return [
            policy
            for policy in self._seen.policies
            if self._mark.on_name(policy.name)
            and all(self._mark.on_name(app.name) for app in self._users(policy))
        ]

    def _users(self, policy: Policy) -> list[App]:
        return [a for a in self._seen.apps if policy.id in {p.id for p in a.policies or ()}]

    def _policy(self, name: str) -> Policy | None:
        """Ours of that name; of several, the one that is used."""
        there = [policy for policy in self._our_policies() if policy.name == name]
        return min(there, key=lambda p: (not self._users(p), p.id), default=None)

    def _compared_policy(self, host: str, wanted: WantedPolicy) -> Iterator[Step]:
        body: dict[str, Any] = {
            "name": wanted.name,
            "decision": wanted.decision,
            "include": [dict(rule) for rule in wanted.include],
            "exclude": [],
            "require": [],
        }
        there = self._policy(wanted.name)
        if there is None:
            yield self._policy_step("create", host, wanted.name, body=body)
            return
        changes = []
        if there.decision != wanted.decision:
            changes.append(Change(key="decision", old=there.decision, new=wanted.decision))
        for key in ("include", "exclude", "require"):
            old, new = getattr(there, key), body[key]
            if rules(old) != rules(new):
                changes.append(Change(key=key, old=_rule_words(old), new=_rule_words(new)))
        if changes:
            kept = {k: there.told[k] for k in POLICY_KEPT if there.told.get(k) is not None}
            yield self._policy_step(
                "change",
                host,
                wanted.name,
                there=there,
                body={**kept, **body},
                changes=tuple(changes),
            )

    # --- steps -------------------------------------------------------------------------

    def _leads_here(self, host: str) -> bool:
        """`host` lies in our zone, and no record of it leads anywhere else."""
        zone = self._seen.zone.name
        records = [r for r in self._seen.records_at(host) if r.type in ADDRESSES]
        return (host == zone or host.endswith(f".{zone}")) and all(
            record.content == self._mark.target for record in records
        )

    def _app_step(
        self,
        action: Any,
        host: str,
        app: App | None,
        *,
        name: str = "",
        turn: Turn = Turn.APP,
        **more: Any,
    ) -> Step:
        if app:
            more |= {"id": app.id, "told": app.told}
        name = name or (app.name if app else host)
        return Step(action=action, kind="application", host=host, name=name, turn=turn, **more)

    def _policy_step(
        self,
        action: Any,
        host: str,
        name: str,
        *,
        there: Policy | None = None,
        turn: Turn = Turn.POLICY,
        **more: Any,
    ) -> Step:
        if there:
            more |= {"id": there.id, "told": there.told}
        return Step(action=action, kind="policy", host=host, name=name, turn=turn, **more)


def _policy_told(policy: Policy) -> dict[str, Any]:
    keys = ("decision", "include", "exclude", "require", *POLICY_KEPT)
    return {key: policy.told[key] for key in keys if policy.told.get(key) is not None}


def _places(app: App) -> str:
    """The public places of an application, and whatever else opens or closes a part of them."""
    texts = []
    for one in app.destinations or [{"type": "public", "uri": app.domain}]:
        odd = {k: v for k, v in one.items() if k not in ("type", "uri") and v}
        kind = "" if one.get("type") == "public" else f"{one.get('type')} "
        texts.append(f"{kind}{str(one.get('uri', '')).lower()}{f' {odd}' if odd else ''}")
    return ", ".join(sorted(texts))


def _rule_words(told: list[dict[str, Any]]) -> str:
    return ", ".join(sorted(words_of(told))) or "none"
