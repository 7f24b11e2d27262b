"""Records: one proxied CNAME to our tunnel for each public name, compared key by key."""

from collections.abc import Collection, Iterator
from typing import Any

from outside.apps import Apps
from outside.plan import Change, Conflict, Step, Turn
from outside.seen import ADDRESSES, Record, Seen
from outside.wanted import Wanted


class Records:
    """The records of every public name, and those of ours that no name wants any more."""

    def __init__(
        self,
        seen: Seen,
        want: Wanted,
        apps: Apps,
        *,
        adopt: Collection[str],
        release: Collection[str],
    ) -> None:
        self._seen, self._want, self._mark, self._apps = seen, want, want.mark, apps
        self._adopt, self._release = adopt, release
        self.notes: list[str] = []

    @property
    def ours(self) -> int:
        return sum(self.is_ours(record) for record in self._seen.records)

    def is_ours(self, record: Record) -> bool:
        """It carries our mark and leads to our tunnel, and belongs to nobody else."""
        return self._leads_here(record) and self._mark.on_comment(record.comment)

    def goes(self, host: str) -> bool:
        """Will nothing lead to our tunnel at `host` once the plan is carried out?"""
        return all(
            self.is_ours(record) and host not in self._want.hosts and host not in self._release
            for record in self._seen.records_at(host)
            if self._leads_here(record)
        )

    def plan(self) -> Iterator[Step | Conflict]:
        for host in self._want.hosts:
            if host not in self._release:
                yield from self._wanted(host)
        for record in self._seen.records:
            if not self._mark.on_comment(record.comment):
                continue
            if record.name in self._release:
                yield self._released(record)
            elif record.name not in self._want.hosts:
                yield from self._unwanted(record)

    def _leads_here(self, record: Record) -> bool:
        leads = record.type == "CNAME" and record.content == self._mark.target
        return leads and not record.is_anothers

    def _wanted(self, host: str) -> Iterator[Step | Conflict]:
        there = [r for r in self._seen.records_at(host) if r.type in (*ADDRESSES, "NS")]
        if not there:
            yield self._step(
                "create", host, body=self._body(host), waits=self._apps.unguarded(host)
            )
        elif len(there) == 1 and self.is_ours(there[0]):
            yield from self._compared("change", there[0])
        elif any(record.is_anothers or record.type == "NS" for record in there):
            words = f"{_told(there)} belongs to another product of Cloudflare's, or is delegated"
            yield Conflict(kind="record", host=host, words=words, adoptable=False)
        elif host not in self._adopt:
            yield Conflict(kind="record", host=host, words=f"{_told(there)} is not ours")
        elif len(there) == 1 and there[0].type == "CNAME":
            yield from self._compared("adopt", there[0])
        else:
            yield self._in_place_of(host, there)

    def _compared(self, action: Any, record: Record) -> Iterator[Step]:
        """The keys of ours that differ; all else is the server's, or somebody's own."""
        comment = self._mark.with_comment(record.comment)
        wanted: dict[str, Any] = {"content": self._mark.target, "proxied": True, "ttl": 1}
        wanted |= {"comment": comment}
        if record.proxied:
            del wanted["ttl"]  # the server's own, always 1
        body = {key: value for key, value in wanted.items() if value != getattr(record, key)}
        if not body:
            return
        opens = "content" in body
        yield self._step(
            action,
            record.name,
            record=record,
            body=body,
            changes=_changes(record, body),
            waits=self._apps.unguarded(record.name) if opens else "",
        )

    def _in_place_of(self, host: str, there: list[Record]) -> Step:
        body = self._body(host)
        return self._step(
            "adopt",
            host,
            body=body,
            instead=tuple(record.id for record in there),
            changes=(Change(key="record", old=_told(there), new=f"CNAME {body['content']}"),),
            waits=self._apps.unguarded(host),
        )

    def _unwanted(self, record: Record) -> Iterator[Step]:
        if self.is_ours(record):
            yield self._step("delete", record.name, record=record, turn=Turn.RECORD_GOES)
        else:
            self.notes.append(
                f"{_told([record])} carries our mark and does not lead to our tunnel: left alone"
            )

    def _released(self, record: Record) -> Step:
        body = {"comment": self._mark.off_comment(record.comment)}
        changes = _changes(record, body)
        return self._step(
            "release", record.name, record=record, body=body, changes=changes, turn=Turn.RECORD_GOES
        )

    def _body(self, host: str) -> dict[str, Any]:
        return {
            "type": "CNAME",
            "name": host,
            "content": self._mark.target,
            "proxied": True,
            "ttl": 1,
            "comment": self._mark.text,
        }

    def _step(
        self,
        action: Any,
        host: str,
        *,
        record: Record | None = None,
        turn: Turn = Turn.RECORD_COMES,
        **more: Any,
    ) -> Step:
        if record:
            more |= {"id": record.id, "told": record.told}
        return Step(action=action, kind="record", host=host, name=host, turn=turn, **more)


def _changes(record: Record, body: dict[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(key=key, old=_word(getattr(record, key)), new=_word(value))
        for key, value in body.items()
    )


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value if value != "" else "none")


def _told(records: list[Record]) -> str:
    return ", ".join(f"{r.type} {r.name} → {r.content}" for r in records)
