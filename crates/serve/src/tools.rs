//! Function tools, for models whose chat template supports them.

use std::iter;

use fireclay_infer::{Constraint, check_schema};
use serde_json::{Value, json};

use crate::call_grammar::{CallCount, Callable, grammar};
use crate::calls::Splitter;
use crate::error::ApiError;

/// The tools of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Tools {
    /// As the chat template takes them.
    pub shown: Vec<Value>,
    /// The grammar of a reply, where its calls are constrained: by a strict function, a choice, or their number.
    pub constraint: Option<Constraint>,
    /// Whether a reply begins with a call.
    pub is_forced: bool,
}

/// Functions that a reply may or must call.
enum Choice<'a> {
    /// Any of them, or none, as the model chooses.
    Auto,
    /// One or several.
    Required,
    /// This one.
    Named(&'a str),
}

impl Tools {
    /// The tools that the template is given, if any. `choice` is the field `tool_choice`, `parallel` is
    /// `parallel_tool_calls`.
    ///
    /// # Errors
    /// 400 for a tool that is no function, and for a choice of a function that is none of the tools.
    pub fn offered(
        tools: Option<Vec<Value>>,
        choice: Option<&Value>,
        parallel: Option<bool>,
    ) -> Result<Option<Self>, ApiError> {
        let Some(choice) = choice_of(choice)? else { return Ok(None) };
        let tools = tools.unwrap_or_default();
        for (index, tool) in tools.iter().enumerate() {
            check(&format!("tools[{index}]"), tool)?;
        }
        let shown: Vec<Value> = tools.iter().map(nested).collect();
        let name = |tool: &Value| tool["function"]["name"].as_str().unwrap_or_default().to_owned();
        let is_possible = match choice {
            Choice::Auto => true,
            Choice::Required => !shown.is_empty(),
            Choice::Named(wanted) => shown.iter().any(|tool| name(tool) == wanted),
        };
        if !is_possible {
            return Err(wrong("tool_choice", "`tools` has no such function"));
        }
        if shown.is_empty() {
            return Ok(None);
        }
        let is_strict = |tool: &Value| function(tool)["strict"] == true;
        let callable = |(tool, shown): (&Value, &Value)| {
            let schema = function(tool)["parameters"].as_object().filter(|_| is_strict(tool)).cloned();
            let schema = schema.unwrap_or_else(|| iter::once(("type".to_owned(), Value::from("object"))).collect());
            Callable { name: name(shown), schema }
        };
        let mut functions: Vec<Callable> = tools.iter().zip(&shown).map(callable).collect();
        if let Choice::Named(wanted) = choice {
            functions.retain(|function| function.name == wanted);
        }
        let is_held = parallel == Some(false) || !matches!(choice, Choice::Auto) || tools.iter().any(is_strict);
        let is_forced = !matches!(choice, Choice::Auto);
        let one = parallel == Some(false) || matches!(choice, Choice::Named(_));
        let count = CallCount { at_once: is_forced, one };
        let constraint = is_held.then(|| Constraint::Lark(grammar(&functions, count)));
        Ok(Some(Self { shown, constraint, is_forced }))
    }

    /// Finds the calls in a reply.
    pub fn splitter(&self) -> Splitter {
        if self.is_forced { Splitter::of_forced_calls() } else { Splitter::default() }
    }
}

/// The choice of a request; `None` where no tool is to be called.
fn choice_of(choice: Option<&Value>) -> Result<Option<Choice<'_>>, ApiError> {
    let known = "give auto, none, required, or {\"type\": \"function\"} with a function's name";
    Ok(match choice {
        None => Some(Choice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Some(Choice::Auto),
            "none" => None,
            "required" => Some(Choice::Required),
            _ => return Err(wrong("tool_choice", known)),
        },
        Some(choice) if choice["type"] == "function" => match function(choice)["name"].as_str() {
            Some(name) => Some(Choice::Named(name)),
            None => return Err(wrong("tool_choice", "name the function")),
        },
        Some(choice) if choice.is_object() => {
            return Err(ApiError::unsupported("tool_choice", known));
        }
        Some(_) => return Err(wrong("tool_choice", known)),
    })
}

/// The function of a tool: in an object of its own, as in chat completions, or beside the type, as in responses.
fn function(tool: &Value) -> &Value {
    tool.get("function").filter(|function| !function.is_null()).unwrap_or(tool)
}

/// A tool as chat templates take it: the function in an object of its own, with what the model reads of it.
fn nested(tool: &Value) -> Value {
    let mut function = function(tool).as_object().cloned().unwrap_or_default();
    function.retain(|field, value| !["type", "strict"].contains(&field.as_str()) && !value.is_null());
    json!({"type": "function", "function": function})
}

fn wrong(place: &str, why: &str) -> ApiError {
    ApiError::invalid(format!("`{place}`: {why}")).with_param(place)
}

