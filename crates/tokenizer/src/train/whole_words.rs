//! Training of tokenizers of whole words and letters.

use std::collections::{HashMap, HashSet};

use rayon::iter::{ParallelBridge, ParallelIterator};
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Result, Trainer};

/// Counts words, and makes a model of the most frequent.
pub(super) struct WholeWordTrainer {
    /// Tokens beside the bytes and special tokens.
    pub most: usize,
    /// Words and characters seen less often are no tokens.
    pub min_frequency: u64,
    pub special_tokens: Vec<AddedToken>,
    /// Words in the symbols of bytes, with their number.
    pub counts: HashMap<String, u64>,
}

/// A merge of byte-pair encoding: two pieces.
type Merge = (String, String);

impl Trainer for WholeWordTrainer {
    type Model = ModelWrapper;

    fn should_show_progress(&self) -> bool {
        false
    }

    fn feed<I, S, F>(&mut self, iterator: I, process: F) -> Result<()>
    where
        I: Iterator<Item = S> + Send,
        S: AsRef<str> + Send,
        F: Fn(&str) -> Result<Vec<String>> + Sync,
    {
        let add = |mut all: HashMap<String, u64>, more: HashMap<String, u64>| {
            for (word, count) in more {
                *all.entry(word).or_default() += count;
            }
            all
        };
        self.counts = iterator
            .par_bridge()
            .map(|text| -> Result<HashMap<String, u64>> {
                let mut counts: HashMap<String, u64> = HashMap::new();
                process(text.as_ref())?.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
                Ok(counts)
            })
            .reduce(|| Ok(HashMap::new()), |all, more| Ok(add(all?, more?)))?;
        Ok(())
    }

    fn train(&self, model: &mut ModelWrapper) -> Result<Vec<AddedToken>> {
        let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        alphabet.sort_unstable();
        let (pieces, merges) = self.most_frequent();
        let specials = self.special_tokens.iter().map(|token| token.content.clone());
        let tokens = specials.chain(alphabet.into_iter().map(String::from)).chain(pieces);
        let vocabulary: Vocab = tokens.zip(0..).collect();
        *model = BPE::builder().vocab_and_merges(vocabulary, merges).ignore_merges(true).build()?.into();
        Ok(self.special_tokens.clone())
    }
}

impl WholeWordTrainer {
    /// The most frequent words and characters, and the merges that make characters of bytes.
    fn most_frequent(&self) -> (Vec<String>, Vec<Merge>) {
        let (mut pieces, mut merges) = (vec![], vec![]);
        let mut known = HashSet::new();
        for candidate in self.candidates() {
            let needed = match &candidate {
                Candidate::Word(word) => vec![(*word).to_owned()],
                Candidate::Character(symbols) => prefixes(symbols).map(str::to_owned).collect(),
            };
            let new: Vec<String> = needed.into_iter().filter(|piece| !known.contains(piece)).collect();
            if pieces.len() + new.len() > self.most {
                continue;
            }
            if let Candidate::Character(_) = candidate {
                merges.extend(new.iter().map(|piece| split_last(piece)));
            }
            known.extend(new.iter().cloned());
            pieces.extend(new);
        }
        (pieces, merges)
    }

    /// Words and characters that may be tokens, the most frequent first.
    fn candidates(&self) -> Vec<Candidate<'_>> {
        let mut counts: HashMap<Candidate, u64> = HashMap::new();
        for (word, &count) in &self.counts {
            if !is_plain(word) {
                characters(word).for_each(|symbols| *counts.entry(Candidate::Character(symbols)).or_default() += count);
            } else if word.chars().nth(1).is_some() && !word.contains(|c: char| c.is_ascii_digit()) {
                *counts.entry(Candidate::Word(word)).or_default() += count;
            }
        }
        let mut candidates: Vec<_> = counts.into_iter().filter(|(_, count)| *count >= self.min_frequency).collect();
        candidates.sort_unstable_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        candidates.into_iter().map(|(candidate, _)| candidate).collect()
    }
}

