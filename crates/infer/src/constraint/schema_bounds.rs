//! Bounds of JSON schemas that come from strangers: keywords whose work grows faster than the compiler's own limits
//! notice are refused by name before anything is compiled. The numbers were found by measurement.

use std::collections::{BTreeSet, HashMap};
use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value};

/// Most different patterns and formats of a schema in which one text may have to meet several: each further one doubles
/// the compiler's time and memory. 8 take up to 30 ms.
const MOST_PATTERNS: usize = 8;

/// Most different names in `patternProperties`: they are compared in pairs. 50 take 30 ms.
const MOST_PATTERN_PROPERTIES: usize = 50;

/// Most names in `properties` of an object that may have other names too. 2,000 take 250 ms.
const MOST_PROPERTIES: usize = 2_000;

/// Largest `multipleOf`, without decimal point, and largest least common multiple of several that one number may have
/// to meet: each remainder is a state. 10,000 take 50 ms and 10 MB.
const MOST_REMAINDERS: u64 = 10_000;

/// Most remainders of all different `multipleOf` of a schema.
const ALL_REMAINDERS: u64 = 50_000;

/// Most decimals of one, for the compiler's arithmetic.
const MOST_DECIMALS: u32 = 8;

/// Most characters that the different lengths of texts and the repetitions in patterns have together. Each takes up to
/// 12 states of the lexer, where tokens are pieces of characters and of escapes.
const MOST_CHARACTERS: u64 = 4_000;

/// Keywords that hold a schema for each name.
pub(super) const MAPS: [&str; 4] = ["$defs", "definitions", "properties", "patternProperties"];

/// Keywords of [`MAPS`] whose schemas only define names.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Keywords that hold a schema for parts of a value, or a list of them.
const PARTS: [&str; 5] = ["additionalProperties", "propertyNames", "items", "prefixItems", "additionalItems"];

/// Checks the bounds of a schema; the error names the keyword.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let mut walk = Walk {
        root: schema,
        known: HashMap::new(),
        patterns: BTreeSet::new(),
        property_patterns: BTreeSet::new(),
        lengths: BTreeSet::new(),
        characters: 0,
        multiples: BTreeSet::new(),
        joins: Keywords::default(),
    };
    walk.schema(schema)?;
    let number = walk.patterns.len();
    if walk.joins.patterns && number > MOST_PATTERNS {
        return Err(format!(
            "`pattern`: it has {number} different patterns and formats; where `allOf`, `anyOf`, `oneOf` or `$ref` may \
             ask one text for several, there may be {MOST_PATTERNS}: write several as one"
        ));
    }
    let mut multiples = walk.multiples.iter().copied();
    let first = multiples.next();
    let joined = first.and_then(|first| multiples.try_fold(first, Multiple::joined));
    if walk.joins.multiples && joined.is_none_or(|joined| joined.whole > MOST_REMAINDERS) {
        return Err(format!(
            "`multipleOf`: where `allOf`, `anyOf`, `oneOf` or `$ref` may ask one number for several, the least common \
             multiple of all may be {MOST_REMAINDERS} at most, without its decimal point"
        ));
    }
    Ok(())
}

/// Expensive keywords of a schema, its subschemas included.
#[derive(Clone, Copy, Default)]
struct Keywords {
    patterns: bool,
    multiples: bool,
}

impl Keywords {
    fn or(self, other: Self) -> Self {
        Self { patterns: self.patterns || other.patterns, multiples: self.multiples || other.multiples }
    }
}

/// Numbers of parts of a schema that have something, which one value may have to meet together.
#[derive(Clone, Copy, Default)]
struct Parts {
    patterns: usize,
    multiples: usize,
}

impl Parts {
    fn add(&mut self, found: Keywords) {
        self.patterns += usize::from(found.patterns);
        self.multiples += usize::from(found.multiples);
    }

    /// Keywords that more than `number` parts have.
    fn more_than(self, number: usize) -> Keywords {
        Keywords { patterns: self.patterns > number, multiples: self.multiples > number }
    }
}

/// Expensive keywords found so far.
struct Walk<'a> {
    root: &'a Value,
    /// The keywords of each schema, by its address.
    known: HashMap<*const Value, Keywords>,
    patterns: BTreeSet<&'a str>,
    property_patterns: BTreeSet<&'a str>,
    /// Pattern, `minLength` and `maxLength` of texts.
    lengths: BTreeSet<(&'a str, u64, u64)>,
    /// Their characters together.
    characters: u64,
    multiples: BTreeSet<Multiple>,
    /// The keywords that one value may have to satisfy from several schemas at once.
    joins: Keywords,
}

