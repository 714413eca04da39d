//! What was said so far, and how much of it fits the model's context.

use anyhow::Result;
use fireclay_tokenizer::Message;

/// A system message, if there is one, and exchanges: a user's message and what follows it up to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    system: Option<String>,
    exchanges: Vec<Vec<Message>>,
}

/// How a question fits behind the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The ids of what is left of the conversation, the question and the opening of a reply.
    Prompt {
        /// Token ids.
        ids: Vec<u32>,
        /// Exchanges that were dropped from the conversation's beginning.
        dropped: usize,
    },
    /// The question is too long even alone behind the system message; the conversation is as it was.
    TooLong {
        /// Tokens of system message, question and what the template puts around them.
        tokens: usize,
    },
}

impl Conversation {
    /// One in which nothing was said yet.
    pub fn new(system: Option<String>) -> Self {
        Self { system, exchanges: vec![] }
    }

    /// One that goes on behind these messages.
    pub fn behind(system: Option<String>, messages: impl IntoIterator<Item = Message>) -> Self {
        let mut exchanges: Vec<Vec<Message>> = vec![];
        for message in messages {
            match exchanges.last_mut().filter(|_| message.role != "user") {
                Some(exchange) => exchange.push(message),
                None => exchanges.push(vec![message]),
            }
        }
        Self { system, exchanges }
    }

    /// The system message.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Forgets the last exchange; whether there was one.
    pub fn undo(&mut self) -> bool {
        self.exchanges.pop().is_some()
    }

    /// Adds what was asked and answered.
    pub fn add(&mut self, question: &str, reply: String) {
        self.exchanges.push(vec![Message::new("user", question), Message::new("assistant", reply)]);
    }

    /// Drops the oldest exchanges until the rest, with the question behind it, is at most `limit` tokens as `encode`
    /// has it.
    ///
    /// # Errors
    /// When `encode` fails; nothing is dropped then.
    pub fn fit(
        &mut self,
        question: &str,
        limit: usize,
        encode: impl Fn(&[Message]) -> Result<Vec<u32>>,
    ) -> Result<Fit> {
        let alone = encode(&self.messages(self.exchanges.len(), question))?;
        if alone.len() > limit {
            return Ok(Fit::TooLong { tokens: alone.len() });
        }
        for dropped in 0..self.exchanges.len() {
            let ids = encode(&self.messages(dropped, question))?;
            if ids.len() <= limit {
                self.exchanges.drain(..dropped);
                return Ok(Fit::Prompt { ids, dropped });
            }
        }
        let dropped = self.exchanges.len();
        self.exchanges.clear();
        Ok(Fit::Prompt { ids: alone, dropped })
    }

    /// The system message, the exchanges without the first `dropped`, and the question.
    fn messages(&self, dropped: usize, question: &str) -> Vec<Message> {
        let mut messages: Vec<Message> = self.system.iter().map(|text| Message::new("system", text)).collect();
        messages.extend(self.exchanges[dropped..].iter().flatten().cloned());
        messages.push(Message::new("user", question));
        messages
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    /// A message costs one token and one for each of its bytes, and the opening of a reply costs one: the id is the
    /// byte.
    fn encode(messages: &[Message]) -> Vec<u32> {
        let bytes_of = |message: &Message| [&message.role.as_bytes()[..1], message.content.as_bytes()].concat();
        messages.iter().flat_map(bytes_of).chain([b'>']).map(u32::from).collect()
    }

    /// "S" as the system message, then an exchange of 2 + 3 and one of 3 + 2 tokens.
    fn conversation() -> Conversation {
        let mut conversation = Conversation::new(Some("S".into()));
        conversation.add("1", "ab".into());
        conversation.add("22", "c".into());
        conversation
    }

    /// The question "?" within `limit` tokens.
    fn check(limit: usize, expect: Result<(&str, usize), usize>) {
        let mut conversation = conversation();
        let expect = match expect {
            Ok((text, dropped)) => Fit::Prompt { ids: text.bytes().map(u32::from).collect(), dropped },
            Err(tokens) => Fit::TooLong { tokens },
        };
        assert_eq!(conversation.fit("?", limit, |messages| Ok(encode(messages))).unwrap(), expect, "{limit}");
        let left = if let Fit::Prompt { dropped, .. } = expect { 2 - dropped } else { 2 };
        assert_eq!(conversation.exchanges[..], self::conversation().exchanges[2 - left..], "{limit}");
        assert_eq!(conversation.system(), Some("S"));
    }

    #[test]
    fn the_oldest_exchanges_go_first_and_the_system_message_never() {
        check(100, Ok(("sSu1aabu22acu?>", 0)));
        check(15, Ok(("sSu1aabu22acu?>", 0)));
        check(14, Ok(("sSu22acu?>", 1)));
        check(10, Ok(("sSu22acu?>", 1)));
        check(9, Ok(("sSu?>", 2)));
        check(5, Ok(("sSu?>", 2)));
    }

    #[test]
    fn a_question_too_long_alone_leaves_the_conversation_as_it_was() {
        check(4, Err(5));
        check(0, Err(5));
    }

    #[test]
    fn an_error_drops_nothing() {
        let mut conversation = conversation();
        conversation.fit("?", 100, |_| bail!("the template refuses")).unwrap_err();
        assert_eq!(conversation, self::conversation());
    }

    #[test]
    fn stored_messages_are_exchanges_that_begin_with_the_users() {
        let said = conversation().messages(0, "?")[1..5].to_vec();
        assert_eq!(Conversation::behind(Some("S".into()), said), conversation());
        let roles = ["assistant", "user", "assistant", "tool", "assistant", "user"];
        let conversation = Conversation::behind(None, roles.map(|role| Message::new(role, "")));
        assert_eq!(conversation.exchanges.iter().map(Vec::len).collect::<Vec<_>>(), [1, 4, 1]);
    }

    #[test]
    fn what_was_said_can_be_taken_back() {
        let mut conversation = conversation();
        assert!(conversation.undo());
        assert_eq!(conversation.messages(0, "?").len(), 4);
        assert!(conversation.undo() && !conversation.undo());
        assert_eq!(conversation, Conversation::new(Some("S".into())));
        assert_eq!(Conversation::default().messages(0, "?"), [Message::new("user", "?")]);
    }
}
