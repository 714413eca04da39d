//! Errors of recipes.

use crate::nearest::{most_similar, nearest};

/// One line: the problem, its place and its remedy.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// No such recipe.
    #[error("recipe {name:?}: no such file, and no embedded recipe of that name; embedded are: {embedded}")]
    Unknown {
        /// The requested value.
        name: String,
        /// The known values.
        embedded: String,
    },
    /// The file cannot be read.
    #[error("recipe {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of a wrong type.
    #[error("{origin}: {message}")]
    Syntax {
        /// The recipe and line, or the flag.
        origin: String,
        /// The problem and its remedy.
        message: String,
    },
    /// An invalid number.
    #[error("recipe {name:?}: {message}")]
    Invalid {
        /// The recipe.
        name: String,
        /// Key, value and its valid range.
        message: String,
    },
}

impl RecipeError {
    /// Turns serde's report on the text of a file into one line with the nearest known key.
    pub(super) fn in_file(origin: &str, text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Self::at(&format!("{origin}, line {line}"), error)
    }

    /// The same for text without lines: a flag, or merged layers.
    pub(super) fn at(origin: &str, error: &toml::de::Error) -> Self {
        Self::Syntax { origin: origin.into(), message: with_nearest(&error.message().replace('\n', " ")) }
    }
}

/// Names the known key nearest to the unknown one of a message such as "unknown field `stpes`, expected one of `steps`,
/// `batch`"; for a value that is similar to none, all that there are.
fn with_nearest(message: &str) -> String {
    // A value of an enumeration, for which TOML has a name or, with settings of its own, a table.
    if message == "wanted string or table" {
        return "this value is a name in quotes".to_owned();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let known: Vec<&str> = quoted.collect();
    let (what, found) = match message.starts_with("unknown variant") {
        true => ("value", nearest(unknown, known.iter().copied())),
        false => ("key", most_similar(unknown, known.iter().copied())),
    };
    match found {
        Some(nearest) => format!("unknown {what} `{unknown}`; did you mean `{nearest}`?"),
        None if what == "value" => format!("unknown value `{unknown}`; there is {}", known.join(", ")),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named() {
        let message = with_nearest("unknown field `stpes`, expected one of `batch`, `steps`, `seed`");
        assert_eq!(message, "unknown key `stpes`; did you mean `steps`?");
        assert_eq!(with_nearest("invalid type: string"), "invalid type: string");
    }

    #[test]
    fn all_values_are_named_where_none_is_similar() {
        let message = |unknown| with_nearest(&format!("unknown variant `{unknown}`, expected `f32` or `bf16`"));
        assert_eq!(message("bf6"), "unknown value `bf6`; did you mean `bf16`?");
        assert_eq!(message("int8"), "unknown value `int8`; there is f32, bf16");
    }
}
