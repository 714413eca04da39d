-- The same statements run on SQLite and PostgreSQL. Times are milliseconds since 1970; JSON is text.

CREATE TABLE conversations (
    id       TEXT   NOT NULL PRIMARY KEY,
    account  TEXT   NOT NULL,
    title    TEXT   NOT NULL,
    persona  TEXT,
    metadata TEXT   NOT NULL,
    listed   BIGINT NOT NULL,
    leaf     TEXT,
    created  BIGINT NOT NULL,
    updated  BIGINT NOT NULL
);
CREATE INDEX conversations_by_account ON conversations (account, updated, id);

-- A tree for each conversation. `position` counts a conversation's messages in the order of their creation, so that the
-- same message cannot be stored twice by two writers.
CREATE TABLE messages (
    id            TEXT   NOT NULL PRIMARY KEY,
    conversation  TEXT   NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    position      BIGINT NOT NULL,
    -- Deferred, not cascading: a conversation of thousands of turns is deleted without thousands of nested triggers.
    parent        TEXT   REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
    role          TEXT   NOT NULL,
    content       TEXT   NOT NULL,
    -- The content's parts, where it is not plain text.
    parts         TEXT,
    tool_calls    TEXT,
    tool_call_id  TEXT,
    status        TEXT   NOT NULL,
    -- The store that writes a message in progress.
    writer        BIGINT,
    instructions  TEXT,
    model         TEXT,
    finish_reason TEXT,
    usage         TEXT,
    created       BIGINT NOT NULL,
    UNIQUE (conversation, position)
);
CREATE INDEX messages_by_parent ON messages (parent);
CREATE INDEX messages_in_progress ON messages (writer) WHERE status = 'in_progress';

CREATE TABLE responses (
    id      TEXT   NOT NULL PRIMARY KEY,
    message TEXT   NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    body    TEXT   NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX responses_by_message ON responses (message);

CREATE TABLE ratings (
    message TEXT   NOT NULL PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    verdict TEXT,
    better  TEXT,
    created BIGINT NOT NULL
);
