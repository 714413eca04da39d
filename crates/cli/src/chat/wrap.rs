//! Lines of a terminal that break between words, while their text still arrives: [`Wrap`].

use unicode_width::UnicodeWidthChar;

/// Characters by which a line is known that is not broken: a table, a block of code.
const BEGINNING: usize = 4;
/// Marks of a block of code, at the beginning of a line.
const FENCES: [&str; 2] = ["```", "~~~"];

/// Breaks lines between words. A word is held back until it is whole; wide characters, as of Chinese, may stand at the
/// end of a line. Code and tables are left as they are.
#[derive(Clone, Debug)]
pub struct Wrap {
    /// Columns of the terminal.
    width: usize,
    /// Columns of the line so far.
    column: usize,
    /// White space that is written only before a word of the same line.
    space: String,
    word: String,
    /// The first characters of the line.
    beginning: String,
    in_code: bool,
    /// Whether the text so far ends within a word that is longer than a line, which the terminal breaks.
    in_long_word: bool,
}

impl Wrap {
    /// Lines of at most `width` columns.
    pub fn new(width: usize) -> Self {
        let [space, word, beginning] = [(); 3].map(|()| String::new());
        Self { width: width.max(1), column: 0, space, word, beginning, in_code: false, in_long_word: false }
    }

    /// The text that may be written after one more piece.
    pub fn push(&mut self, piece: &str) -> String {
        let mut out = String::new();
        for character in piece.chars() {
            self.add(character, &mut out);
        }
        out
    }

    /// The text that was held back.
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        self.place_word(&mut out);
        out + &std::mem::take(&mut self.space)
    }

    fn add(&mut self, character: char, out: &mut String) {
        if character == '\n' {
            self.place_word(out);
            out.push_str(&std::mem::take(&mut self.space));
            out.push('\n');
            self.in_code ^= FENCES.iter().any(|fence| self.beginning.trim_start().starts_with(fence));
            self.beginning.clear();
            (self.column, self.in_long_word) = (0, false);
            return;
        }
        if self.beginning.chars().count() < BEGINNING {
            self.beginning.push(character);
        }
        match character {
            ' ' | '\t' => {
                self.place_word(out);
                self.space.push(character);
            }
            _ if is_wide(character) => {
                self.place_word(out);
                self.word.push(character);
                self.place_word(out);
            }
            _ => {
                self.word.push(character);
                // A word that fits no line, such as an address, is not held back, and stays whole for a copy.
                if width_of(&self.word) >= self.width {
                    self.place_word(out);
                    self.in_long_word = true;
                }
            }
        }
    }

    /// Writes the word after the space before it, or on a new line.
    fn place_word(&mut self, out: &mut String) {
        if self.word.is_empty() {
            return;
        }
        let width = width_of(&self.word);
        let space = std::mem::take(&mut self.space);
        let goes_on = std::mem::take(&mut self.in_long_word) && space.is_empty();
        if goes_on {
            self.column = (self.column + width) % self.width;
            out.push_str(&self.word);
            self.word.clear();
            return;
        }
        if self.column > 0 && self.column + width_of(&space) + width > self.width && !self.is_verbatim() {
            out.push('\n');
            self.column = 0;
        } else {
            out.push_str(&space);
            self.column += width_of(&space);
        }
        out.push_str(&self.word);
        self.column += width;
        self.word.clear();
    }

    /// Whether the line is code or part of a table.
    fn is_verbatim(&self) -> bool {
        self.in_code || self.beginning.starts_with('|') || self.beginning.starts_with("    ")
    }
}

fn is_wide(character: char) -> bool {
    character.width() == Some(2)
}

fn width_of(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(usize::from(character == '\t'))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text in pieces of every length.
    fn check(text: &str, width: usize, expect: &str) {
        let characters: Vec<char> = text.chars().collect();
        for length in 1..=characters.len() {
            let mut wrap = Wrap::new(width);
            let pieces = characters.chunks(length).map(|piece| wrap.push(&piece.iter().collect::<String>()));
            let begun: String = pieces.collect();
            assert_eq!(begun + &wrap.finish(), expect, "pieces of {length}");
        }
    }

    #[test]
    fn lines_break_between_words() {
        check("Every kiln is hot.", 10, "Every kiln\nis hot.");
        check("Every kiln is hot.", 9, "Every\nkiln is\nhot.");
        check("One\n\n  two  three", 12, "One\n\n  two  three");
        check("Every kiln is hot.", 80, "Every kiln is hot.");
        check("a unfortunately long", 8, "a\nunfortunately\nlong");
        check("trailing ", 4, "trailing ");
    }

    #[test]
    fn wide_characters_break_anywhere_and_count_twice() {
        check("从前有一只狐狸", 8, "从前有一\n只狐狸");
        check("a 从前有", 6, "a 从前\n有");
    }

    #[test]
    fn code_and_tables_are_left_as_they_are() {
        check("So:\n```\nlet kiln = hot;\n```\nand so on", 6, "So:\n```\nlet kiln = hot;\n```\nand so\non");
        check("| one | two | three |", 8, "| one | two | three |");
        check("    let kiln = hot;", 8, "    let kiln = hot;");
    }

    #[test]
    fn a_word_is_shown_as_soon_as_it_is_whole() {
        let mut wrap = Wrap::new(20);
        assert_eq!(["Ev", "ery ", "kiln"].map(|piece| wrap.push(piece)), ["", "Every", ""]);
        assert_eq!(wrap.finish(), " kiln");
    }
}
