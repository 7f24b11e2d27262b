"""The tables of the journal, and the steps from each version of them to the next.

`user_version` says how many of MIGRATIONS a file has seen. A step that was released is
never changed: a later one is added. Times are seconds since 1970, UTC.

ADDED are tables that an older twinedge need not know. They are made where they are missing
and raise no version, so that it reads the file on after a rollback.
"""

FIRST = """
CREATE TABLE runs (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,     -- deploy, rollback, verify, drill, sync, readiness
    began    REAL NOT NULL,
    seconds  REAL,              -- NULL while it runs, and for ever when it was killed
    status   INTEGER,           -- its exit status; NULL likewise
    operator TEXT NOT NULL,     -- user@machine
    commit_id TEXT NOT NULL,    -- of the checkout
    asked    TEXT NOT NULL,     -- its flags
    words    TEXT NOT NULL      -- how it ended, in a sentence
) STRICT;
CREATE INDEX runs_by_time ON runs (kind, began);

CREATE TABLE steps (            -- what a run did, in order
    run   TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    at    REAL NOT NULL,
    words TEXT NOT NULL
) STRICT;
CREATE INDEX steps_by_run ON steps (run);

CREATE TABLE episodes (         -- a stretch of time in which one finding stayed the same
    id       INTEGER PRIMARY KEY,
    "check"  TEXT NOT NULL,
    subject  TEXT NOT NULL,
    vantage  TEXT NOT NULL,
    service  TEXT,
    host     TEXT,
    hop      TEXT NOT NULL,
    status   INTEGER NOT NULL,  -- Status
    since    REAL NOT NULL,     -- first seen so
    until    REAL NOT NULL,     -- seen otherwise; the last look, while it lasts
    seen     TEXT NOT NULL,     -- at the last look
    expected TEXT NOT NULL,
    cause    TEXT,
    todo     TEXT NOT NULL
) STRICT;
CREATE INDEX episodes_by_part ON episodes ("check", subject, vantage, until);
CREATE INDEX episodes_by_time ON episodes (until);

CREATE TABLE drills (
    run      TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    service  TEXT NOT NULL,
    fault    TEXT NOT NULL,
    host     TEXT NOT NULL,
    kept     INTEGER NOT NULL,  -- was it within the budget?
    document TEXT NOT NULL      -- the whole result as JSON, without the single requests
) STRICT;
CREATE INDEX drills_by_run ON drills (run);
"""

WAYS = """
ALTER TABLE episodes ADD COLUMN way INTEGER NOT NULL DEFAULT 0;  -- users enter the service so
"""

ALERTS = """
CREATE TABLE notices (          -- problems that are there, or that people still know of
    hop      TEXT PRIMARY KEY,
    document TEXT NOT NULL      -- Notice as JSON
) STRICT;

CREATE TABLE messages (
    id     INTEGER PRIMARY KEY,
    at     REAL NOT NULL,
    kind   TEXT NOT NULL,       -- Kind
    status INTEGER NOT NULL,    -- Status; 0 is good news
    title  TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT;

CREATE TABLE deliveries (       -- one for each message and address
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    target  TEXT NOT NULL,      -- the reference of the address, never the address
    tries   INTEGER NOT NULL DEFAULT 0,
    error   TEXT NOT NULL DEFAULT '',
    sent    REAL,               -- NULL while it waits
    PRIMARY KEY (message, target)
) STRICT;

CREATE TABLE silences (         -- by hand; a deploy or a drill silences by its run
    began    REAL NOT NULL,
    until    REAL NOT NULL,
    operator TEXT NOT NULL,
    reason   TEXT NOT NULL
) STRICT;

CREATE TABLE looks (at REAL NOT NULL) STRICT;    -- the last look at everything
"""

MIGRATIONS = (FIRST, WAYS, ALERTS)

ADDED = {
    "answers": """
CREATE TABLE answers (          -- what each way that worked took, in the hour under way
    service TEXT NOT NULL,
    at      REAL NOT NULL,
    seconds REAL NOT NULL
) STRICT;
""",
    "responses": """
CREATE TABLE responses (        -- the same of each hour, in seconds
    service TEXT NOT NULL,
    hour    REAL NOT NULL,      -- when it begins
    answers INTEGER NOT NULL,
    median  REAL NOT NULL,
    p95     REAL NOT NULL,
    slowest REAL NOT NULL,
    PRIMARY KEY (service, hour)
) STRICT;
""",
    "told": """
CREATE TABLE told (             -- the hops that a message is about
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    hop     TEXT NOT NULL,
    PRIMARY KEY (message, hop)
) STRICT;
""",
    # The last episode of a part is at the end of its own: a row's id ends each entry of an index.
    "episodes_by_id": """
CREATE INDEX episodes_by_id ON episodes ("check", subject, vantage);
""",
}
