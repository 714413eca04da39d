//! Commands of a chat that is stored: `/open`, `/list`, `/rate`, `/save`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use fireclay_report::format::shell_word;
use fireclay_serve::store::{Role, StoredMessage};
use fireclay_text::ChatHistory;

use super::input::RatingCommand;
use super::session::{ChatSession, check_system};
use super::stored::{Stored, as_messages};
use super::terminal::{tell, width};
use crate::console::harmless;
use crate::database;
use crate::error::{one_line, user};

/// Number of characters of an id in a list; `/open` needs no more.
const ID_CHARS: usize = 13;

impl ChatSession<'_> {
    /// Opens a stored conversation, and shows its last exchange.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn open(&mut self, which: Option<&str>) -> Result<()> {
        match self.go_on(which) {
            Ok((title, path)) => {
                self.show_opened(&title, &path);
                Ok(())
            }
            Err(error) => self.refuse(one_line(&error)),
        }
    }

    /// Opens a stored conversation. Returns its title and messages.
    ///
    /// # Errors
    /// When there is no such conversation, or the model does not support its system message.
    pub fn go_on(&mut self, which: Option<&str>) -> Result<(String, Vec<StoredMessage>)> {
        let (conversation, path) = stored(&mut self.stored)?.go_on(which)?;
        if let Some(persona) = &conversation.persona
            && let Err(error) = check_system(self.model, persona)
        {
            stored(&mut self.stored)?.begin_new();
            return Err(error.context("this model cannot have the conversation's system message"));
        }
        self.conversation = ChatHistory::continuing(conversation.persona, as_messages(&path));
        self.outgrown = false;
        Ok((conversation.title, path))
    }

    fn show_opened(&self, title: &str, path: &[StoredMessage]) {
        let messages = path.len();
        self.terminal.hint(format_args!("{} ({messages} messages)", harmless(title)));
        let last = path.iter().rposition(|message| message.role == Role::User).unwrap_or_default();
        for message in path.iter().skip(last) {
            let mark = if message.role == Role::User { "> " } else { "" };
            self.terminal.hint(format_args!("{mark}{}", harmless(&message.content.text())));
        }
    }

    /// Lists conversations, the last changed first.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn list(&mut self, search: &str) -> Result<()> {
        let listed = stored(&mut self.stored).and_then(|stored| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
            let (conversations, more) = stored.list(search)?;
            let lines = conversations.iter().enumerate().map(|(index, conversation)| {
                let id: String = conversation.id.chars().take(ID_CHARS).collect();
                let age = age(now - conversation.updated);
                let line = format!("{:>2}  {id}  {age:>6}  {}", index + 1, harmless(&conversation.title));
                line.chars().take(width()).collect()
            });
            Ok((lines.collect::<Vec<String>>(), more))
        });
        match listed {
            Err(error) => return self.refuse(one_line(&error)),
            Ok((lines, _)) if lines.is_empty() && search.is_empty() => tell("(no conversation)"),
            Ok((lines, _)) if lines.is_empty() => tell(format_args!("no conversation contains {search:?}")),
            Ok((lines, more)) => {
                lines.iter().for_each(tell);
                if more {
                    tell("… /list TEXT finds others");
                }
            }
        }
        Ok(())
    }

    /// Rates the last reply.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn rate(&mut self, rating: RatingCommand) -> Result<()> {
        let done = match rating {
            RatingCommand::Up => "rated up",
            RatingCommand::Down => "rated down",
            RatingCommand::Better(_) => "better answer stored",
            RatingCommand::None => "rating removed",
        };
        let place = stored(&mut self.stored).and_then(|stored| {
            stored.rate(rating)?;
            Ok(shell_word(&database::shown(stored.place())))
        });
        match place {
            Ok(_) if done == "rating removed" => self.terminal.hint(done),
            Ok(place) => self.terminal.hint(format_args!(
                "{done}; `fireclay data export-preferences --db {place} --out rated` makes training data of ratings"
            )),
            Err(error) => return self.refuse(one_line(&error)),
        }
        Ok(())
    }

    /// Writes the conversation to a new file.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn save(&mut self, path: &str) -> Result<()> {
        let written = stored(&mut self.stored).and_then(|stored| {
            let text = serde_json::to_string_pretty(&stored.file()?).context("writing JSON")?;
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            let written = file.and_then(|mut file| file.write_all((text + "\n").as_bytes()));
            written.map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => {
                    user(format!("{path} is there already; give another name, or delete it first"))
                }
                _ => anyhow::Error::from(error)
                    .context(format!("cannot write {path}; check the folder and its permissions")),
            })
        });
        match written {
            Ok(()) => {
                self.terminal.hint(format_args!("written to {path}"));
                Ok(())
            }
            Err(error) => self.refuse(one_line(&error)),
        }
    }
}

/// The database, for commands that need it.
fn stored(stored: &mut Option<Stored>) -> Result<&mut Stored> {
    stored.as_mut().ok_or_else(|| user("nothing is stored here; --db FILE keeps conversations"))
}

/// A duration in a few characters.
fn age(millis: i64) -> String {
    let minutes = millis / 60_000;
    match minutes {
        ..1 => "now".into(),
        1..60 => format!("{minutes} min"),
        60..1440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let (minute, hour) = (60_000, 3_600_000);
        for (millis, expect) in [
            (-5, "now"),
            (59_000, "now"),
            (minute, "1 min"),
            (59 * minute, "59 min"),
            (hour, "1 h"),
            (47 * hour, "1 d"),
            (1000 * 24 * hour, "1000 d"),
        ] {
            assert_eq!(age(millis), expect);
        }
    }
}
