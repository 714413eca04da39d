//! Settings beside a tokenizer.json: roles of special tokens, and chat templates.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use tokenizers::AddedToken;

use crate::chat::template::ChatTemplate;
use crate::text_file::{read, read_object};
use crate::{TokenizerError, special_map};

/// Our own key of `tokenizer_config.json`: end-of-text ids of the model's files. Other programs ignore it.
const STOP_IDS: &str = "fireclay_stop_ids";

/// The keys of `tokenizer_config.json` as they were read, so that saving loses none, and the chat templates by name.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    config: Map<String, Value>,
    templates: Vec<(String, ChatTemplate)>,
    /// The time for `strftime_now` in chat templates; the present if `None`. It is not saved.
    pub(crate) now: Option<SystemTime>,
    /// The file that the tokenizer is from.
    origin: Option<PathBuf>,
}

impl Settings {
    /// For a tokenizer that came without a `tokenizer_config.json`.
    pub(crate) fn generated(end_of_text: Option<&str>, unknown: Option<&str>) -> Self {
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": end_of_text,
            "eos_token": end_of_text,
            "pad_token": end_of_text,
            "unk_token": unknown,
            "clean_up_tokenization_spaces": false,
            "model_max_length": 1_000_000_000_000_000_019_884_624_838_656_f64,
        });
        let Value::Object(config) = config else { unreachable!("json! made an object") };
        Self { config, ..Self::default() }
    }

    /// Fills in defaults for a tokenizer without a `tokenizer_config.json`; settings of other files are kept.
    pub(crate) fn fill_in(&mut self, end_of_text: Option<&str>) {
        for (key, value) in Self::generated(end_of_text, None).config {
            self.config.entry(key).or_insert(value);
        }
    }

    /// Adds the end-of-text ids of the model beside the tokenizer. The reader of the model reports errors in its files.
    fn add_stop_ids(&mut self, folder: &Path) {
        let mut ids = self.stop_ids();
        for file in ["generation_config.json", "config.json"] {
            let object = read_object(&folder.join(file)).unwrap_or_default();
            let found = match object.get("eos_token_id") {
                Some(Value::Array(list)) => list.clone(),
                Some(one) => vec![one.clone()],
                None => vec![],
            };
            for id in found.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()) {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        if !ids.is_empty() {
            self.config.insert(STOP_IDS.to_owned(), json!(ids));
        }
    }

    /// Further ids that end a text, as the model said that the tokenizer came with.
    pub(crate) fn stop_ids(&self) -> Vec<u32> {
        let listed = self.config.get(STOP_IDS).and_then(Value::as_array).into_iter().flatten();
        listed.filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect()
    }

    /// Makes the tokens of `added_tokens.json` (spelling → id) an `added_tokens_decoder`, as `transformers` does:
    /// special where a role such as `eos_token` names them. Where `tokenizer_config.json` has a list of its own, the
    /// file is not read.
    pub(crate) fn read_added_tokens(&mut self, folder: &Path) -> Result<(), TokenizerError> {
        let path = folder.join("added_tokens.json");
        let tokens = read_object(&path)?;
        if special_map::lists_added_tokens(&self.config) {
            special_map::warn_of_unlisted(&self.config, &path, tokens.keys().map(String::as_str));
            return Ok(());
        }
        if tokens.is_empty() {
            return Ok(());
        }
        let mut special: Vec<String> = self.special_roles().map(|(_, token)| token.to_owned()).collect();
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            let listed = self.config.get(key).and_then(Value::as_array).into_iter().flatten();
            special
                .extend(listed.filter_map(|token| Some(token.as_str().or(token.get("content")?.as_str())?.to_owned())));
        }
        let decoder = self.config.entry("added_tokens_decoder").or_insert_with(|| json!({}));
        let wrong = || TokenizerError::invalid(&path, "expected an object of token and id");
        let decoder = decoder.as_object_mut().ok_or_else(wrong)?;
        for (token, id) in tokens {
            let id = id.as_u64().ok_or_else(wrong)?;
            let special = special.contains(&token);
            decoder.entry(id.to_string()).or_insert_with(|| {
                json!({"content": token, "lstrip": false, "normalized": !special, "rstrip": false,
                       "single_word": false, "special": special})
            });
        }
        Ok(())
    }

    /// Replaces the ids that end a text.
    pub(crate) fn set_stop_ids(&mut self, ids: &[u32]) {
        self.config.insert(STOP_IDS.to_owned(), json!(ids));
    }

    pub(crate) fn set_flag(&mut self, key: &str, flag: bool) {
        self.config.insert(key.to_owned(), json!(flag));
    }

    /// Boolean value of `key` in `tokenizer_config.json`, if it has one.
    pub(crate) fn stated(&self, key: &str) -> Option<bool> {
        self.config.get(key).and_then(Value::as_bool)
    }

    /// Whether `tokenizer_config.json` has `key` set to true.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.config.get(key).and_then(Value::as_bool) == Some(true)
    }

    /// The same, with the path of the tokenizer's file.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        Self { origin: Some(path.to_owned()), ..self }
    }

    /// The file that the tokenizer was loaded from, if any.
    pub(crate) fn origin(&self) -> Option<&Path> {
        self.origin.as_deref()
    }

    /// Reads the files beside a tokenizer; all are optional.
    pub(crate) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let mut settings = Self { config: read_object(&folder.join("tokenizer_config.json"))?, ..Self::default() };
        settings.add_stop_ids(folder);
        special_map::merge(&mut settings.config, &folder.join("special_tokens_map.json"))?;
        settings.read_templates(folder)?;
        Ok(settings)
    }

    /// Reads the chat templates. As in `transformers`, files of their own replace those of `tokenizer_config.json`;
    /// that of `chat_template.json`, which is a processor's, is taken where there is no other.
    fn read_templates(&mut self, folder: &Path) -> Result<(), TokenizerError> {
        let older = folder.join("chat_template.json");
        if let Some(templates) = read_object(&older)?.get("chat_template") {
            self.add_templates(templates, &older)?;
        }
        if let Some(templates) = self.config.remove("chat_template").filter(|templates| !templates.is_null()) {
            self.templates.clear();
            self.add_templates(&templates, &folder.join("tokenizer_config.json"))?;
        }
        let file = folder.join("chat_template.jinja");
        if file.is_file() {
            self.templates.clear();
            self.add_template("default", &read(&file)?, &file)?;
        }
        if let Ok(entries) = fs::read_dir(folder.join("additional_chat_templates")) {
            for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
                let name = path.file_stem().and_then(|name| name.to_str());
                if let (Some(name), Some("jinja")) = (name, path.extension().and_then(|e| e.to_str())) {
                    self.add_template(name, &read(&path)?, &path)?;
                }
            }
        }
        Ok(())
    }

    /// Either one template or a list of `{"name": …, "template": …}`.
    fn add_templates(&mut self, templates: &Value, path: &Path) -> Result<(), TokenizerError> {
        let wrong = "\"chat_template\" must be a string or a list of {\"name\", \"template\"}";
        let invalid = || TokenizerError::invalid(path, wrong);
        match templates {
            Value::Null => Ok(()),
            Value::String(source) => self.add_template("default", source, path),
            Value::Array(list) => list.iter().try_for_each(|entry| {
                let text = |key: &str| entry.get(key).and_then(Value::as_str).ok_or_else(invalid);
                self.add_template(text("name")?, text("template")?, path)
            }),
            _ => Err(invalid()),
        }
    }

    pub(crate) fn add_template(&mut self, name: &str, source: &str, path: &Path) -> Result<(), TokenizerError> {
        let template = ChatTemplate::new(source).map_err(|error| match error {
            TokenizerError::TemplateSyntax { line, detail, .. } => {
                TokenizerError::TemplateSyntax { origin: format!(" {}", path.display()), line, detail }
            }
            other => other,
        })?;
        self.set_template(name, template.read_from(path));
        Ok(())
    }

    pub(crate) fn set_special(&mut self, role: &str, token: &str) {
        self.config.insert(role.to_owned(), token.into());
    }

    pub(crate) fn set_template(&mut self, name: &str, template: ChatTemplate) {
        self.templates.retain(|(other, _)| other != name);
        self.templates.push((name.to_owned(), template));
    }

    pub(crate) fn template(&self, name: &str) -> Option<&ChatTemplate> {
        self.templates.iter().find(|(other, _)| other == name).map(|(_, template)| template)
    }

    pub(crate) fn templates(&self) -> &[(String, ChatTemplate)] {
        &self.templates
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.config.keys().all(|key| key == STOP_IDS)
    }

    pub(crate) fn config(&self) -> &Map<String, Value> {
        &self.config
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key)?.as_str()
    }

    /// The spelling of the token with a role such as `eos_token`: a string, or an object with `content`.
    pub(crate) fn special(&self, role: &str) -> Option<&str> {
        let token = self.config.get(role)?;
        token.as_str().or_else(|| token.get("content")?.as_str())
    }

    /// Every `*_token` role that is filled, as chat templates see them.
    pub(crate) fn special_roles(&self) -> impl Iterator<Item = (&str, &str)> {
        let roles = self.config.keys().filter(|key| key.ends_with("_token"));
        roles.filter_map(|role| Some((role.as_str(), self.special(role)?)))
    }

    /// `added_tokens_decoder`, by id; `path` is the vocabulary's file.
    pub(crate) fn added_tokens(&self, path: &Path) -> Result<Vec<(u32, AddedToken)>, TokenizerError> {
        let listed = match self.config.get("added_tokens_decoder") {
            None | Some(Value::Null) => return Ok(vec![]),
            Some(Value::Object(listed)) => listed,
            Some(_) => return Err(TokenizerError::invalid(path, "beside it, added_tokens_decoder is not an object")),
        };
        let token = |(id, token): (&String, &Value)| {
            id.parse().ok().zip(added_token(token)).ok_or_else(|| {
                let detail = format!("beside it, added_tokens_decoder has {id:?}: {token}; give an id and its token");
                TokenizerError::invalid(path, detail)
            })
        };
        let mut tokens: Vec<(u32, AddedToken)> = listed.iter().map(token).collect::<Result<_, _>>()?;
        tokens.sort_by_key(|(id, _)| *id);
        Ok(tokens)
    }
}

/// A token of an object with `content`; the other keys may be absent.
pub(crate) fn added_token(value: &Value) -> Option<AddedToken> {
    let flag = |key: &str, absent: bool| match value.get(key) {
        None | Some(Value::Null) => Some(absent),
        Some(flag) => flag.as_bool(),
    };
    let special = flag("special", false)?;
    Some(
        AddedToken::from(value.get("content")?.as_str()?, special)
            .lstrip(flag("lstrip", false)?)
            .rstrip(flag("rstrip", false)?)
            .single_word(flag("single_word", false)?)
            .normalized(flag("normalized", !special)?),
    )
}
