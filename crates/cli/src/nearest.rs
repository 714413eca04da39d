//! Suggestions for a name that is unknown.

/// Similarity from which on a name is suggested.
pub const SIMILAR: f64 = 0.84;

/// From 0 to 1. One wrong, missing or exchanged letter is similar in short words too.
pub fn similarity(a: &str, b: &str) -> f64 {
    let whole = strsim::jaro_winkler(a, b);
    let one_off = a.chars().count() > 2 && strsim::osa_distance(a, b) == 1;
    if one_off { whole.max(SIMILAR) } else { whole }
}

/// The known name that is most similar to an unknown one; `None` if none is similar.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    most_similar(unknown, known).filter(|name| similarity(unknown, name) >= SIMILAR)
}

/// The known name that is most similar to an unknown one, however little; `None` if none is known.
pub fn most_similar<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().max_by(|a, b| similarity(unknown, a).total_cmp(&similarity(unknown, b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_similar_name_is_found_and_no_other() {
        let known = ["/list", "/open", "/rate"];
        assert_eq!(nearest("/lst", known), Some("/list"));
        assert_eq!(nearest("/etc/hosts", known), None);
    }
}
