//! Finds the roles whose messages a chat template leaves out.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Message;
use super::of_conversation;
use super::stand_in::{replace_words, stand_in};
use super::template::RenderOptions;
use crate::Tokenizer;

impl Tokenizer {
    /// The roles, other than the assistant's, of which the chat template shows nothing: other words in their messages
    /// would render the same text. For each role the first conversation that has it is rendered, and no other, so that
    /// many conversations cost little more than few. Empty without a template.
    pub fn hidden_roles<'m>(&self, conversations: impl IntoIterator<Item = &'m [Message]>) -> BTreeSet<String> {
        let mut hidden: BTreeMap<&str, bool> = BTreeMap::new();
        let options = self.render_options();
        for messages in conversations {
            let mut rendered = None;
            for message in messages {
                let role = message.role.as_str();
                if role == "assistant" || hidden.contains_key(role) {
                    continue;
                }
                let whole = rendered.get_or_insert_with(|| self.rendering(messages, &options));
                let Some(whole) = whole else { break };
                let mut other = messages.to_vec();
                for message in other.iter_mut().filter(|message| message.role == role) {
                    replace_words(message, &stand_in(0));
                }
                hidden.insert(role, self.rendering(&other, &options).as_ref() == Some(whole));
            }
        }
        hidden.into_iter().filter(|(_, hidden)| *hidden).map(|(role, _)| role.to_owned()).collect()
    }

    fn rendering(&self, messages: &[Message], options: &RenderOptions) -> Option<String> {
        let options = &of_conversation(messages, options);
        self.template_for(options).ok()?.render(messages, options).ok()
    }
}