impl<'a> Walk<'a> {
    /// Checks a schema and what it refers to. Returns what is in it.
    fn schema(&mut self, schema: &'a Value) -> Result<Keywords, String> {
        let Value::Object(object) = schema else { return Ok(Keywords::default()) };
        if let Some(&known) = self.known.get(&std::ptr::from_ref(schema)) {
            return Ok(known);
        }
        // A circle of references counts as one that has all.
        self.known.insert(schema, Keywords { patterns: true, multiples: true });
        self.keywords(object)?;
        let has = |name: &str| object.contains_key(name);
        let mut own = Parts::default();
        own.add(Keywords { patterns: has("pattern") || has("format"), multiples: has("multipleOf") });
        for name in MAPS.into_iter().filter(|name| has(name)) {
            let found = self.any(object[name].as_object().into_iter().flat_map(Map::values))?;
            if !DEFINITIONS.contains(&name) {
                own.add(found);
            }
        }
        if has("patternProperties") {
            // A property may have to meet its own schema and that of a pattern.
            self.joins = self.joins.or(own.more_than(1));
        }
        for name in PARTS.into_iter().filter(|name| has(name)) {
            own.add(self.any(list(&object[name]))?);
        }
        let mut conditions = Parts::default();
        conditions.add(own.more_than(0));
        for member in object.get("allOf").into_iter().flat_map(list) {
            conditions.add(self.schema(member)?);
        }
        for name in ["anyOf", "oneOf"].into_iter().filter(|name| has(name)) {
            conditions.add(self.any(list(&object[name]))?);
        }
        if let Some(target) = object.get("$ref").and_then(|place| resolve(self.root, place.as_str()?)) {
            conditions.add(self.schema(target)?);
        }
        self.joins = self.joins.or(conditions.more_than(1));
        self.known.insert(schema, conditions.more_than(0));
        Ok(conditions.more_than(0))
    }

    /// Checks schemas. Returns what any of them has.
    fn any(&mut self, schemas: impl Iterator<Item = &'a Value>) -> Result<Keywords, String> {
        let mut found = Keywords::default();
        for schema in schemas {
            found = found.or(self.schema(schema)?);
        }
        Ok(found)
    }

    /// Counts the keywords of one schema.
    fn keywords(&mut self, object: &'a Map<String, Value>) -> Result<(), String> {
        if object.contains_key("x-guidance") {
            return Err("`x-guidance` would change how JSON is written; leave it out of the schema".into());
        }
        self.patterns.extend(["pattern", "format"].iter().filter_map(|name| object.get(*name)?.as_str()));
        let names = object.get("properties").and_then(Value::as_object).map_or(0, Map::len);
        if names > MOST_PROPERTIES && object.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(format!(
                "`properties`: an object with {names} names, more than {MOST_PROPERTIES}, needs \
                 `additionalProperties`: false"
            ));
        }
        let patterns = object.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
        self.property_patterns.extend(patterns.map(|(pattern, _)| pattern.as_str()));
        if self.property_patterns.len() > MOST_PATTERN_PROPERTIES {
            return Err(format!("`patternProperties`: more than {MOST_PATTERN_PROPERTIES} patterns; join some"));
        }
        if let Some(value) = object.get("multipleOf").and_then(Value::as_f64) {
            self.multiple_of(value)?;
        }
        self.lengths(object)
    }

    fn multiple_of(&mut self, value: f64) -> Result<(), String> {
        if value <= 0.0 {
            return Err(format!("`multipleOf`: {value} is not above 0"));
        }
        // One with too many digits is refused by the compiler itself.
        let Some(multiple) = Multiple::of(value) else { return Ok(()) };
        self.multiples.insert(multiple);
        let all: u64 = self.multiples.iter().map(|multiple| multiple.whole).sum();
        if multiple.whole > MOST_REMAINDERS || multiple.decimals > MOST_DECIMALS || all > ALL_REMAINDERS {
            return Err(format!(
                "`multipleOf`: {value} takes too much work; without decimal point it may be {MOST_REMAINDERS} at most, \
                 with {MOST_DECIMALS} decimals, and the different ones of a schema {ALL_REMAINDERS} together"
            ));
        }
        Ok(())
    }

    fn lengths(&mut self, object: &'a Map<String, Value>) -> Result<(), String> {
        let number = |name: &str| object.get(name).and_then(Value::as_u64).unwrap_or(0);
        let pattern = object.get("pattern").and_then(Value::as_str).unwrap_or_default();
        let (least, most) = (number("minLength"), number("maxLength"));
        if !self.lengths.insert((pattern, least, most)) {
            return Ok(());
        }
        let repeated = repetitions(pattern);
        self.characters = self.characters.saturating_add(least.max(most)).saturating_add(repeated);
        if self.characters <= MOST_CHARACTERS {
            return Ok(());
        }
        let keyword = match (repeated > least.max(most), most > 0) {
            (true, _) => "pattern",
            (false, true) => "maxLength",
            (false, false) => "minLength",
        };
        Err(format!(
            "`{keyword}`: the different lengths of texts in a schema, with the repetitions in patterns, may be \
             {MOST_CHARACTERS} characters together; give smaller ones or none, and limit the tokens instead"
        ))
    }
}

