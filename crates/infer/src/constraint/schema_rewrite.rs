//! JSON schemas in the form in which the compiler enforces them exactly: its numbers are f64 and i64, its ranges
//! overflow near the limits of i64 and let 0 through an exclusive bound, and its dates know no years. What it cannot
//! hold is refused by name.

use serde_json::{Map, Number, Value, json};

use super::schema_bounds::MAPS;

/// Largest bound of a range that numbers may come near to, the largest f64 below 2⁶³. A wider range ends here.
const FARTHEST: f64 = 9_223_372_036_854_774_784.0;

/// Numbers that must be larger cannot be written by the compiler.
const MOST_LEAST: f64 = 1e18;

/// Smallest bound beside 0. An exclusive bound of 0 is this.
const SMALLEST: f64 = 1e-30;

/// The integer below which an f64 holds every one.
const EXACT: f64 = 9_007_199_254_740_992.0;

const BOUNDS: [&str; 4] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

/// The schema with keywords that the compiler enforces exactly. What it allows is valid under the first.
///
/// # Errors
/// Names a keyword whose number the compiler cannot hold.
pub(super) fn rewritten(schema: &Value) -> Result<Value, String> {
    Ok(match schema {
        Value::Object(object) => Value::Object(rewritten_object(object)?),
        Value::Array(list) => Value::Array(list.iter().map(rewritten).collect::<Result<_, _>>()?),
        other => other.clone(),
    })
}

/// A grammar in which the schemas after `%json` are rewritten.
pub(super) fn rewritten_lark(grammar: &str) -> Result<String, String> {
    let (mut result, mut rest) = (String::new(), grammar);
    while let Some(at) = rest.find("%json") {
        let (before, json) = rest.split_at(at + "%json".len());
        result.push_str(before);
        rest = json;
        let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
        if let Some(Ok(schema)) = values.next() {
            let new = rewritten(&schema)?;
            if new != schema {
                result.push(' ');
                result.push_str(&new.to_string());
                rest = &json[values.byte_offset()..];
            }
        }
    }
    result.push_str(rest);
    Ok(result)
}

/// A reference may lead to any object of the schema, so all are taken for schemas but the maps of names.
fn rewritten_object(object: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut result = Map::new();
    let mut bounds = Some(bounds(object)?);
    for (name, value) in object {
        match (name.as_str(), value) {
            (name, Value::Number(_) | Value::Bool(_)) if BOUNDS.contains(&name) => {
                result.extend(bounds.take().into_iter().flatten());
            }
            ("const" | "enum", value) => {
                exact(name, value)?;
                result.insert(name.clone(), value.clone());
            }
            (name, Value::Object(named)) if MAPS.contains(&name) => {
                let named = named.iter().map(|(key, schema)| Ok((key.clone(), rewritten(schema)?)));
                result.insert(name.to_owned(), Value::Object(named.collect::<Result<_, String>>()?));
            }
            _ => {
                result.insert(name.clone(), rewritten(value)?);
            }
        }
    }
    let format = object.get("format").and_then(Value::as_str);
    match format.and_then(pattern_of_format) {
        Some(pattern) => {
            result.shift_remove("format");
            add_pattern(&mut result, &pattern);
        }
        // Its compiler bounds the labels only.
        None if format == Some("hostname") => add_pattern(&mut result, "^.{0,253}$"),
        None => {}
    }
    Ok(result)
}

/// Adds a pattern to those that a text must have.
fn add_pattern(schema: &mut Map<String, Value>, pattern: &str) {
    if !schema.contains_key("pattern") {
        schema.insert("pattern".into(), pattern.into());
    } else if let Some(all) = schema.entry("allOf").or_insert_with(|| json!([])).as_array_mut() {
        all.push(json!({"pattern": pattern}));
    }
}

