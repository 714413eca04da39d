//! Styles of typing: in lower case, without punctuation, in short forms, with mistakes.

use super::dice::Dice;
use super::wording::{CONTRACTIONS, replace_word};

/// `text`, a message with its capitals but without its final mark, as somebody may have typed it. `mark` is the mark
/// that belongs to its end.
pub(super) fn typed(text: &str, mark: &str, dice: &mut Dice) -> String {
    let mut text = text.to_string();
    if dice.chance(40) {
        text = shortened(&text, dice.chance(25));
    }
    if dice.chance(6) {
        text = mistyped(&text, dice);
    }
    let lower_case = dice.chance(30);
    if lower_case {
        text = text.to_lowercase();
    }
    let mark = match dice.weighted(&[if lower_case { 35 } else { 75 }, if lower_case { 60 } else { 20 }, 5]) {
        0 => mark,
        1 => "",
        _ => dice.word(&["!", "...", "??", " ?", "!!", "."]),
    };
    text + mark
}

/// `text` with short forms, which some people write without the apostrophe.
fn shortened(text: &str, without_apostrophe: bool) -> String {
    CONTRACTIONS.iter().fold(text.to_string(), |text, (short, long)| {
        let short = if without_apostrophe { short.replace('\'', "") } else { (*short).to_string() };
        let text = replace_word(&text, long, &short);
        replace_word(&text, &super::template::capitalise(long), &super::template::capitalise(&short))
    })
}

/// `text` with one mistake in a longer word: two letters swapped, one left out, or one doubled. Names and numbers stay
/// as they are.
fn mistyped(text: &str, dice: &mut Dice) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_string).collect();
    let plain = |word: &String| word.len() >= 5 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let long: Vec<usize> = (0..words.len()).filter(|&index| plain(&words[index])).collect();
    if long.is_empty() {
        return text.to_string();
    }
    let word = &mut words[*dice.pick(&long)];
    let at = 1 + dice.below(word.len() - 2);
    let mut letters: Vec<char> = word.chars().collect();
    match dice.below(3) {
        0 => letters.swap(at, at + 1),
        1 => {
            letters.remove(at);
        }
        _ => letters.insert(at, letters[at]),
    }
    *word = letters.into_iter().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::wording::normal;
    use super::*;

    #[test]
    fn most_messages_say_the_same_however_they_are_typed() {
        let said = "What is your name, and where do you live";
        let same =
            (0..400).filter(|&index| normal(&typed(said, "?", &mut Dice::new(0, "typing", index))) == normal(said));
        assert!((340..400).contains(&same.count()), "all but those with a mistake");
    }

    #[test]
    fn names_and_numbers_are_never_mistyped() {
        for index in 0..400 {
            let text = typed("Is Abira 12345 or Miranda", "?", &mut Dice::new(1, "typing", index)).to_lowercase();
            assert!(text.contains("abira 12345") && text.contains("miranda"), "{text}");
        }
    }
}
