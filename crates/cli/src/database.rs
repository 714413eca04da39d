//! The place of the database of conversations, for people.

/// A database's place without a password.
pub fn shown(database: &str) -> String {
    match (database.split_once("://"), database.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => database.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("postgres://ann:secret@db/chat"), "postgres://…@db/chat");
        assert_eq!(shown("fireclay.sqlite"), "fireclay.sqlite");
    }
}
