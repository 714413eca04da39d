//! Checks of a configuration's numbers.

use fireclay_train::{TrainError, check_32_bits};

fn check(good: bool, key: &'static str, value: &dyn ToString, expected: &'static str) -> Result<(), TrainError> {
    if good { Ok(()) } else { Err(TrainError::Config { key, value: value.to_string(), expected }) }
}

pub(crate) fn positive(key: &'static str, value: f64) -> Result<(), TrainError> {
    check(value > 0.0 && value.is_finite(), key, &value, "a positive number")?;
    check_32_bits(key, value)
}

pub(crate) fn not_negative(key: &'static str, value: f64) -> Result<(), TrainError> {
    check(value >= 0.0 && value.is_finite(), key, &value, "0 or a positive number")?;
    check_32_bits(key, value)
}

pub(crate) fn fraction(key: &'static str, value: f64) -> Result<(), TrainError> {
    check((0.0..=1.0).contains(&value), key, &value, "a fraction between 0 and 1")
}

/// Checks a decay rate or a clip, which must be below 1.
pub(crate) fn below_one(key: &'static str, value: f64) -> Result<(), TrainError> {
    check((0.0..1.0).contains(&value), key, &value, "at least 0 and less than 1")
}

pub(crate) fn one_or_more(key: &'static str, value: u64) -> Result<(), TrainError> {
    check(value > 0, key, &value, "1 or more")
}
