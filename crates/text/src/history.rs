//! Conversations that outgrow the context.

use fireclay_tokenizer::Message;

/// A conversation: an optional system message, and exchanges, each a user's message with the messages up to the next
/// one. If it outgrows the model's context, the oldest exchanges are dropped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatHistory {
    system: Option<String>,
    /// System messages before the first exchange.
    opening: Vec<Message>,
    exchanges: Vec<Vec<Message>>,
    left_out: usize,
}

/// Result of fitting a question after a [`ChatHistory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FittedPrompt {
    /// The ids of the remaining conversation, the question and the opening of a reply.
    Fits {
        /// Token ids.
        ids: Vec<u32>,
        /// Exchanges that were dropped from the conversation's beginning.
        dropped: usize,
    },
    /// The question is too long even with the system message alone; the conversation is unchanged.
    TooLong {
        /// Tokens of system message and question, with those of the chat template.
        tokens: usize,
    },
}

/// Largest number of tokens of system message, conversation and question: seven eighths of the context, or more if
/// replies are shorter. A reply that needs more than the rest goes on without the oldest exchanges
/// ([`ChatHistory::shorter_prompts`]).
#[must_use]
pub fn prompt_limit(context: usize, max_tokens: usize) -> usize {
    context - max_tokens.min(context.div_ceil(8))
}

impl ChatHistory {
    /// An empty conversation.
    pub fn new(system: Option<String>) -> Self {
        Self { system, ..Self::default() }
    }

    /// A conversation that continues these messages. System messages at their beginning are never dropped.
    pub fn continuing(system: Option<String>, messages: impl IntoIterator<Item = Message>) -> Self {
        let (mut opening, mut exchanges): (Vec<Message>, Vec<Vec<Message>>) = (vec![], vec![]);
        for message in messages {
            let opens = exchanges.is_empty() && matches!(message.role.as_str(), "system" | "developer");
            match exchanges.last_mut().filter(|_| message.role != "user") {
                Some(exchange) => exchange.push(message),
                None if opens => opening.push(message),
                None => exchanges.push(vec![message]),
            }
        }
        Self { system, opening, exchanges, left_out: 0 }
    }

    /// The system message.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Number of exchanges that were dropped from the beginning so far.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Removes the last exchange. Returns whether there was one.
    pub fn undo(&mut self) -> bool {
        self.exchanges.pop().is_some()
    }

    /// Adds an exchange.
    pub fn add(&mut self, question: &str, reply: String) {
        self.exchanges.push(vec![Message::new("user", question), Message::new("assistant", reply)]);
    }

    /// Drops the oldest exchanges until the rest and the question have at most `limit` tokens by `encode`.
    ///
    /// # Errors
    /// When `encode` fails; nothing is dropped then.
    pub fn fit<E>(
        &mut self,
        question: &Message,
        limit: usize,
        encode: impl Fn(&[Message]) -> Result<Vec<u32>, E>,
    ) -> Result<FittedPrompt, E> {
        let total = self.exchanges.len();
        let alone = encode(&self.messages(total, question))?;
        if alone.len() > limit {
            return Ok(FittedPrompt::TooLong { tokens: alone.len() });
        }
        let whole = if total == 0 { vec![] } else { encode(&self.messages(0, question))? };
        let (mut kept, mut ids) = if whole.len() > limit || total == 0 { (0, alone) } else { (total, whole) };
        let mut too_many = if kept == 0 { total } else { total + 1 };
        // Doubled from the shortest, then halved: the work grows with what is kept, and not with what is dropped.
        while kept + 1 < too_many {
            let more = kept + ((too_many - kept) / 2).min(kept.max(1));
            let tried = encode(&self.messages(total - more, question))?;
            if tried.len() > limit {
                too_many = more;
            } else {
                (kept, ids) = (more, tried);
            }
        }
        let dropped = total - kept;
        self.exchanges.drain(..dropped);
        self.left_out += dropped;
        Ok(FittedPrompt::Fits { ids, dropped })
    }

    /// The same with ever fewer exchanges, without the oldest ones and finally without any, for a reply that outgrows
    /// the context: each prompt has at least a quarter fewer than the one before.
    ///
    /// # Errors
    /// When `encode` fails.
    pub fn shorter_prompts<E>(
        &self,
        question: &Message,
        encode: impl Fn(&[Message]) -> Result<Vec<u32>, E>,
    ) -> Result<Vec<Vec<u32>>, E> {
        let fewer = |&left: &usize| (left > 0).then(|| left - left.div_ceil(4));
        let counts = std::iter::successors(Some(self.exchanges.len()), fewer).skip(1);
        counts.map(|left| encode(&self.messages(self.exchanges.len() - left, question))).collect()
    }