/// Refuses tools that are not functions, fields that are unknown or of another type, and schemas beyond the bounds.
fn check(place: &str, tool: &Value) -> Result<(), ApiError> {
    let unknown = |place: String| Err(wrong(&place, "unknown field").with_code("unknown_parameter"));
    if !tool.is_object() {
        return Err(wrong(place, "give an object"));
    }
    if tool["type"] != "function" {
        return Err(ApiError::unsupported(&format!("{place}.type"), "only tools of type function are supported"));
    }
    let function = function(tool);
    let within = if std::ptr::eq(function, tool) { place.to_owned() } else { format!("{place}.function") };
    let mut beside = tool.as_object().into_iter().flatten().filter(|_| within != place);
    if let Some((name, _)) =
        beside.find(|(name, value)| !value.is_null() && !["type", "function"].contains(&name.as_str()))
    {
        return unknown(format!("{place}.{name}"));
    }
    if function["name"].as_str().is_none_or(str::is_empty) {
        return Err(wrong(&format!("{within}.name"), "give the function's name"));
    }
    for (name, value) in function.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let why = match name.as_str() {
            "type" if within == place => continue,
            "description" if value.is_string() => continue,
            "description" => "give a text",
            "parameters" if !value.is_object() => "give a JSON schema, an object",
            "parameters" if function["strict"] == true && value["type"] != "object" => {
                "of a strict function: give a schema of type object"
            }
            "name" | "parameters" => continue,
            "strict" if value.is_boolean() => continue,
            "strict" => "give true or false",
            _ => return unknown(format!("{within}.{name}")),
        };
        return Err(wrong(&format!("{within}.{name}"), why));
    }
    match function.get("parameters").filter(|_| function["strict"] == true) {
        Some(schema) if schema.is_object() => {
            check_schema(schema).map_err(|error| ApiError::of_infer(&error).with_param(format!("{within}.parameters")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(tool: &Value, choice: Option<&Value>, parallel: Option<bool>) -> Result<Option<Tools>, ApiError> {
        Tools::offered(Some(vec![tool.clone()]), choice, parallel)
    }

    #[test]
    fn a_reply_is_held_to_what_was_asked() {
        let tool = json!({"type": "function", "function": {"name": "f"}});
        let is_held = |choice: Option<Value>, parallel| {
            offered(&tool, choice.as_ref(), parallel).unwrap().map(|tools| tools.constraint.is_some())
        };
        let named = |name: &str| Some(json!({"type": "function", "function": {"name": name}}));
        assert_eq!(is_held(None, None), Some(false));
        assert_eq!(is_held(Some("auto".into()), Some(true)), Some(false));
        assert_eq!(is_held(Some("none".into()), Some(false)), None);
        assert_eq!(is_held(Some("required".into()), None), Some(true));
        assert_eq!(is_held(named("f"), None), Some(true));
        assert_eq!(is_held(Some(json!({"type": "function", "name": "f"})), None), Some(true));
        assert_eq!(is_held(None, Some(false)), Some(true));
        let wrong = [Some("any".into()), Some(json!(1)), Some(json!({"type": "function"})), named("g")];
        for choice in wrong.into_iter().chain([Some(json!({"type": "allowed_tools"}))]) {
            let object = offered(&tool, choice.as_ref(), None).unwrap_err().object();
            assert_eq!(object["error"]["param"], "tool_choice", "{object}");
        }
        assert!(Tools::offered(None, Some(&"required".into()), None).is_err());
        assert_eq!(Tools::offered(Some(vec![]), Some(&"auto".into()), None), Ok(None));
    }

    #[test]
    fn what_a_tool_asks_beyond_what_is_done_is_named() {
        let parameters = json!({"type": "object"});
        let whole = json!({"name": "f", "description": "d", "parameters": parameters});
        let mut flat = whole.clone();
        (flat["type"], flat["strict"]) = ("function".into(), true.into());
        let nested = json!({"type": "function", "function": whole});
        let shown = |tool: &Value| offered(tool, None, None).unwrap().unwrap().shown;
        assert_eq!(shown(&nested), std::slice::from_ref(&nested));
        assert_eq!(shown(&flat), [nested]);
        for (field, value, param) in [
            ("type", json!("web_search"), "tools[0].type"),
            ("name", json!(""), "tools[0].name"),
            ("strict", json!("yes"), "tools[0].strict"),
            ("parameters", json!([]), "tools[0].parameters"),
            ("parameters", json!({"type": "array"}), "tools[0].parameters"),
            ("colour", json!("red"), "tools[0].colour"),
        ] {
            let mut tool = flat.clone();
            tool[field] = value.clone();
            let object = offered(&tool, None, None).unwrap_err().object();
            assert_eq!(object["error"]["param"], param, "{value} {object}");
        }
        let beside = json!({"type": "function", "strict": false, "function": {"name": "f"}});
        assert_eq!(offered(&beside, None, None).unwrap_err().object()["error"]["param"], "tools[0].strict");
    }
}
