//! Sentences with named gaps: `"{He} lost the {toy}."`.

/// Words for the gaps of a template.
#[derive(Debug, Clone, Default)]
pub(super) struct Bindings(Vec<(&'static str, String)>);

impl Bindings {
    /// Binds `key`; a later binding of the same key wins.
    pub fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.0.push((key, value.into()));
    }

    /// Binds every pair of a row of a table.
    pub fn set_row(&mut self, row: &[(&'static str, &'static str)]) {
        for (key, value) in row {
            self.set(key, *value);
        }
    }

    /// The value of `key`, as bound: gaps in it are still gaps.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| *k == key).map(|(_, value)| value.as_str())
    }

    /// Fills every gap of `template`. A value may have gaps itself; a key that begins with a capital gives its value
    /// a capital.
    ///
    /// # Panics
    /// If a gap has no binding or is not closed: the tables are part of the program, and the tests fill all of them.
    pub fn fill(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            text.push_str(&rest[..open]);
            let close = rest[open..].find('}').unwrap_or_else(|| panic!("a gap is not closed in {template:?}"));
            let key = &rest[open + 1..open + close];
            let lower = key.to_ascii_lowercase();
            let value = self.get(&lower).unwrap_or_else(|| panic!("nothing is bound to {{{key}}} of {template:?}"));
            let value = self.fill(value);
            text.push_str(&if key == lower { value } else { capitalise(&value) });
            rest = &rest[open + close + 1..];
        }
        text.push_str(rest);
        text
    }
}

/// `text` with a capital first letter.
pub(super) fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings() -> Bindings {
        let mut bindings = Bindings::default();
        bindings.set_row(&[("he", "she"), ("toy", "{colour} kite"), ("colour", "red")]);
        bindings
    }

    #[test]
    fn gaps_nest_and_capital_keys_give_capitals() {
        assert_eq!(bindings().fill("{He} lost the {toy}. {Colour}!"), "She lost the red kite. Red!");
    }

    #[test]
    #[should_panic(expected = "nothing is bound to {dog}")]
    fn an_unbound_gap_panics_with_its_name() {
        bindings().fill("a {dog}");
    }
}
