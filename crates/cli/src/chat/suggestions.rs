//! Questions that a model can answer: `suggestions.txt` in its run.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use fireclay_train::RunFiles;

const MOST_BYTES: u64 = 4096;
const MOST_CHARACTERS: usize = 120;
const MOST: usize = 8;
const BETWEEN: &str = "  ·  ";

/// Suggested questions of the run that the checkpoint `model_dir` belongs to, at most eight lines; none for any other
/// model.
///
/// The run is the nearest folder with a `recipe.toml` among the checkpoint's own folder and the three above it:
/// RUN/STAGE/checkpoints/STEP. A file of more than 4 KiB or that is not UTF-8 is ignored, and lines of more than 120
/// characters are skipped.
pub fn suggestions(model_dir: &Path) -> Vec<String> {
    let Ok(dir) = model_dir.canonicalize() else { return vec![] };
    let run = dir.ancestors().take(4).map(RunFiles::new).find(RunFiles::is_run);
    run.and_then(|run| read(&run.suggestions())).map_or_else(Vec::new, |text| parse(&text))
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let length = File::open(path).ok()?.take(MOST_BYTES + 1).read_to_string(&mut text).ok()?;
    (length as u64 <= MOST_BYTES).then_some(text)
}

fn parse(text: &str) -> Vec<String> {
    let clean = |line: &str| line.chars().filter(|character| !character.is_control()).collect::<String>();
    let lines = text.lines().map(|line| clean(line).trim().to_owned());
    lines.filter(|line| !line.is_empty() && line.chars().count() <= MOST_CHARACTERS).take(MOST).collect()
}

/// The suggestions in lines of at most `width` characters; a suggestion is broken only if it is longer itself. Without
/// suggestions there are no lines.
pub fn lines(suggestions: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for suggestion in suggestions {
        let length = |text: &str| text.chars().count();
        match lines.last_mut() {
            Some(line) if length(line) + length(BETWEEN) + length(suggestion) <= width => {
                *line += BETWEEN;
                *line += suggestion;
            }
            Some(_) => lines.push(format!("     {suggestion}")),
            None => lines.push(format!("Try: {suggestion}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn strings<const N: usize>(lines: [&str; N]) -> Vec<String> {
        lines.map(String::from).to_vec()
    }

    #[test]
    fn a_runs_file_is_found_from_any_of_its_checkpoints() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        let checkpoint = run.join("sft/checkpoints/step-000100");
        fs::create_dir_all(&checkpoint).unwrap();
        fs::write(run.join("suggestions.txt"), "What is 7 + 5?\nWhere does Abira live?\n").unwrap();
        assert!(suggestions(&checkpoint).is_empty(), "this is no run");
        fs::write(run.join("recipe.toml"), "").unwrap();
        let expect = strings(["What is 7 + 5?", "Where does Abira live?"]);
        assert_eq!(suggestions(&checkpoint), expect);
        assert_eq!(suggestions(&run), expect);
        let deeper = checkpoint.join("average");
        fs::create_dir(&deeper).unwrap();
        assert!(suggestions(&deeper).is_empty());
        assert!(suggestions(&root.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_file_that_is_too_long_or_no_text_suggests_nothing() {
        let check = |bytes: &[u8], expect: usize| {
            let run = tempfile::tempdir().unwrap();
            fs::write(run.path().join("recipe.toml"), "").unwrap();
            fs::write(run.path().join("suggestions.txt"), bytes).unwrap();
            assert_eq!(suggestions(run.path()).len(), expect);
        };
        check("Why?\n".repeat(819).as_bytes(), 8);
        check("Why?\n".repeat(820).as_bytes(), 0);
        check(b"caf\xe9\n", 0);
        check(b"", 0);
    }

    #[test]
    fn lines_are_cleaned_and_long_ones_left_out() {
        let long = "x".repeat(121);
        let text = format!("  What?\t\r\n\n{long}\n\x1b[31mRed?\n\u{7}\n{}\n", "é".repeat(120));
        assert_eq!(parse(&text), ["What?".to_owned(), "[31mRed?".to_owned(), "é".repeat(120)]);
    }

    #[test]
    fn suggestions_fill_lines_and_are_never_broken() {
        let some = strings(["Tell me a story.", "What is 7 + 5?", "Where does Abira live?"]);
        assert_eq!(lines(&some, 80), ["Try: Tell me a story.  ·  What is 7 + 5?  ·  Where does Abira live?"]);
        assert_eq!(lines(&some, 40), ["Try: Tell me a story.  ·  What is 7 + 5?", "     Where does Abira live?"]);
        assert_eq!(lines(&some, 39), ["Try: Tell me a story.", "     What is 7 + 5?", "     Where does Abira live?"]);
        assert_eq!(lines(&some, 1).len(), 3);
        assert!(lines(&[], 80).is_empty());
    }
}