    /// The system messages, the exchanges without the first `dropped`, and the question.
    fn messages(&self, dropped: usize, question: &Message) -> Vec<Message> {
        let mut messages: Vec<Message> = self.system.iter().map(|text| Message::new("system", text)).collect();
        messages.extend(self.opening.iter().cloned());
        messages.extend(self.exchanges[dropped..].iter().flatten().cloned());
        messages.push(question.clone());
        messages
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn question() -> Message {
        Message::new("user", "?")
    }

    /// A message costs one token and one for each of its bytes, and the opening of a reply costs one: the id is the
    /// byte.
    fn encode(messages: &[Message]) -> Vec<u32> {
        let bytes_of = |message: &Message| [&message.role.as_bytes()[..1], message.content.as_bytes()].concat();
        messages.iter().flat_map(bytes_of).chain([b'>']).map(u32::from).collect()
    }

    /// "S" as the system message, then an exchange of 2 + 3 and one of 3 + 2 tokens.
    fn conversation() -> ChatHistory {
        let mut conversation = ChatHistory::new(Some("S".into()));
        conversation.add("1", "ab".into());
        conversation.add("22", "c".into());
        conversation
    }

    /// The question "?" within `limit` tokens.
    fn check(limit: usize, expect: Result<(&str, usize), usize>) {
        let mut conversation = conversation();
        let expect = match expect {
            Ok((text, dropped)) => FittedPrompt::Fits { ids: text.bytes().map(u32::from).collect(), dropped },
            Err(tokens) => FittedPrompt::TooLong { tokens },
        };
        assert_eq!(
            conversation.fit(&question(), limit, |messages| Ok::<_, Infallible>(encode(messages))).unwrap(),
            expect,
            "{limit}"
        );
        let left = if let FittedPrompt::Fits { dropped, .. } = expect { 2 - dropped } else { 2 };
        assert_eq!(conversation.exchanges[..], self::conversation().exchanges[2 - left..], "{limit}");
        assert_eq!(conversation.left_out(), 2 - left, "{limit}");
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
        conversation.fit(&question(), 100, |_| Err::<Vec<u32>, _>("the template refuses")).unwrap_err();
        assert_eq!(conversation, self::conversation());
    }

    #[test]
    fn shorter_prompts_end_with_the_question_alone() {
        let shorter = |conversation: &ChatHistory| {
            let prompts = conversation.shorter_prompts(&question(), |messages| Ok::<_, Infallible>(encode(messages)));
            prompts.unwrap().iter().map(|ids| ids.iter().map(|&id| id as u8 as char).collect()).collect::<Vec<String>>()
        };
        assert_eq!(shorter(&conversation()), ["sSu22acu?>", "sSu?>"]);
        assert!(shorter(&ChatHistory::default()).is_empty());
        let mut long = ChatHistory::default();
        (0..9).for_each(|_| long.add("", String::new()));
        assert_eq!(shorter(&long).iter().map(|prompt| (prompt.len() - 3) / 2).collect::<Vec<_>>(), [6, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn stored_messages_are_exchanges_that_begin_with_the_users() {
        let said = conversation().messages(0, &question())[1..5].to_vec();
        assert_eq!(ChatHistory::continuing(Some("S".into()), said), conversation());
        let roles = ["assistant", "user", "assistant", "tool", "assistant", "user"];
        let conversation = ChatHistory::continuing(None, roles.map(|role| Message::new(role, "")));
        assert_eq!(conversation.exchanges.iter().map(Vec::len).collect::<Vec<_>>(), [1, 4, 1]);
    }

    #[test]
    fn system_messages_of_a_conversation_stay() {
        let said = [("system", "S"), ("developer", "D"), ("user", "1"), ("assistant", "2"), ("system", "T")];
        let mut conversation = ChatHistory::continuing(None, said.map(|(role, text)| Message::new(role, text)));
        let short = conversation.fit(&question(), 7, |messages| Ok::<_, Infallible>(encode(messages))).unwrap();
        let ids = "sSdDu?>".bytes().map(u32::from).collect();
        assert_eq!(short, FittedPrompt::Fits { ids, dropped: 1 });
    }

    #[test]
    fn a_long_conversation_is_fitted_with_little_work() {
        for (exchanges, limit) in [(2_000, 403), (2_000, 7), (2_000, 3), (7, 20), (1, 6), (0, 3), (3, 1_000)] {
            let mut conversation = ChatHistory::default();
            (0..exchanges).for_each(|_| conversation.add("", String::new()));
            let read = std::cell::Cell::new(0);
            let fitted = conversation.fit(&question(), limit, |messages| {
                read.set(read.get() + messages.len());
                Ok::<_, Infallible>(encode(messages))
            });
            let kept = exchanges.min((limit - 3) / 2);
            let FittedPrompt::Fits { ids, dropped } = fitted.unwrap() else { panic!("{exchanges} {limit}") };
            assert_eq!((ids.len(), dropped), (2 * kept + 3, exchanges - kept), "{exchanges} {limit}");
            assert_eq!((conversation.left_out(), conversation.exchanges.len()), (dropped, kept));
            assert!(read.get() <= 2 * exchanges + 40 * (kept + 2), "{exchanges} {limit}: {}", read.get());
        }
    }

    #[test]
    fn what_was_said_can_be_taken_back() {
        let mut conversation = conversation();
        assert!(conversation.undo());
        assert_eq!(conversation.messages(0, &question()).len(), 4);
        assert!(conversation.undo() && !conversation.undo());
        assert_eq!(conversation, ChatHistory::new(Some("S".into())));
        assert_eq!(ChatHistory::default().messages(0, &question()), [question()]);
    }

    #[test]
    fn an_eighth_of_the_context_is_the_replys() {
        assert_eq!(prompt_limit(8192, 512), 7680);
        assert_eq!(prompt_limit(256, 512), 224);
        assert_eq!(prompt_limit(1, 512), 0);
    }
}
