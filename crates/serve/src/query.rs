//! Queries of addresses: [`Query`], which refuses unknown fields by name.

use std::ops::RangeInclusive;

use axum::extract::{FromRequestParts, Query as Pairs, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;

/// Fields of a query.
pub trait FromQuery: Sized {
    /// Their names.
    const FIELDS: &'static [&'static str];
    /// Those that may occur several times, also as `name[]`.
    const LISTS: &'static [&'static str] = &[];
    /// Unsupported fields of similar APIs, with the reason or a replacement.
    const REFUSED: &'static [(&'static str, &'static str)] = &[];

    /// Reads the fields, all of which are known and, but for lists, occur once.
    ///
    /// # Errors
    /// 400 names the invalid field.
    fn of(fields: &Fields) -> Result<Self, ApiError>;
}

/// The query of a request's address.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let fields = Fields::of(parts)?;
        fields.check(T::FIELDS, T::LISTS, T::REFUSED)?;
        Ok(Self(T::of(&fields)?))
    }
}

/// Names and values of a query.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    fn of(parts: &Parts) -> Result<Self, ApiError> {
        let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Pairs(pairs) = pairs.map_err(|_| ApiError::invalid("the query of the address cannot be read"))?;
        Ok(Self(pairs))
    }

    fn check(&self, known: &[&str], lists: &[&str], refused: &[(&str, &str)]) -> Result<(), ApiError> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            let plain = plain(name);
            if lists.contains(&plain) {
                continue;
            }
            if let Some((_, why)) = refused.iter().find(|(field, _)| *field == plain) {
                return Err(ApiError::unsupported(plain, why));
            }
            if !known.contains(&name.as_str()) {
                let told = match known {
                    [] => "this route takes none".to_owned(),
                    known => format!("this route takes {}", known.join(", ")),
                };
                let message = format!("unknown field `{name}` in the query; {told}");
                return Err(ApiError::invalid(message).with_param(name).with_code("unknown_parameter"));
            }
            if self.0[..index].iter().any(|(other, _)| other == name) {
                return Err(ApiError::invalid(format!("`{name}` occurs twice in the query")).with_param(name));
            }
        }
        Ok(())
    }

    /// The value of a field, if it is given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The values of a list.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| plain(other) == name).map(|(_, value)| value.as_str())
    }

    /// A whole number in this range.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // A sign is no part of a count, also where `parse` takes one.
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|text| text.parse().ok()).filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        let wrong = || ApiError::invalid(format!("`{name}` is from {least} to {most}")).with_param(name);
        number.map(Some).ok_or_else(wrong)
    }

    /// One of these words.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn one_of<'a>(&self, name: &str, words: &[&'a str]) -> Result<Option<&'a str>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let known = words.iter().find(|word| **word == text).copied();
        let wrong = || ApiError::invalid(format!("`{name}`: give {}", words.join(" or "))).with_param(name);
        known.map(Some).ok_or_else(wrong)
    }
}

/// The name of a field, whose values `OpenAI`'s clients write as `name[]` if there may be several.
fn plain(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

/// Refuses a query, on routes that take none.
pub async fn refuse_query(request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    Fields::of(&parts)?.check(&[], &[], &[])?;
    Ok(next.run(Request::from_parts(parts, body)).await)
}