/// A word, or a character beyond ASCII, in the symbols of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Candidate<'a> {
    Word(&'a str),
    Character(&'a str),
}

/// The byte that a symbol of the byte-level alphabet stands for, if it is ASCII: visible ones are shown as they are,
/// the others as the characters from U+0100 on.
fn is_ascii(symbol: char) -> bool {
    symbol.is_ascii_graphic() || ('\u{100}'..='\u{121}').contains(&symbol)
}

/// Whether a word in the symbols of bytes is ASCII.
fn is_plain(word: &str) -> bool {
    word.chars().all(is_ascii)
}

/// The characters beyond ASCII of a word in the symbols of bytes.
fn characters(word: &str) -> impl Iterator<Item = &str> {
    let mut starts = word.char_indices().filter(|&(_, symbol)| begins(symbol)).map(|(at, _)| at).peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        Some(&word[start..starts.peek().copied().unwrap_or(word.len())])
    })
    .filter(|symbols| !symbols.starts_with(is_ascii))
}

/// Whether a symbol stands for a byte with which a character of UTF-8 begins. Bytes from 0x80 to 0xA0 and 0xAD are
/// shown as the characters from U+0122 on, the others as themselves.
fn begins(symbol: char) -> bool {
    is_ascii(symbol) || ('\u{c0}'..='\u{ff}').contains(&symbol)
}

/// The beginnings of a character's symbols, from two symbols on.
fn prefixes(symbols: &str) -> impl Iterator<Item = &str> {
    symbols.char_indices().skip(1).map(|(at, last)| &symbols[..at + last.len_utf8()])
}

/// A piece without its last symbol, and that symbol.
fn split_last(piece: &str) -> Merge {
    let (at, _) = piece.char_indices().next_back().expect("a piece has symbols");
    (piece[..at].to_owned(), piece[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use crate::{Tokenizer, WordsConfig};

    fn trained(vocab_size: usize, documents: &[&str]) -> Tokenizer {
        let config = WordsConfig { vocab_size, ..WordsConfig::default() };
        let documents: Vec<String> = documents.iter().map(|&document| document.to_owned()).collect();
        Tokenizer::train_words(documents.into_iter(), &config).unwrap()
    }

    fn pieces(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
        tokenizer.encode(text).iter().map(|&id| tokenizer.decode(&[id])).collect()
    }

    #[test]
    fn frequent_words_are_whole_and_others_are_letters() {
        let tokenizer = trained(1000, &["the cat came", "the cat sat", "a cat came by", "the camel"]);
        assert_eq!(pieces(&tokenizer, "the cat came"), ["the", " cat", " came"]);
        assert_eq!(pieces(&tokenizer, "the camel"), ["the", " ", "c", "a", "m", "e", "l"]);
        for text in ["the camel, and 12 owls\n", "Größe 猫 🐈", ""] {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
        }
    }

    #[test]
    fn digits_are_tokens_of_their_own() {
        let tokenizer = trained(1000, &["12 + 12 = 24", "12 + 12 = 24"]);
        assert_eq!(pieces(&tokenizer, "12 = 24"), ["1", "2", " =", " ", "2", "4"]);
    }

    #[test]
    fn other_scripts_are_spelt_in_characters() {
        let text = "小猫喜欢小鱼 é";
        let tokenizer = trained(1000, &[text, text, "小猫", "a"]);
        assert_eq!(pieces(&tokenizer, "小猫é"), ["小", "猫", "é"]);
        for rare in ["小猪", "🐈", "猫 小"] {
            assert_eq!(tokenizer.decode(&tokenizer.encode(rare)), rare);
        }
    }

    #[test]
    fn the_most_frequent_fill_the_vocabulary() {
        let documents = ["one two three three", "one two three", "猫猫 猫猫", "one"];
        assert_eq!(pieces(&trained(1000, &documents), "one two three 猫"), ["one", " two", " three", " ", "猫"]);
        assert_eq!(trained(263, &["a b a b", "a b"]).vocab_size(), 260, "spaces and line ends are bytes");
        let small = trained(262, &documents);
        assert_eq!(small.vocab_size(), 262);
        // 猫, seen four times, needs two tokens; "one" begins three texts.
        assert_eq!(pieces(&small, "one two"), ["one", " ", "t", "w", "o"]);
    }

    #[test]
    fn the_same_documents_give_the_same_tokenizer() {
        let text = "Once upon a time 从前有一只小猫 there was a cat. ".repeat(40);
        let (one, other) = (trained(400, &[&text, "a cat"]), trained(400, &[&text, "a cat"]));
        let json = |tokenizer: &Tokenizer| tokenizer.library().to_string(false).unwrap();
        assert_eq!(json(&one), json(&other));
    }
}
