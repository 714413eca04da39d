-- Exchanges at the conversation's beginning that the model did not read before a reply, because the context had no room.
ALTER TABLE messages ADD COLUMN left_out BIGINT NOT NULL DEFAULT 0;
