//! Text from a file or standard input.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};

use crate::error::user;

/// The text of a file, or of standard input if there is no file. A byte-order mark is dropped.
///
/// # Errors
/// When it cannot be read, or is not UTF-8: then the first invalid byte is named.
pub fn read(path: Option<&Path>) -> Result<String> {
    let origin = path.map_or_else(|| "standard input".into(), |path| path.display().to_string());
    let bytes = path.map_or_else(read_stdin, std::fs::read);
    let text = String::from_utf8(bytes.with_context(|| format!("{origin} cannot be read; check the path"))?).map_err(
        |error| {
            let at = error.utf8_error().valid_up_to();
            user(format!("{origin}: not UTF-8 at byte {at}; convert it, for example with iconv -t UTF-8"))
        },
    )?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_what_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("text.txt");
        std::fs::write(&file, "\u{feff}热 clay").unwrap();
        assert_eq!(read(Some(&file)).unwrap(), "热 clay");
        std::fs::write(&file, b"clay \xff").unwrap();
        let message = read(Some(&file)).unwrap_err().to_string();
        assert!(message.contains("text.txt: not UTF-8 at byte 5"), "{message}");
    }
}