/// The bounds of an object without exclusive ones.
fn bounds(object: &Map<String, Value>) -> Result<Vec<(String, Value)>, String> {
    let mut result = vec![];
    for (name, exclusive_name, sign) in [("minimum", "exclusiveMinimum", 1.0), ("maximum", "exclusiveMaximum", -1.0)] {
        let inclusive = object.get(name).and_then(Value::as_number);
        let (exclusive, is_exclusive) = match object.get(exclusive_name) {
            // As the fourth draft has it.
            Some(Value::Bool(exclusive)) => (None, *exclusive),
            other => (other.and_then(Value::as_number), false),
        };
        let inclusive = inclusive.map(|number| (name, number, is_exclusive));
        let exclusive = exclusive.map(|number| (exclusive_name, number, true));
        let mut tightest: Option<f64> = None;
        for (keyword, number, exclusive) in inclusive.into_iter().chain(exclusive) {
            let least = least(number, sign, exclusive).ok_or_else(|| {
                let bounded = if sign > 0.0 { "above" } else { "below" };
                format!(
                    "`{keyword}`: numbers {bounded} {number} have too many digits; 18 before the point are the most"
                )
            })?;
            tightest = Some(tightest.map_or(least, |other| other.max(least)));
        }
        let same = |bound: f64| inclusive.filter(|(_, number, _)| is_exactly(number, bound)).map(|(_, n, _)| n.clone());
        if let Some(bound) = tightest.map(|least| least * sign) {
            let number = same(bound).or_else(|| Number::from_f64(bound));
            result.extend(number.map(|number| (name.to_owned(), Value::Number(number))));
        }
    }
    Ok(result)
}

/// The value of an integer that was written without point or exponent.
fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn is_exactly(number: &Number, value: f64) -> bool {
    integer(number)
        .map_or_else(|| number.as_f64() == Some(value), |integer| value.fract() == 0.0 && value as i128 == integer)
}

/// The least number that a minimum allows, rounded up to one that the compiler's ranges hold; `None` where they hold
/// none. A maximum is the minimum of the numbers with the other sign.
fn least(number: &Number, sign: f64, exclusive: bool) -> Option<f64> {
    let value = number.as_f64()? * sign;
    if !(-FARTHEST..MOST_LEAST).contains(&value) {
        return (value < 0.0).then_some(-FARTHEST);
    }
    if value.abs() >= EXACT {
        let target = integer(number).map_or(value as i128, |integer| integer * sign as i128) + i128::from(exclusive);
        let mut least = value;
        // The compiler may write the shortest digits that are read as this number, with zeros.
        while [Ok(least as i128), least.to_string().parse()].iter().flatten().any(|written| *written < target) {
            least = least.next_up();
        }
        return Some(least);
    }
    let least = if exclusive { value.next_up() } else { value };
    Some(match least {
        _ if exclusive && value == 0.0 => SMALLEST,
        least if least > 0.0 => least.max(SMALLEST),
        least if least > -SMALLEST => 0.0,
        least => least,
    })
}

/// Checks that a number of a constant is one that the compiler writes as it is.
fn exact(keyword: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) if number.as_f64().is_none_or(|value| value.abs() >= EXACT) => Err(format!(
            "`{keyword}`: {number} has a size of 2^53 or more, where numbers are not exact; ask for a text of digits"
        )),
        Value::Array(list) => list.iter().try_for_each(|value| exact(keyword, value)),
        Value::Object(object) => object.values().try_for_each(|value| exact(keyword, value)),
        _ => Ok(()),
    }
}

/// A pattern of a format whose own one allows texts that are not of it: days that are not in the calendar, leap seconds
/// wherever they are, and the year 0.
fn pattern_of_format(format: &str) -> Option<String> {
    let year = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)";
    let leap = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)";
    let days = [
        "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])",
        "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)",
        "02-(?:0[1-9]|1[0-9]|2[0-8])",
    ];
    let date = format!("(?:{year}-(?:{})|{leap}-02-29)", days.join("|"));
    let hours = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
    let time = format!("{hours}:[0-5][0-9](?:\\.[0-9]+)?(?:[zZ]|[+-]{hours})");
    match format {
        "date" => Some(format!("^{date}$")),
        "time" => Some(format!("^{time}$")),
        "date-time" => Some(format!("^{date}[tT]{time}$")),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