/// The schemas of a list, or one alone.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Value::Array(many) => (&many[..], None),
        one => (&[][..], Some(one)),
    };
    many.iter().chain(one)
}

/// The target of a reference, as the compiler finds it.
fn resolve<'a>(root: &'a Value, place: &str) -> Option<&'a Value> {
    let path = place.strip_prefix('#')?;
    if path.is_empty() || path == "/" {
        return Some(root);
    }
    path.strip_prefix('/')?.split('/').try_fold(root, |value, part| match value {
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    })
}

/// A decimal number: `whole` / 10^`decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Multiple {
    whole: u64,
    decimals: u32,
}

impl Multiple {
    /// A number as the compiler reads it; `None` when it has more digits than that takes.
    fn of(mut value: f64) -> Option<Self> {
        let mut decimals = 0;
        while value.fract() != 0.0 {
            (value, decimals) = (value * 10.0, decimals + 1);
        }
        (value <= f64::from(u32::MAX)).then_some(Self { whole: value as u64, decimals })
    }

    /// The least common multiple of two; `None` where the compiler's numbers do not hold it.
    fn joined(self, other: Self) -> Option<Self> {
        let decimals = self.decimals.max(other.decimals);
        let scaled = |one: Self| one.whole.checked_mul(10_u64.checked_pow(decimals - one.decimals)?);
        let (a, b) = (scaled(self)?, scaled(other)?);
        u32::try_from(a.checked_mul(b)?).ok()?;
        let (mut divisor, mut rest) = (a, b);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        let mut joined = Self { whole: a / divisor * b, decimals };
        while joined.decimals > 0 && joined.whole.is_multiple_of(10) {
            joined = Self { whole: joined.whole / 10, decimals: joined.decimals - 1 };
        }
        Some(joined)
    }
}

/// Characters that the counted repetitions of a regular expression, such as `{3,20}`, add to it.
fn repetitions(pattern: &str) -> u64 {
    let mut rest = pattern.chars().peekable();
    // Characters of the open groups, and of what a repetition would repeat.
    let (mut groups, mut last, mut added) = (vec![0_u64], 0, 0_u64);
    while let Some(next) = rest.next() {
        let mut more = 1;
        match next {
            '(' => {
                groups.push(0);
                continue;
            }
            ')' if groups.len() > 1 => more = groups.pop().unwrap_or(0),
            '\\' => skip_escape(&mut rest),
            '[' => skip_class(&mut rest),
            '{' => {
                let count: String = rest.by_ref().take_while(|next| *next != '}').collect();
                let most = count.split(',').filter_map(|number| number.trim().parse::<u64>().ok()).max();
                more = most.map_or(0, |most| most.saturating_sub(1).saturating_mul(last));
                added = added.saturating_add(more);
            }
            _ => {}
        }
        last = more;
        let group = groups.last_mut().expect("the outermost group stays");
        *group = group.saturating_add(more);
    }
    added
}

/// Skips what a backslash escapes, with the name or number in braces of `\\p{L}` and `\\x{41}`.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    let has_name = matches!(rest.next(), Some('p' | 'P' | 'x' | 'u' | 'U'));
    if has_name && rest.peek() == Some(&'{') {
        rest.by_ref().take_while(|next| *next != '}').for_each(drop);
    }
}

/// Skips the rest of a class of characters, in which a bracket that comes first is one of them.
fn skip_class(rest: &mut Peekable<Chars<'_>>) {
    rest.next_if_eq(&'^');
    rest.next_if_eq(&']');
    while let Some(next) = rest.next().filter(|next| *next != ']') {
        if next == '\\' {
            rest.next();
        }
    }
}

#[cfg(test)]
mod tests;
